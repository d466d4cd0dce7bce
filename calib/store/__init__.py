"""The store of calibrations, certifications and applications: ``calib.store.store.Store``.

Nothing is imported here, so that a command can find the location of the store without loading the
database libraries.
"""
