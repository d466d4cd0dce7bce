"""Summaries add up: to the joint solution, wherever each was made."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.frames import rotation_from_vector
from calib.model.experiment.dataset import Dataset
from calib.model.result.summary import Equations, Part, Statement
from calib.solve.algebra.rigid_motion import tangents_from_parameters
from calib.solve.algebra.twists import tangents_from_twists, twists_between
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.datasets import solve_incremental
from calib.solve.joint.summary import _kept
from calib.solve.panels.influence import influences
from calib.solve.panels.linearisation import LINEAR_WITHIN_SIGMA
from calib.solve.panels.solution import Solution
from calib.solve.panels.solved_panels import SolvedPanels
from calib.solve.panels.stored_equations import StoredEquations, TwistEquations, stored_form
from calib.solve.panels.system import PanelSystem
from calib.solve.parallel.executor import LocalExecutor
from calib.solve.prior import PanelPrior
from calib.solve.summaries import _uses, solve_summaries
from support.scenes import fits, options, quiet, refined, simulation, solution, started

LAYOUT = simulation("PILATUS 1M", n_reflections=10)[0]
SAME_REJECTION_RMS, SAME_REJECTION_MOST = 0.05, 0.15
"""In sigma: what was promised where reflections and weights are the same."""
DECIDED_ANEW_RMS = 0.25
ROUNDING = 1e-9
TEN_NANOMETRES_MM = 1e-5
NANOMETRE_MM = 1e-6
SPLIT_MIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@cache
def dataset(seed: int, distance_mm: float) -> Dataset:
    return simulation(
        "PILATUS 1M", seed=seed, distance_mm=distance_mm, n_reflections=8000, outlier_share=0.02
    )[2].dataset


NEAR, FAR, NEW = ((1, 150.0), (2, 265.0), (3, 200.0))


@cache
def joint(*which: tuple[int, float], freedom: Freedom = Freedom.FULL) -> Solution:
    return solution([dataset(*one) for one in which], LAYOUT, options(freedom))


def together(*statements: Statement, freedom: Freedom = Freedom.FULL) -> Solution:
    return solve_summaries(statements, LAYOUT, freedom, PanelPrior())


def apart_sigma(one: Solution, other: Solution) -> Floats:
    return apart_sigma_of(one.estimate.correction, other)


def apart_sigma_of(one: Correction, other: Solution) -> Floats:
    return np.asarray((one.values - other.estimate.correction.values) / other.estimate.sigma)


def rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def random_correction(seed: int, scale: float = 1.0) -> Correction:
    spread = scale * np.array([0.1, 0.1, 0.1, 2e-3, 2e-3, 2e-3])
    rng = np.random.default_rng(seed)
    return Correction(rng.normal(size=(len(LAYOUT), 6)) * spread)


# Equations.


def test_equations_are_the_same_in_parameters_as_in_tangents() -> None:
    """Carried to where they were made, they are what they were."""
    found = joint(NEAR, FAR).statements[0]
    at = found.point
    back = StoredEquations(LAYOUT, TwistEquations.of(LAYOUT, [found], Part.WHOLE)).at(at)
    turn = tangents_from_parameters(at)
    n = len(LAYOUT)
    information = np.einsum(
        "pai,paqb,qbj->piqj", turn, back.information.reshape(n, 6, n, 6), turn, optimize=True
    ).reshape(6 * n, 6 * n)
    scale = np.sqrt(np.diag(found.whole.information))
    off = (information - found.whole.information) / np.outer(scale, scale)
    assert np.abs(off).max() < ROUNDING
    vector = np.einsum("pai,pa->pi", turn, back.vector.reshape(n, 6)).ravel()
    assert np.abs((vector - found.whole.vector) / scale).max() < ROUNDING


@pytest.mark.parametrize("rank", [0, 3, 40, 60])
def test_equations_keep_what_an_elimination_left(rank: int) -> None:
    """For any information D - F^T F, whatever the rank of F."""
    rng = np.random.default_rng(rank)
    n = len(LAYOUT)
    root = rng.normal(size=(n, 6, 9)) * [[[1e3], [1e3], [10], [1e5], [1e5], [1e4]]]
    own = root @ root.transpose(0, 2, 1)
    whole = np.zeros((6 * n, 6 * n))
    panels = whole.reshape(n, 6, n, 6)
    panels[np.arange(n), :, np.arange(n)] = own
    factor = np.linalg.cholesky(whole)
    weights, _ = np.linalg.qr(rng.normal(size=(6 * n, max(rank, 1))))
    taken = (0.99 * factor @ weights[:, :rank]).T
    equations = PanelEquations(whole - taken.T @ taken, rng.normal(size=6 * n), own)
    at = random_correction(1)
    found = stored_form(equations, at, Part.WHOLE)
    assert len(found.coupling) == rank
    turn = tangents_from_parameters(at)
    expected = np.einsum(
        "pai,paqb,qbj->piqj", turn, equations.information.reshape(n, 6, n, 6), turn, optimize=True
    ).reshape(6 * n, 6 * n)
    scale = np.sqrt(np.diag(expected))
    assert np.abs((found.information - expected) / np.outer(scale, scale)).max() < 1e-11


@pytest.mark.parametrize("part", list(Part))
def test_a_common_rigid_motion_stays_undetermined_at_every_linearisation_point(part: Part) -> None:
    """The dataset has its own pose: at a point far from where it was linearised, too."""
    found = joint(NEAR, FAR).statements[0]
    moved = Correction(found.point.values + random_correction(2).values)
    equations = StoredEquations(LAYOUT, TwistEquations.of(LAYOUT, [found], part)).at(moved)
    rigid = tangents_from_twists(LAYOUT, moved.values).reshape(-1, 6)
    seen = np.einsum("ai,ab,bi->i", rigid, equations.information, rigid)
    blocks = rigid.reshape(-1, 6, 6)
    alone = np.einsum("pai,pab,pbi->i", blocks, equations.panel_information, blocks)
    assert (np.abs(seen) / alone).max() < 1e-6


def test_a_rigid_motion_of_all_panels_changes_no_stored_equation() -> None:
    """A finite one: the same vector, and the same sum of squares."""
    found = joint(NEAR, FAR).statements[0]
    twisted = TwistEquations.of(LAYOUT, [found], Part.WHOLE)
    turn = rotation_from_vector(np.array([3e-3, -2e-3, 5e-3]))
    frames = found.point.frames(LAYOUT)
    turned = replace(
        frames,
        rotation=turn @ frames.rotation,
        origin_mm=frames.origin_mm @ turn.T + np.array([0.5, -0.3, 0.8]),
    )
    (vector,), (more,) = twisted.at(LAYOUT, Correction.between(LAYOUT, turned))
    scale = np.sqrt(np.diagonal(twisted.own[0], axis1=1, axis2=2).ravel())
    assert np.abs((vector - twisted.vector[0]) / scale).max() < 1e-3
    assert abs(more) < 1e-3 * found.chi_square


def test_twists_between_lead_there() -> None:
    """The exponential of each panel's twist carries its points from one place to the other."""
    start, end = random_correction(3), random_correction(4)
    twists = twists_between(LAYOUT, start.values, end.values).reshape(-1, 6)
    about = LAYOUT.centre_root_mm.mean(axis=0)
    for p, (q, theta) in enumerate(zip(twists[:, :3], twists[:, 3:], strict=True)):
        points = [c.frames(LAYOUT).points(np.array([[3.0, 4.0]]))[p, 0] for c in (start, end)]
        steps = 2000
        small = rotation_from_vector(theta / steps)
        at = points[0] - about
        for _ in range(steps):
            at = small @ at + q / steps
        assert np.abs(at + about - points[1]).max() < TEN_NANOMETRES_MM  # of the steps


