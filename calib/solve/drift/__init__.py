"""Whether two calibrations of one detector differ significantly."""
