"""Rows of each table to model values and back."""
