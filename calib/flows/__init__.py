"""Flows: what each command does with files and the store, in order."""
