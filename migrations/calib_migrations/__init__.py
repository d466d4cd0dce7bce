"""The migrations of a store, found as ``calib_migrations:`` in a checkout and in a wheel."""
