"""How much delta-psi scatters: each still's own spread, drawn towards that of all."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from calib.model.base.arrays import Floats, Ints
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.weights import spread_of_delta_psi

CLAIMED_RAD = 1e-3
SIGMA_PER_MAD = 1.0 / norm.ppf(0.75)
COMMON_COUNTS = 20


def observations(count: Ints) -> Observations:
    """So many reflections of each experiment, with nothing but what the spread looks at."""
    n = int(count.sum())
    return Observations(
        experiment=np.repeat(np.arange(len(count)), count),
        panel=np.zeros(n, dtype=np.int64),
        fold=np.zeros(n, dtype=np.int64),
        hkl=np.zeros((3, n), dtype=np.float32),
        observed=np.zeros((3, n)),
        sigma=np.full((3, n), CLAIMED_RAD),
        flagged_on_panel=np.zeros(1, dtype=np.int64),
        n_unfit=0,
        group_start=np.array([0, n]),
        first=np.zeros(n, dtype=np.int64),
        basis=None,
    )


def spread_by_still(count: Ints, delta_psi: Floats, still: bool = True) -> Floats:
    """(e,) the standard deviation found for each experiment, the same for its reflections."""
    seen = observations(count)
    found = spread_of_delta_psi(seen, delta_psi, np.full(len(count), still))
    by_still = [found[seen.experiment == one] for one in range(len(count))]
    assert all(np.ptp(one) == 0.0 for one in by_still)
    return np.array([one[0] for one in by_still])


def test_the_spread_of_a_still_is_its_own_with_that_of_all_counted_as_20_reflections() -> None:
    """The variance is (n own + 20 common) / (n + 20)."""
    count = np.array([1, 5, 20, 500])
    size = np.array([8.0, 4.0, 0.25, 1.0]) * 1e-3
    rng = np.random.default_rng(1)
    sign = rng.choice([-1.0, 1.0], size=int(count.sum()))
    common = 1e-3
    expected = (count * size**2 + COMMON_COUNTS * common**2) / (count + COMMON_COUNTS)
    found = spread_by_still(count, sign * np.repeat(size, count))
    assert found == pytest.approx(SIGMA_PER_MAD * np.sqrt(expected), rel=1e-4)


def test_few_reflections_hardly_change_what_all_stills_show() -> None:
    """Of equal stills with 5 reflections each the spreads differ by a tenth, not by a third as
    their own ones do; with 500 reflections each they differ as their own ones do."""
    rng = np.random.default_rng(2)
    for each, least, most in ((5, 0.05, 0.2), (500, 0.03, 0.06)):
        count = np.full(400, each)
        found = spread_by_still(count, rng.normal(scale=2e-3, size=int(count.sum())))
        assert least < np.std(np.log(found)) < most
        assert np.median(found) == pytest.approx(2e-3, rel=0.1)


def test_a_still_with_many_reflections_has_its_own_spread() -> None:
    rng = np.random.default_rng(3)
    count = np.full(3, 40_000)
    truth = np.array([0.3, 1.0, 10.0]) * 1e-3
    found = spread_by_still(count, rng.normal(size=int(count.sum())) * np.repeat(truth, count))
    assert found == pytest.approx(truth, rel=0.05)


def test_stills_without_a_prediction_have_the_spread_of_all_and_scans_what_they_claim() -> None:
    count = np.array([100, 100, 100])
    delta_psi = np.random.default_rng(4).normal(scale=2e-3, size=300)
    delta_psi[:100] = np.nan
    lost, *others = spread_by_still(count, delta_psi)
    common = np.median(np.where(np.isfinite(delta_psi), np.abs(delta_psi), np.inf))
    assert lost == pytest.approx(SIGMA_PER_MAD * common, rel=1e-4)
    assert all(other < lost for other in others)
    assert (spread_by_still(count, delta_psi, still=False) == CLAIMED_RAD).all()
