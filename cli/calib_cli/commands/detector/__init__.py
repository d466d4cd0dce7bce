"""Commands for detectors and their history."""
