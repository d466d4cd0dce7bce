"""Simulated metrology data with known truth, for the demonstration, tests and benchmarks."""
