"""What calib shows: frozen values as plain mappings (for scripts) and as blocks (for people).

Pure functions; neither terminal nor page is known here.
"""
