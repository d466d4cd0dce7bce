"""Commands for layouts: the modules of known detectors."""
