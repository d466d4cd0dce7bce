"""The version of this program, which calibrations record as ``code_version``."""

__version__ = "0.3.0"
