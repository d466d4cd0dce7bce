"""Commands for the log and its verification."""
