"""Finding the calibration that applies to a detector, a time and a distance."""
