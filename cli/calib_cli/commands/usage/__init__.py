"""Commands for the record of applications."""
