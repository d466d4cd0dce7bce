"""Figures of reports: each file draws one kind of figure from a view with matplotlib."""
