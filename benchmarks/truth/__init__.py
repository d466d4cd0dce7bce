"""Simulated derivations whose results are compared with the truth (``make truth``)."""
