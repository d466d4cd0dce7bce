"""The hash-chained log of every change."""
