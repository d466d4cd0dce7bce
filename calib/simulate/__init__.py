"""Metrology data with known truth: for the demonstration, the tests and the benchmarks."""
