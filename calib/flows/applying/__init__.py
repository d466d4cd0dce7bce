"""Parts of apply: what is read from the store, corrected files, and many files at once."""
