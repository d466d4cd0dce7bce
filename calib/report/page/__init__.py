"""Reports of calibrations and detectors as one page: sections, tables, words and figures."""
