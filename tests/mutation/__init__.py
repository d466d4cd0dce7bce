"""Mutation testing: small faults put into the code, each of which a test should find."""
