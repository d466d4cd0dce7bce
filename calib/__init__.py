"""Calibration database for multi-panel X-ray detectors: derive, store and apply corrections.

Importing this package loads nothing heavy; numpy and the database come with the modules
that need them.
"""

__version__ = "0.1.0"
