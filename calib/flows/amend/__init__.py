"""Amendments: changes and retirements of detectors, and relabelled calibrations."""
