"""The terminal commands of calib: parse, call one flow, render."""
