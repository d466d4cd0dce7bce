"""Geometry for other programs, and from them: export, import, publish."""
