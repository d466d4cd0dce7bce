"""Export of a detector's history as a bundle, and loading it into another store."""
