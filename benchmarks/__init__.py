"""Speed and memory, side by side in one run, since machines are noisy."""
