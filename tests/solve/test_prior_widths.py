"""Widths of the prior that are learned from the data, by the linear model alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.layout import Layout, PanelGroup
from calib.model.result.report import LearnedPrior, PriorWidths
from calib.simulate.truth import Tolerance, random_correction
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.system import PanelSystem
from calib.solve.prior import PanelPrior
from support.linear import seen

LAYOUT = known_layout("PILATUS 2M")
SMALL = Tolerance(shift_mm=0.007, normal_mm=0.005, tilt_rad=1e-4)
LARGE = Tolerance(shift_mm=0.07, normal_mm=0.05, tilt_rad=1e-3)
MOVED_MM = 0.3


def equations(
    layout: Layout, truth: Correction, seed: int, n_reflections: Floats | None = None
) -> PanelEquations:
    counts = np.full(len(layout), 500.0) if n_reflections is None else n_reflections
    found = seen(np.random.default_rng([seed, 1]), layout, truth, counts)
    return PanelEquations(found.information, found.vector, found.panel_information)


def drawn(layout: Layout, tolerance: Tolerance, seed: int) -> Correction:
    return random_correction(np.random.default_rng(seed), layout, tolerance)


def learned(
    layout: Layout, given: PanelEquations, prior: PanelPrior | None = None
) -> tuple[PanelSystem, LearnedPrior]:
    system = PanelSystem(layout, Freedom.FULL, prior or PanelPrior())
    found = system.learned(Correction.none(len(layout)), [given])
    assert found.prior.learned is not None
    return found, found.prior.learned


def only(found: LearnedPrior) -> PriorWidths:
    (level,) = found.levels
    return level


def moved(truth: Correction, panel: int, shift_mm: float) -> Correction:
    values = truth.values.copy()
    values[panel, 0] += shift_mm
    return Correction(values)


@pytest.mark.parametrize("tolerance", [SMALL, LARGE], ids=["7 um", "70 um"])
def test_widths_are_those_that_the_panels_were_drawn_with(tolerance: Tolerance) -> None:
    truth = drawn(LAYOUT, tolerance, 1)
    level = only(learned(LAYOUT, equations(LAYOUT, truth, 1))[1])
    true = np.array([tolerance.shift_mm, tolerance.normal_mm, tolerance.tilt_rad])
    off = np.log(np.array(level.widths) / true) / np.array(level.log_sigma)
    assert np.abs(off).max() < 3.0
    assert max(level.log_sigma) < 0.6
    assert level.n_contrasts == 6 * (len(LAYOUT) - 1)


def test_widths_do_not_depend_on_where_the_iteration_starts() -> None:
    given = equations(LAYOUT, drawn(LAYOUT, LARGE, 2), 2)
    system, first = learned(LAYOUT, given)
    again = system.learned(Correction.none(len(LAYOUT)), [given])
    far = PriorWidths(1, False, 0, 0.003, 2.0, 1e-5, (0.0, 0.0, 0.0))
    other, _ = learned(LAYOUT, given, PanelPrior(learned=LearnedPrior((far,))))
    for found in (again, other):
        assert found.prior.learned is not None
        assert only(found.prior.learned).widths == pytest.approx(only(first).widths, rel=1e-5)


def test_widths_do_not_depend_on_a_rigid_motion_of_all_panels() -> None:
    given = equations(LAYOUT, drawn(LAYOUT, SMALL, 3), 3)
    system, first = learned(LAYOUT, given)
    none = Correction.none(len(LAYOUT))
    gauge = system.normal(none, [given]).gauge
    motion = 0.05 * gauge[:, 0] / np.abs(gauge[:, 0]).max()
    there = Correction(motion.reshape(-1, 6))
    vector = given.vector - given.information @ motion
    elsewhere = replace(given, vector=vector)
    found = PanelSystem(LAYOUT, Freedom.FULL, PanelPrior()).learned(there, [elsewhere])
    assert found.prior.learned is not None
    assert only(found.prior.learned).widths == pytest.approx(only(first).widths, rel=1e-3)


def test_a_replaced_panel_does_not_widen_the_prior_of_the_others() -> None:
    truth = drawn(LAYOUT, SMALL, 4)
    before = only(learned(LAYOUT, equations(LAYOUT, truth, 4))[1])
    _, found = learned(LAYOUT, equations(LAYOUT, moved(truth, 5, MOVED_MM), 4))
    assert only(found).widths == pytest.approx(before.widths, rel=0.2)
    (far,) = found.deviating
    assert (far.is_group, far.index) == (False, 5)
    assert far.factor > 3.0


def test_a_replaced_panel_is_not_drawn_back_to_the_others() -> None:
    given = equations(LAYOUT, moved(drawn(LAYOUT, SMALL, 4), 5, MOVED_MM), 4)
    system, _ = learned(LAYOUT, given)
    none = Correction.none(len(LAYOUT))
    found = system.step_of(none, [given]).correction.values[:, 0]
    assert found[5] - np.delete(found, 5).mean() == pytest.approx(MOVED_MM, abs=0.02)


def test_without_data_the_widths_are_the_tolerances() -> None:
    dark = np.zeros(len(LAYOUT))
    dark[:2] = 500.0
    level = only(learned(LAYOUT, equations(LAYOUT, drawn(LAYOUT, SMALL, 6), 6, dark))[1])
    assert level.n_contrasts == 6
    many = only(learned(LAYOUT, equations(LAYOUT, drawn(LAYOUT, SMALL, 6), 6))[1])
    assert level.log_sigma[0] > 2.0 * many.log_sigma[0]
    nothing = 1e-12 * np.ones(len(LAYOUT))
    none = only(learned(LAYOUT, equations(LAYOUT, Correction.none(len(LAYOUT)), 6, nothing))[1])
    prior = PanelPrior()
    assert none.widths == pytest.approx((prior.shift_mm, prior.normal_mm, prior.tilt_rad), rel=1e-3)
    assert none.log_sigma == pytest.approx([np.log(3.0)] * 3, rel=1e-3)


def test_few_panels_have_one_factor_for_all_kinds_of_motion() -> None:
    layout = known_layout("PILATUS 300K")
    prior = PanelPrior()
    level = only(learned(layout, equations(layout, drawn(layout, SMALL, 7), 7))[1])
    factors = np.array(level.widths) / [prior.shift_mm, prior.normal_mm, prior.tilt_rad]
    assert factors == pytest.approx([factors[0]] * 3)
    assert factors[0] < 0.5
    assert len(set(level.log_sigma)) == 1


def test_no_width_vanishes_though_no_panel_is_displaced() -> None:
    level = only(learned(LAYOUT, equations(LAYOUT, Correction.none(len(LAYOUT)), 8))[1])
    assert min(np.array(level.widths) / [1e-4, 1e-4, 1e-6]) > 1.0


def test_an_uncertain_width_widens_the_covariance() -> None:
    layout = known_layout("PILATUS 300K")
    given = equations(layout, drawn(layout, SMALL, 9), 9, np.full(3, 30.0))
    system, _ = learned(layout, given)
    none = Correction.none(len(layout))
    step = system.step_of(none, [given])
    assert system.nodes
    wide, alone = system.covariance(step.correction, [given]), step.covariance
    shifted = replace(given, vector=given.vector - given.information @ step.tangent)
    wide = system.covariance(step.correction, [shifted])
    assert np.trace(wide[:6, :6]) > 1.02 * np.trace(alone[:6, :6])


def test_covariances_with_learned_widths_are_those_of_the_errors() -> None:
    """Three panels, whose widths are uncertain; the prior's are not those of the truth."""
    layout = known_layout("PILATUS 300K")
    none, sizes = Correction.none(len(layout)), []
    for seed in range(20):
        truth = drawn(layout, SMALL, 100 + seed)
        given = equations(layout, truth, 100 + seed)
        system, _ = learned(layout, given)
        step = system.step_of(none, [given])
        weight = system.gauge_weight(none, [given])[:, None] * step.gauge
        error = (step.correction.values - truth.values).ravel()
        error -= step.gauge @ np.linalg.solve(weight.T @ step.gauge, weight.T @ error)
        scale = 1.0 / np.tile(PanelPrior().sigma(), len(layout))
        covariance = system.covariance(none, [given]) * np.outer(scale, scale)
        eigenvalues, vectors = np.linalg.eigh(covariance)
        good = eigenvalues > 1e-9 * eigenvalues[-1]
        sizes.append(np.mean((vectors[:, good].T @ (error * scale)) ** 2 / eigenvalues[good]))
    assert np.sqrt(np.mean(sizes)) == pytest.approx(1.0, abs=0.12)


