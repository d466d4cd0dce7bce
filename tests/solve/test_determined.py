"""The fraction of information that comes from the data, and from the tolerances of assembly."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from calib.model.detector.correction import Freedom
from calib.model.detector.families import known_layout
from calib.model.result.report import Determined
from calib.model.result.summary import Part
from calib.report.blocks import Sentences
from calib.report.calibration.weak_modes import information_blocks, information_view
from calib.solve.panels.solution import Solution
from calib.solve.panels.stored_equations import StoredEquations, TwistEquations
from calib.solve.panels.system import Normal, PanelStep, PanelSystem
from calib.solve.panels.weak_modes import determined
from calib.solve.prior import PanelPrior
from support.scenes import options, simulation, solution

LAYOUT = known_layout("PILATUS 1M")
FAR_MM, NEAR_MM = 200.0, 120.0
NORMAL = 2
ROUNDING = 1e-6


@cache
def found(
    distances: tuple[float, ...] = (FAR_MM,),
    freedom: Freedom = Freedom.FULL,
    noise_px: float = 0.1,
) -> Solution:
    scans = [
        simulation(distance_mm=distance, seed=seed, noise_px=noise_px)[2].dataset
        for seed, distance in enumerate(distances)
    ]
    return solution(scans, LAYOUT, options(freedom))


def determined_by(solved: Solution) -> Determined:
    assert solved.report.determined is not None
    return solved.report.determined


def equations(solved: Solution) -> tuple[Normal, PanelStep]:
    """Those of the solution, and its step."""
    system, at = PanelSystem(LAYOUT, solved.estimate.freedom, PanelPrior()), solved.estimate
    share = StoredEquations(LAYOUT, TwistEquations.of(LAYOUT, solved.statements, Part.WHOLE)).at(
        at.correction
    )
    return system.normal(at.correction, [share]), system.step(at.correction, [share])


@pytest.mark.parametrize("freedom", list(Freedom))
def test_shares_add_up_to_what_the_data_determine(freedom: Freedom) -> None:
    normal, step = equations(found(freedom=freedom))
    assert normal.data_shares.sum() == pytest.approx(step.n_determined, rel=ROUNDING)
    n_gauge = normal.gauge.shape[1]
    assert np.all(normal.data_shares[:n_gauge] < ROUNDING)
    words = determined_by(found(freedom=freedom))
    assert words.n_directions == len(LAYOUT) * len(freedom.free) - n_gauge
    assert words.n_determined == (normal.data_shares > 0.5).sum()


def test_data_never_make_less_known() -> None:
    normal, step = equations(found())
    scale = np.tile(PanelPrior().sigma(), len(LAYOUT))
    gained = (normal.unheld - step.covariance) / np.outer(scale, scale)
    assert np.linalg.eigvalsh(gained).min() > -ROUNDING
    # Without data, differences of two panels scatter as their tolerances say.
    apart = np.zeros(len(scale))
    apart[[2, 6 * 4 + 2, 6 * 8 + 2]] = 1.0, -2.0, 1.0  # of one column: no rigid motion
    across = float(apart @ normal.unheld @ apart)
    assert across == pytest.approx(6.0 * PanelPrior().sigma()[2] ** 2, rel=0.01)


def test_a_second_distance_gives_the_data_the_larger_share_along_the_normal() -> None:
    one, two = determined_by(found()).parameters, determined_by(found((FAR_MM, NEAR_MM))).parameters
    for k in (NORMAL, 3, 4):
        before, after = one[k], two[k]
        assert before is not None
        assert after is not None
        assert 1.0 - after < 0.5 * (1.0 - before)


def test_noise_leaves_more_to_the_tolerances() -> None:
    clear, noisy = determined_by(found()), determined_by(found(noise_px=2.0))
    assert clear.n_determined == clear.n_directions
    assert noisy.n_determined < noisy.n_directions
    for less, more in zip(noisy.parameters, clear.parameters, strict=True):
        assert less is not None
        assert more is not None
        assert less < more
    for one, other in zip(
        determined_by(found()).patterns,
        determined_by(found((FAR_MM, NEAR_MM))).patterns,
        strict=True,
    ):
        assert one.words == other.words
        assert 0.0 < one.share < other.share < 1.0


def test_fixed_parameters_are_named_as_fixed() -> None:
    words = determined_by(found(freedom=Freedom.IN_PLANE))
    assert [k for k, share in enumerate(words.parameters) if share is None] == [2, 3, 4]
    (block,) = information_blocks(information_view(words))
    assert isinstance(block, Sentences)
    lines = " ".join(block.lines)
    assert "Fixed at nominal: normal, tilt about fast, tilt about slow." in lines
    assert "bow" not in lines
    assert information_blocks(information_view(None)) == []


@pytest.mark.parametrize("n_measured", [0, 1, 2])
def test_two_measured_panels_have_patterns_and_one_has_none(n_measured: int) -> None:
    normal, step = equations(found())
    system = PanelSystem(LAYOUT, Freedom.FULL, PanelPrior())
    measured = np.arange(len(LAYOUT)) < n_measured
    patterns = determined(system, normal, step.covariance, measured).patterns
    assert ("overall scale" in [one.words for one in patterns]) == (n_measured == 2)
    assert all(0.0 < one.share < 1.0 for one in patterns)
