"""Calibrations: what was derived, what is stored, and the tables of both."""
