"""Reports: calibrations and detectors as pages with figures."""