ROWS = tuple(PanelGroup(f"row {k}", 1, (3 * k, 3 * k + 1, 3 * k + 2)) for k in range(8))
GROUPED = replace(LAYOUT, groups=ROWS)


def test_each_level_has_its_own_widths() -> None:
    """Rows that stand on the detector within the tolerance of panels, panels far better in rows."""
    rng, values = np.random.default_rng(10), drawn(LAYOUT, SMALL, 10).values.copy()
    for row in ROWS:
        values[list(row.panels), :2] += rng.normal(scale=0.1, size=2)
    _, found = learned(GROUPED, equations(GROUPED, Correction(values), 10))
    rows, panels = found.levels
    assert (rows.of_groups, rows.level, panels.of_groups, panels.level) == (True, 1, False, 2)
    assert rows.shift_mm == pytest.approx(0.1, rel=0.6)
    assert panels.shift_mm == pytest.approx(0.007, rel=0.5)
    assert (rows.n_contrasts, panels.n_contrasts) == (42, 96)


def test_a_group_with_few_reflections_does_not_follow_their_noise() -> None:
    """One panel of a row has two reflections, the others of the row none."""
    counts = np.full(len(LAYOUT), 500.0)
    counts[list(ROWS[3].panels)] = 2.0, 0.0, 0.0
    given = equations(GROUPED, drawn(LAYOUT, SMALL, 11), 11, counts)
    none = Correction.none(len(LAYOUT))
    typed = PanelSystem(GROUPED, Freedom.FULL, PanelPrior())
    moves = [
        np.abs(system.step_of(none, [given]).correction.values[list(ROWS[3].panels), :2]).max()
        for system in (typed, learned(GROUPED, given)[0])
    ]
    assert moves[1] < 0.02 < 0.1 * moves[0] + 0.02


def test_a_held_prior_stays_what_it_is() -> None:
    given = equations(LAYOUT, drawn(LAYOUT, SMALL, 12), 12)
    system = PanelSystem(LAYOUT, Freedom.FULL, PanelPrior(held=True))
    assert system.learned(Correction.none(len(LAYOUT)), [given]) is system
