"""Detectors, their placements, changes and retirements: JSON and text."""
