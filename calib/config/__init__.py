"""Settings, the location of the store, and the actor; loads no database library."""
