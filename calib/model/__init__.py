"""Frozen values, checked when made, that the other packages exchange; they need numpy only."""
