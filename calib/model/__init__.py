"""Frozen values that cross the walls between the wings: numpy only, checked when made."""
