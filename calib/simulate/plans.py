"""Named simulations, so that tests, benchmarks and documents speak of the same data."""

from __future__ import annotations

from calib.simulate.scan import ScanPlan

SEED_SIZE = ScanPlan(
    n_reflections=190_000,
    outlier_share=0.03,
    fall_off_angstrom2=18.0,
    shadowed=((0, 40), (4, 60), (55, 90), (59, 140)),
)
"""One full turn on a PILATUS 6M at ``SEED_SIZE_MM``: 190 000 reflections, 3 % outliers, 0.1 px
noise, the four corner panels in shadow with as few as 40 reflections."""
SEED_SIZE_MM = 400.0
