"""Which calibration answers for a detector, an instant and a distance."""
