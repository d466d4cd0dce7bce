"""Commands for files of experiments and reflections."""
