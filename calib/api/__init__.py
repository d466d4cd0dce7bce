"""The functions that ``import calib`` offers, over the flows: plain arguments, frozen results."""
