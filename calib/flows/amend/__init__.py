"""Mending what was recorded, by adding: changes and retirements of detectors, relabelling."""
