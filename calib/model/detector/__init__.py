"""Detectors: nominal layout, frames, panel corrections, detector families."""
