"""Backup, copy, upgrade, checks and audit of a whole store."""
