"""The commands, grouped by the noun that they work on."""
