"""Conversion between the rows of each table and the values of the model."""
