"""Commands for summaries, bundles and records of use."""