# Combining.


def test_the_summaries_of_a_derivation_give_it_back() -> None:
    whole = joint(NEAR, FAR, NEW)
    again = together(*whole.statements)
    assert np.abs(apart_sigma(again, whole)).max() < 0.01
    assert again.estimate.sigma == pytest.approx(whole.estimate.sigma, rel=1e-3)
    one, other = whole.report, again.report
    assert other.convergence.chi_square == pytest.approx(one.convergence.chi_square, rel=1e-6)
    assert other.convergence.degrees_of_freedom == one.convergence.degrees_of_freedom
    assert again.estimate.status == whole.estimate.status
    assert other.gauge == one.gauge == 6
    assert other.halves is not None
    assert one.halves is not None
    assert other.halves.rms_in_plane_um == pytest.approx(one.halves.rms_in_plane_um, rel=0.01)
    assert [d.p_value for d in other.disagreements] == pytest.approx(
        [d.p_value for d in one.disagreements], abs=0.01
    )
    for used in ("used", "held_out"):
        ours, theirs = getattr(other.overall, used), getattr(one.overall, used)
        assert ours.after.n == theirs.after.n
        assert ours.after.rms_x_px == pytest.approx(theirs.after.rms_x_px, rel=1e-3)
        assert ours.after.median_abs_y_px == pytest.approx(theirs.after.median_abs_y_px, rel=0.02)


