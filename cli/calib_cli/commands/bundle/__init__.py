"""Commands that carry detectors and calibrations between stores."""
