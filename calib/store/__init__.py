"""The store: what was derived, certified and applied. ``calib.store.store.Store`` is its door.

Nothing is imported here, so that a command may ask where the store lies without the database
libraries.
"""
