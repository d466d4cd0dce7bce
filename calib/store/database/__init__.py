"""Connections and transactions on SQLite and Postgres."""
