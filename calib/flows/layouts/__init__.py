"""One-panel experiments and their modules: layout add, split, merge."""
