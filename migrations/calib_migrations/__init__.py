"""The store's migrations. Found as ``calib_migrations:`` from a checkout and from a wheel."""
