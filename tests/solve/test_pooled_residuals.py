"""Residuals of several datasets together: as if their reflections were in one file."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.result.fit_table import COLUMNS, FitTable, ShellTable
from calib.model.result.report import BeforeAfter, Spread
from calib.solve.joint.pooled_residuals import pooled_fits, pooled_shells, stretched_after

N_SHELLS = 16
WIDTH = 0.02
"""Of the common shells, in 1/Angstrom^2."""
ROOT_MEAN_SQUARES = ["rms_x_px", "rms_y_px", "rms_phi_mrad"]


def row(n: float, statistic: float) -> list[float]:
    return [n, *([statistic] * (len(COLUMNS) - 1))]


def shells(counts: list[float], statistic: float = 1.0, first: int = 0) -> ShellTable:
    """Narrow shells with so many reflections each, the first one with the largest d."""
    edges = WIDTH * (first + np.arange(len(counts) + 1.0))
    with np.errstate(divide="ignore"):
        d = np.where(edges > 0.0, edges, 1e-4) ** -0.5
    limits = np.stack([d[:-1], d[1:]], axis=1)
    return ShellTable(limits, np.array([[row(n, 2.0), row(n, statistic)] for n in counts]))


def fits(*groups: tuple[float, float]) -> FitTable:
    """Groups with a number of used reflections and what their statistics are after correction."""
    used = [[row(n, 2.0), row(n, statistic)] for n, statistic in groups]
    held_out = [[row(0.0, 0.0), row(0.0, 0.0)]] * len(groups)
    return FitTable(np.array([[one, other] for one, other in zip(used, held_out, strict=True)]))


def test_squares_are_pooled_exactly_and_medians_as_means() -> None:
    """Each weighted by the number of reflections; those after correction by their factor too."""
    pooled = pooled_fits([fits((100, 1.0)), fits((300, 3.0))], np.array([1.0, 2.0]))
    used = pooled[0].used
    assert used is not None
    assert (used.before.n, used.after.n) == (400, 400)
    for name in COLUMNS[1:]:
        squared = name in ROOT_MEAN_SQUARES
        expected = np.sqrt((1.0 + 3 * 36.0) / 4.0) if squared else (1.0 + 3 * 6.0) / 4.0
        assert getattr(used.after, name) == pytest.approx(expected)
        assert getattr(used.before, name) == pytest.approx(2.0)
    assert pooled[0].held_out is None


def test_a_single_reflection_has_its_own_statistics() -> None:
    used = pooled_fits([fits((1, 3.0))], np.ones(1))[0].used
    assert used is not None
    assert (used.after.n, used.after.rms_x_px, used.after.median_abs_x_px) == (1, 3.0, 3.0)


def test_panels_are_pooled_one_by_one() -> None:
    one, other = fits((100, 1.0), (50, 5.0)), fits((300, 1.0), (150, 5.0))
    pooled = pooled_fits([one, other], np.ones(2))
    for place, (n, statistic) in enumerate(((400, 1.0), (200, 5.0))):
        used = pooled[place].used
        assert used is not None
        assert used.after.n == n
        assert used.after.rms_x_px == pytest.approx(statistic)
        assert used.after.median_abs_y_px == pytest.approx(statistic)


@pytest.mark.parametrize(
    ("counts", "n_shells"),
    [
        ([200.0] * N_SHELLS, 8),
        ([50.0] * N_SHELLS, 4),
        ([199.0, 200.0], 0),
        ([200.0, 200.0], 2),
        ([1000.0] * 3, 3),
    ],
)
def test_shells_are_merged_until_each_has_two_hundred_reflections(
    counts: list[float], n_shells: int
) -> None:
    """At most eight, about equally populated, without gaps; none rather than one."""
    found = pooled_shells([shells(counts)], np.ones(1))
    assert len(found) == n_shells
    if found:
        assert sum(one.held_out.after.n for one in found) == sum(counts)
        assert {one.held_out.after.n for one in found} == {sum(counts) / n_shells}
        assert [one.d_min_angstrom for one in found[:-1]] == pytest.approx(
            [one.d_max_angstrom for one in found[1:]]
        )


def test_shells_of_datasets_with_other_limits_are_pooled_where_they_lie() -> None:
    near, far = shells([200.0] * 4, statistic=1.0), shells([200.0] * 4, statistic=2.0, first=4)
    found = pooled_shells([far, near], np.array([3.0, 1.0]))
    assert [one.held_out.after.n for one in found] == [200] * 8
    assert [one.held_out.after.rms_x_px for one in found] == pytest.approx([1.0] * 4 + [6.0] * 4)
    assert [one.held_out.before.rms_x_px for one in found] == pytest.approx([2.0] * 8)
    assert found[0].d_max_angstrom > found[-1].d_max_angstrom


def test_residuals_after_correction_are_stretched_by_a_factor() -> None:
    values: Floats = np.arange(1.0, len(COLUMNS))
    spread = Spread(100, *values.tolist())
    found = stretched_after(BeforeAfter(spread, spread), 1.5)
    assert found.before == spread
    assert found.after == Spread(100, *(1.5 * values).tolist())
