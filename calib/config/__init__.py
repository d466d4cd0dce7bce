"""Settings and the location of the store: read before anything else, without a database."""
