"""Physical effects that can be added to simulated scans and stills, one noun per file."""
