"""Speed and memory, side by side in one run, since machines are noisy."""

import sys
from pathlib import Path

# What the tests have, such as a Postgres server and records, the benchmarks use too.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
