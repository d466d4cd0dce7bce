"""Panel corrections from stored summaries: a linear solution that reads no reflections.

The residuals of a dataset were measured at its linearisation point. At the joint solution its
chi-square follows from the stored quadratic form, and the residuals after correction are scaled by
the square root of the ratio of the two chi-squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from calib.errors import SolveError
from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.layout import Layout
from calib.model.result.report import Convergence, DatasetUse, Halves, Report
from calib.model.result.summary import Part, Statement
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.joint.pooled_residuals import pooled_fits, pooled_shells, stretched_after
from calib.solve.panels.distances import disagreements, distance_groups
from calib.solve.panels.halves import halves_of
from calib.solve.panels.linearisation import linearisation_errors
from calib.solve.panels.solution import Solution
from calib.solve.panels.solved_panels import SolvedPanels
from calib.solve.panels.stored_equations import StoredEquations
from calib.solve.panels.system import PanelStep, PanelSystem
from calib.solve.prior import PanelPrior

_MOST_STEPS = 8
_SETTLED_SIGMA = 1e-3
"""The remaining change comes from rotating the panels' axes and is of second order."""


def solve_summaries(
    statements: Sequence[Statement],
    layout: Layout,
    freedom: Freedom,
    prior: PanelPrior,
    *,
    refined: Convergence | None = None,
    occasions: Sequence[int] | None = None,
) -> Solution:
    """Panel corrections from the stored normal equations of datasets and the prior.

    Solves (sum of N_i + P) x = sum of v_i, with N_i and v_i the equations of each dataset moved
    from its linearisation point to the solution (``calib.solve.panels.stored_equations``), P the
    prior's inverse covariance, and the gauge fixed by convention (``calib.solve.panels.system``).

    Parameters
    ----------
    statements
        The m summaries: normal equations with crystals and poses eliminated, and residuals.
    layout
        Nominal geometry of the n panels.
    freedom
        Which panel parameters are free; the others are fixed at nominal.
    prior
        Assembly tolerances.
    refined
        How the refinement of newly read datasets ended; None if all summaries were stored before.
    occasions
        Number of the occasion on which each dataset was taken; None if times are unknown.

    Returns
    -------
    Solution
        Corrections in mm and rad with their covariance, the report over all datasets, the
        acceptance with its reasons, and the statements.

    Raises
    ------
    SolveError
        If the summaries and the prior do not determine the corrections, or the solution is too far
        from the linearisation points.
    """
    system = PanelSystem(layout, freedom, prior, statements)
    correction = _within(statements[-1].point, freedom)
    before = None
    for _ in range(_MOST_STEPS):
        stored = system.stored_at(correction, Part.WHOLE)
        system = system.learned(correction, stored)
        step = system.step_of(correction, stored)
        correction = step.correction
        # Steps shrink by about the same factor, which bounds the remaining distance.
        left = step.shift_sigma * (1.0 if before is None else min(step.shift_sigma / before, 1.0))
        if left < _SETTLED_SIGMA:
            break
        before = step.shift_sigma
    else:
        raise SolveError(
            "not-converged",
            "combining the summaries does not converge: the solution is too far from their "
            "linearisation points.",
            remedy="derive the calibration from the files.",
        )
    twist_equations = system.stored_part(Part.WHOLE).twist_equations
    now = (
        np.array([one.chi_square for one in statements]) + twist_equations.at(layout, correction)[1]
    )
    n_free = sum(one.n_data - one.n_nuisance for one in statements) - step.n_determined
    convergence = Convergence(
        converged=refined is None or refined.converged,
        iterations=0 if refined is None else refined.iterations,
        last_shift_sigma=left if refined is None else refined.last_shift_sigma,
        chi_square=float(now.sum()),
        degrees_of_freedom=round(n_free),
    )
    used = np.sum([one.used_on_panel for one in statements], axis=0)
    solved = SolvedPanels.of(
        system,
        correction,
        system.stored_part(Part.WHOLE),
        statements,
        used.sum(axis=0),
        convergence.chi_square_per_degree,
    )
    report = _report(statements, system, step, convergence, _uses(solved, now), now)
    report = replace(report, halves=_halves(system, correction, step, used))
    return solved.solution(report, step, occasions)


def _within(correction: Correction, freedom: Freedom) -> Correction:
    """The correction with its fixed parameters at nominal."""
    values = np.zeros_like(correction.values)
    values[:, freedom.free] = correction.values[:, freedom.free]
    return Correction(values)


def _uses(solved: SolvedPanels, now: Floats) -> tuple[DatasetUse, ...]:
    """The entry of each dataset in the report, with its influence and its linearisation error."""
    statements = solved.statements
    errors = linearisation_errors(
        solved.system.layout, statements, solved.equations.twist_equations, solved.estimate
    )
    moved = solved.influences()
    uses = []
    for one, chi_square, influence, error in zip(statements, now, moved, errors, strict=True):
        rmsd = stretched_after(one.use.rmsd, _factor(one, chi_square))
        uses.append(
            replace(one.use, rmsd=rmsd, influence=influence, linearisation_error_sigma=error)
        )
    return tuple(uses)


def _factor(statement: Statement, chi_square: float) -> float:
    """Factor by which residuals changed since the linearisation point."""
    return float(np.sqrt(max(chi_square, 0.0) / max(statement.chi_square, 1e-300)))


def _report(
    statements: Sequence[Statement],
    system: PanelSystem,
    step: PanelStep,
    convergence: Convergence,
    uses: tuple[DatasetUse, ...],
    now: Floats,
) -> Report:
    factors = np.array(
        [_factor(one, chi_square) for one, chi_square in zip(statements, now, strict=True)]
    )
    pooled = pooled_fits([one.fits for one in statements], factors)
    wild, tested = np.sum([one.n_held_out for one in statements], axis=0).tolist()
    return Report(
        overall=pooled[0],
        panels=tuple(pooled[place] for place in range(1, len(pooled))),
        shells=pooled_shells([one.shells for one in statements], factors),
        halves=None,
        convergence=convergence,
        datasets=uses,
        held_out_dropped=wild / max(tested, 1),
        gauge=step.gauge.shape[1],
        null_directions=tuple(
            f"{one.use.name}: {word}" for one in statements for word in one.null_directions
        ),
        disagreements=disagreements(
            system, step.correction, _by_distance(statements, system, step)
        ),
        rejected_on_panel=_summed([one.rejected_on_panel for one in statements]),
        flagged_on_panel=_summed([one.flagged_on_panel for one in statements]),
    )


def _by_distance(
    statements: Sequence[Statement], system: PanelSystem, step: PanelStep
) -> list[tuple[float, list[PanelEquations]]]:
    """Sums of the panel equations of the datasets at each distance in mm."""
    bounds, group = distance_groups([one.use.distance_mm for one in statements])
    twist_equations = system.stored_part(Part.WHOLE).twist_equations
    found = []
    for number, distance in enumerate(bounds):
        mine = twist_equations[np.flatnonzero(np.equal(group, number)).tolist()]
        found.append((distance, [StoredEquations(system.layout, mine).at(step.correction)]))
    return found


def _halves(
    system: PanelSystem, correction: Correction, step: PanelStep, used: Ints
) -> Halves | None:
    a, b = (system.step(correction, [], part) for part in (Part.HALF_A, Part.HALF_B))
    return halves_of(a, b, used, step.gauge, system)


def _summed(counts: Sequence[Ints]) -> tuple[int, ...]:
    return tuple(np.sum(counts, axis=0).tolist())
