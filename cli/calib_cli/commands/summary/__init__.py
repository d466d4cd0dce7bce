"""Commands for the summaries of datasets."""
