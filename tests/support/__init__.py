"""Machinery that several tests share: a real Postgres server, real DIALS programs."""
