"""Whether squared residuals increased: probabilities of independent and of correlated residuals."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.solve.algebra.paired_differences import PairedDifferences

N, BLOCKS, REPEATS = 600, 12, 400
BLOCK = np.arange(N) * BLOCKS // N
ALL = np.zeros(N, dtype=np.int64)


def pair(rng: np.random.Generator, common: float, shift: float = 0.0) -> tuple[Floats, Floats]:
    """Residuals whose two models differ by 0.1, with a difference common to the blocks, and of
    which those after correction are larger by ``shift``."""
    before = rng.normal(size=(2, N))
    own = 0.1 * rng.normal(size=(2, N)) + common * rng.normal(size=(2, BLOCKS))[:, BLOCK]
    return before, before * (1.0 + shift) + own - own**2 * before / 2.0


def chances(common: float, shift: float = 0.0) -> Floats:
    rng = np.random.default_rng(5)
    return np.array(
        [
            PairedDifferences.of(*pair(rng, common, shift), ALL, BLOCK, 1).chances()[0]
            for _ in range(REPEATS)
        ]
    )


@pytest.mark.parametrize("common", [0.0, 0.1])
def test_models_that_differ_by_chance_are_rarely_called_worse(common: float) -> None:
    before, after = pair(np.random.default_rng(1), common)
    assert (before**2).sum() == pytest.approx((after**2).sum(), rel=0.05)
    assert np.mean(chances(common) < 0.01) < 0.04


def test_an_increase_that_pairs_show_is_seen_below_the_scatter_of_squares() -> None:
    """By 3 %, while the mean of 600 squares scatters by 6 %."""
    assert np.median(chances(0.0, shift=0.03)) < 1e-6


def test_blocks_and_groups_are_kept_apart_and_datasets_are_added() -> None:
    rng = np.random.default_rng(2)
    before, after = pair(rng, 0.1, 0.05)
    group = rng.integers(0, 3, N)
    whole = PairedDifferences.of(before, after, group, BLOCK, 3)
    parts = [
        PairedDifferences.of(before[:, mine], after[:, mine], group[mine], BLOCK[mine], 3)
        for mine in (BLOCK < 5, BLOCK >= 5)
    ]
    assert parts[0].plus(parts[1]).chances() == pytest.approx(whole.chances())
    for k in range(3):
        mine = group == k
        alone = PairedDifferences.of(
            before[:, mine], after[:, mine], np.zeros(mine.sum(), int), BLOCK[mine], 1
        )
        assert alone.chances()[0] == pytest.approx(whole.chances()[k])


def test_residuals_that_are_alike_within_blocks_are_less_certain() -> None:
    """Of the same residuals: one block of fifty that are equal counts once."""
    rng = np.random.default_rng(3)
    before = np.repeat(rng.normal(size=(2, BLOCKS)), N // BLOCKS, axis=1)
    after = before + np.repeat(0.2 + 0.3 * rng.normal(size=(2, BLOCKS)), N // BLOCKS, axis=1)
    at_once = PairedDifferences.of(before, after, ALL, BLOCK, 1).chances()
    singly = PairedDifferences.of(before, after, ALL, np.arange(N), 1).chances()
    level = np.abs(np.log(np.minimum(at_once, 1.0 - at_once)))
    assert (level < np.abs(np.log(np.minimum(singly, 1.0 - singly)))).all()


def test_groups_without_scatter_are_not_worse() -> None:
    none = PairedDifferences.of(np.zeros((2, 0)), np.zeros((2, 0)), ALL[:0], ALL[:0], 2)
    assert none.chances() == pytest.approx(np.ones((2, 2)))
    one = PairedDifferences.of(np.zeros((2, 1)), np.ones((2, 1)), ALL[:1], ALL[:1], 1)
    assert one.chances() == pytest.approx(np.ones((1, 2)))
