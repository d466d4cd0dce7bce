"""Named simulations, shared by tests, benchmarks and documentation."""

from __future__ import annotations

from calib.simulate.scan import ScanPlan

SEED_SIZE = ScanPlan(
    n_reflections=190_000,
    outlier_share=0.03,
    fall_off_angstrom2=18.0,
    shadowed=((0, 40), (4, 60), (55, 90), (59, 140)),
)
"""A scan of 360 degrees on a PILATUS 6M at ``SEED_SIZE_MM``: 190 000 reflections, 3 % outliers,
0.1 px noise, the four corner panels in shadow with as few as 40 reflections."""
SEED_SIZE_MM = 400.0

WEAK = ScanPlan(
    n_reflections=40_000,
    outlier_share=0.03,
    fall_off_angstrom2=18.0,
    shadowed=((0, 0), (4, 5), (55, 20), (59, 40)),
)
"""A weaker one at the same distance: panel 0 is empty, three others have 5 to 40 reflections."""

FAR = ScanPlan(n_reflections=190_000, fall_off_angstrom2=18.0)
FAR_MM = 400.0
NEAR = ScanPlan(n_reflections=60_000, fall_off_angstrom2=3.0)
"""Crystals that diffract to the corners: 150 reflections or more on every panel."""
NEAR_MM = 150.0
FAR_EVENLY = ScanPlan(n_reflections=190_000, fall_off_angstrom2=10.0)
NEAR_EVENLY = ScanPlan(n_reflections=190_000, fall_off_angstrom2=3.0)
