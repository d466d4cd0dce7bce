"""How far the corners of a panel move, and what one panel's moving away says."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.families import known_layout
from calib.solve.drift.significance import corner_motion_mm

LAYOUT = known_layout("PILATUS 300K")
SECOND_ORDER = 1e-12


@pytest.mark.parametrize("parameter", [*range(6), None])
def test_the_corners_move_by_the_shift_and_the_rotation_about_the_centre(
    parameter: int | None,
) -> None:
    """Root mean square over the four corners u of t + w x u; panels are not square."""
    shift: Floats = np.zeros((len(LAYOUT), 6))
    rng = np.random.default_rng(1)
    columns = slice(None) if parameter is None else parameter
    shift[:, columns] = rng.normal(size=shift[:, columns].shape) * 1e-3
    half = 0.5 * LAYOUT.size_mm[0]
    corners = np.array([[x * half[0], y * half[1], 0.0] for x in (-1, 1) for y in (-1, 1)])
    for panel, found in enumerate(corner_motion_mm(LAYOUT, shift)):
        moved = shift[panel, :3] + np.cross(shift[panel, 3:], corners)
        expected = np.sqrt((moved**2).sum(axis=1).mean())
        assert found == pytest.approx(expected, abs=SECOND_ORDER)


def test_fixed_parameters_count_as_zero_and_panels_without_any_have_no_motion() -> None:
    shift = np.full((len(LAYOUT), 6), np.nan)
    shift[0, :2] = 3.0, 4.0
    found = corner_motion_mm(LAYOUT, shift)
    assert found[0] == pytest.approx(5.0)
    assert np.isnan(found[1:]).all()
