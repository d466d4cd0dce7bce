"""The joint refinement of all datasets, and its validation."""
