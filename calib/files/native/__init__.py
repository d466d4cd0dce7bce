"""The file formats of calib itself: summaries, bundles, checkpoints, keys."""
