"""Bytes to model and back: DIALS experiment lists and reflection tables, written safely.

Units are converted here and only here. Nothing in a file is ever executed.
"""
