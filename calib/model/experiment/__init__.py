"""Experiments: beam, goniometer, scan, crystals, reflections, detector pose, parallax."""