@pytest.mark.parametrize("freedom", list(Freedom))
def test_with_the_same_reflections_and_weights_adding_equals_the_joint_derivation(
    freedom: Freedom,
) -> None:
    """Wherever each part was linearised: old datasets at their own solution, the new one at its."""
    found = refined(
        [dataset(*one) for one in (NEAR, FAR, NEW)],
        PanelSystem(LAYOUT, freedom, PanelPrior()),
        options(freedom),
        quiet,
    )
    whole = joint(NEAR, FAR, NEW, freedom=freedom)
    near, far, new = fits(found)
    equations = [
        replace(one, point=point, whole=equations)
        for one, (point, equations) in zip(
            whole.statements, [*settled(freedom, near, far), *settled(freedom, new)], strict=True
        )
    ]
    apart = apart_sigma(together(*equations, freedom=freedom), whole)[:, freedom.free]
    start = apart_sigma_of(equations[0].point, whole)[:, freedom.free]
    assert np.abs(start).max() > 1.0
    assert rms(apart) < SAME_REJECTION_RMS
    assert np.abs(apart).max() < SAME_REJECTION_MOST


def settled(freedom: Freedom, *given: DatasetFit) -> list[tuple[Correction, Equations]]:
    """The equations of datasets at the solution of these alone, as they were rejected before."""
    system = PanelSystem(LAYOUT, freedom, PanelPrior())
    correction, now = Correction.none(len(LAYOUT)), list(given)
    for _ in range(8):
        reduced = [fit.eliminate(fit.blocks(correction)[0], correction) for fit in now]
        step = system.step(correction, reduced)
        before, correction = correction, step.correction
        now = [
            fit.moved(one.nuisance_step(step.tangent))
            for fit, one in zip(now, reduced, strict=True)
        ]
    assert np.abs(correction.values - before.values).max() < NANOMETRE_MM
    reduced = [fit.eliminate(fit.blocks(correction)[0], correction) for fit in now]
    return [(correction, stored_form(one, correction, Part.WHOLE)) for one in reduced]


def test_adding_files_to_summaries_is_nearly_the_joint_derivation() -> None:
    """What is rejected is decided anew for the new dataset."""
    whole = joint(NEAR, FAR, NEW)
    old = joint(NEAR, FAR)
    executor = LocalExecutor([dataset(*NEW)])
    pose = dataset(*NEW).detector.lab_from_root
    assert pose is not None
    added = solve_incremental(
        old.statements, executor, [pose], LAYOUT, options(Freedom.FULL), quiet
    )
    assert rms(apart_sigma(added, whole)) < DECIDED_ANEW_RMS
    assert added.estimate.sigma == pytest.approx(whole.estimate.sigma, rel=0.01)
    assert [use.name for use in added.report.datasets] == ["seed1", "seed2", "seed3"]
    assert added.report.datasets[-1].left_out is not None
    assert added.acceptance.accepted


def test_summaries_from_different_points_equal_the_joint_derivation() -> None:
    """Each made by itself, its rejection decided by itself."""
    alone = [joint(one).statements[0] for one in (NEAR, FAR, NEW)]
    assert rms(apart_sigma(together(*alone), joint(NEAR, FAR, NEW))) < DECIDED_ANEW_RMS


def test_leaving_out_is_never_having_had_it() -> None:
    whole = joint(NEAR, FAR, NEW)
    without = together(*whole.statements[:2])
    assert rms(apart_sigma(without, joint(NEAR, FAR))) < DECIDED_ANEW_RMS


def test_the_order_of_summaries_does_not_matter() -> None:
    equations = joint(NEAR, FAR, NEW).statements
    one, other = together(*equations), together(*equations[::-1])
    assert np.abs(apart_sigma(one, other)).max() < 0.01


# Influence.


def test_influence_is_how_far_the_solution_moves_without_a_dataset() -> None:
    """In the gauge of all of them: a rigid motion of the panels is no influence."""
    whole = joint(NEAR, FAR, NEW)
    system = PanelSystem(LAYOUT, Freedom.FULL, PanelPrior(), whole.statements)
    at = whole.estimate.correction
    equations = system.stored_at(at, Part.WHOLE)
    gauge, weight = system.normal(at, equations).gauge, system.gauge_weight(at, equations)
    for place, use in enumerate(whole.report.datasets):
        rest = [one for k, one in enumerate(whole.statements) if k != place]
        shift = (together(*rest).estimate.correction.values - at.values).ravel()
        held = weight[:, None] * gauge
        shift -= gauge @ np.linalg.solve(gauge.T @ held, held.T @ shift)
        assert use.influence is not None
        in_sigma = np.abs(shift / whole.estimate.sigma.ravel())
        assert use.influence.rms_sigma == pytest.approx(rms(in_sigma), rel=0.02)
        assert use.influence.largest_sigma == pytest.approx(in_sigma.max(), rel=0.05)
        assert use.influence.panel == in_sigma.argmax() // 6
    (only,) = joint(NEAR).report.datasets
    assert only.influence is None


