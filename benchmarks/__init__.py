"""Benchmarks of time and memory. What is compared is measured in one run: machines are noisy."""

import sys
from pathlib import Path

# The benchmarks use support code of the tests, such as a Postgres server and sample records.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
