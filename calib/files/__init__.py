"""Files: read into the model and written from it, whatever their format.

Units are converted here and nowhere else. Nothing in a file is ever executed.
"""