@pytest.mark.parametrize("strong", [False, True], ids=["of-equals", "beside-a-stronger-one"])
def test_influences_of_many_datasets_solve_their_equations(strong: bool) -> None:
    rng = np.random.default_rng(5)
    whole = joint(NEAR, FAR, NEW)
    several = [weaker(one, 0.05, rng) for one in whole.statements for _ in range(10)]
    several += whole.statements[:1] if strong else ()
    system = PanelSystem(LAYOUT, Freedom.FULL, PanelPrior())
    twisted, at = TwistEquations.of(LAYOUT, several, Part.WHOLE), whole.estimate.correction
    normal = system.normal(at, [StoredEquations(LAYOUT, twisted).at(at)])
    found = influences(LAYOUT, normal, at, twisted, whole.estimate.sigma)
    everyone = np.linalg.solve(normal.matrix, normal.vector)
    for place, influence in enumerate(found):
        assert influence is not None
        one = StoredEquations(LAYOUT, twisted[[place]]).at(at)
        taken = system.normal(at, [one]).information
        pull = np.einsum("paf,pa->pf", normal.spread, one.vector.reshape(-1, 6)).ravel()
        without = np.linalg.solve(normal.matrix - taken, normal.vector - pull)
        moved = np.abs(without - everyone) / whole.estimate.sigma.ravel()
        assert influence.rms_sigma == pytest.approx(rms(moved), rel=1e-5)
        assert influence.largest_sigma == pytest.approx(moved.max(), rel=1e-5)
        assert influence.panel == moved.argmax() // 6


def weaker(statement: Statement, share: float, rng: np.random.Generator) -> Statement:
    """What a dataset with this share of the reflections might say."""
    equations = statement.whole
    noise = np.sqrt(share * np.diagonal(equations.own, axis1=1, axis2=2)).ravel()
    vector = share * equations.vector + noise * rng.normal(size=len(noise))
    return replace(
        statement,
        whole=Equations(share * equations.own, np.sqrt(share) * equations.coupling, vector),
    )


# The linear range.


def test_a_summary_made_at_the_solution_is_within_its_linear_range() -> None:
    for use in together(*joint(NEAR, FAR, NEW).statements).report.datasets:
        assert use.linearisation_error_sigma is not None
        assert use.linearisation_error_sigma < 0.01


def test_a_summary_beyond_its_linear_range_says_so() -> None:
    """Made where out-of-plane values were held at 0, they are tens of sigmas off."""
    flat = [joint(one, freedom=Freedom.IN_PLANE).statements[0] for one in (NEAR, FAR)]
    for use in together(*flat).report.datasets:
        assert use.linearisation_error_sigma is not None
        assert use.linearisation_error_sigma > LINEAR_WITHIN_SIGMA


def test_a_summary_names_the_rejection_that_it_rests_on() -> None:
    """The same rejection gives the same hash; another one another."""
    one = joint(NEAR).statements[0]
    other = joint(NEAR, freedom=Freedom.IN_PLANE).statements[0]
    assert one.kept != other.kept
    again = solution([dataset(*NEAR)], LAYOUT, options(Freedom.FULL)).statements[0]
    assert again.kept == one.kept
    assert int(one.used_on_panel.sum()) == one.use.n_reflections


def test_the_hash_of_a_rejection_follows_from_the_positions_alone() -> None:
    """SHA-256 of the sorted SplitMix64 hashes of x, y and phi, the same in every version."""
    fit = started(simulation("PILATUS 1M", n_reflections=10)[2].dataset, LAYOUT, options())
    keep = np.arange(len(fit.seen)) % 3 > 0
    hashes = []
    for position in fit.seen.observed[:, keep].T.tolist():
        mixed = 0
        for value, odd in zip(position, SPLIT_MIX, strict=True):
            mixed ^= int.from_bytes(struct.pack("<d", value), "little")
            mixed = mixed * odd % 2**64
            mixed ^= mixed >> 31
        hashes.append(mixed)
    expected = hashlib.sha256(struct.pack(f"<{len(hashes)}Q", *sorted(hashes))).hexdigest()
    assert _kept(replace(fit, keep=keep)) == expected


def test_a_dataset_without_its_chi_square_is_refused_and_not_left_out() -> None:
    whole = joint(NEAR)
    (statement,), at = whole.statements, whole.estimate
    twisted = TwistEquations.of(LAYOUT, [statement], Part.WHOLE)
    system = PanelSystem(LAYOUT, Freedom.FULL, PanelPrior())
    equations = StoredEquations(LAYOUT, twisted)
    normal = system.normal(at.correction, [equations.at(at.correction)])
    solved = SolvedPanels(system, equations, (statement,), at, normal, None, 1.0)
    chi_square = np.array([statement.chi_square])
    assert len(_uses(solved, chi_square)) == 1
    with pytest.raises(ValueError, match="zip"):
        _uses(solved, chi_square[:0])
