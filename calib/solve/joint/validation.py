"""Validation of a solution: held-out residuals, half-datasets and cross-validation.

All of it uses normal equations that were accumulated by folds in the same pass as the solution: the
solution without some folds is one further step from the converged point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Freedom
from calib.model.result.report import (
    Convergence,
    DatasetUse,
    Disagreement,
    Fit,
    Halves,
    Report,
    Shell,
)
from calib.model.result.summary import Part, Statement
from calib.solve.algebra.residual_histogram import ResidualHistogram
from calib.solve.dataset.outliers import covariance_inflation
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.joint.dataset_validation import (
    PART_FOLDS,
    DatasetDiagnostics,
    contrast_of_halves,
    cross_validate,
    equations_of_folds,
    in_shells,
    validate_dataset,
)
from calib.solve.joint.refinement import Progress, Refinement, sum_equations
from calib.solve.joint.summary import fits_of, statement_of, summarise
from calib.solve.panels.comparisons import compared
from calib.solve.panels.dataset_comparisons import pixel_mm
from calib.solve.panels.distances import disagreements, distance_groups
from calib.solve.panels.halves import halves_of
from calib.solve.panels.system import PanelStep, PanelSystem

_SHELLS = 8
_FEWEST_IN_SHELL = 200


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Equations and residuals of all datasets at the solution."""

    diagnostics: tuple[DatasetDiagnostics, ...]
    uses: tuple[DatasetUse, ...]
    statements: tuple[Statement, ...]
    """The summary of each dataset."""
    by_distance: tuple[tuple[float, PanelEquations], ...]
    """Summed panel equations of the datasets at each distance in mm, ascending."""
    used: ResidualHistogram
    held: ResidualHistogram
    d_held_angstrom: Floats
    """Resolution of all held-out reflections."""


def validate(refined: Refinement, system: PanelSystem, progress: Progress) -> Validation:
    """Fit every dataset, with the solution and with that without held-out reflections."""
    working = step_of_part(refined, system, Part.WORKING)
    diagnostics: list[DatasetDiagnostics] = []
    resolution: list[Floats] = []
    fits: list[tuple[Fit, tuple[Fit, ...]]] = []
    used: ResidualHistogram | None = None
    held: ResidualHistogram | None = None
    for one, tested in refined.executor.imap(validate_dataset, refined.correction, working):
        diagnostics.append(one)
        resolution.append(tested.d_held_angstrom)
        used = tested.used if used is None else used.plus(tested.used)
        held = tested.held if held is None else held.plus(tested.held)
        fits.append(fits_of(tested.used, tested.held))
        progress("testing", 0, float("nan"), len(diagnostics))
    assert used is not None  # noqa: S101 - a derivation has a dataset
    assert held is not None  # noqa: S101 - the same
    diagnostics = _with_halves(refined, system, diagnostics)
    by_distance = _by_distance(refined, [one.use.distance_mm for one in diagnostics])
    parts = refined.executor.map(summarise, refined.correction)
    statements = tuple(
        statement_of(refined.correction, one, *own_fits, own)
        for one, own_fits, own in zip(diagnostics, fits, parts, strict=True)
    )
    uses = _uses(
        refined, system, diagnostics, [equations for _, equations in by_distance], progress
    )
    every = np.concatenate(resolution)
    return Validation(tuple(diagnostics), uses, statements, tuple(by_distance), used, held, every)


def validation_report(refined: Refinement, system: PanelSystem, found: Validation) -> Report:
    """Report of a derivation, without what depends on the covariance."""
    diagnostics = found.diagnostics
    n_wild, n_held = (sum(getattr(a, name) for a in diagnostics) for name in ("n_wild", "n_held"))
    overall, panels = fits_of(found.used, found.held)
    return Report(
        overall=overall,
        panels=panels,
        shells=_shells(refined, found.d_held_angstrom),
        halves=_halves(refined, system, diagnostics),
        convergence=convergence_of(refined, diagnostics),
        datasets=found.uses,
        held_out_dropped=n_wild / max(n_held, 1),
        gauge=refined.last.gauge.shape[1],
        null_directions=tuple(
            f"{one.use.name}: {word}" for one in diagnostics for word in one.null_directions
        ),
        disagreements=_disagreements(refined, system, found.by_distance),
        misfits=refined.misfits,
        rejected_on_panel=tuple(
            np.sum([a.rejected_on_panel for a in diagnostics], axis=0).tolist()
        ),
        flagged_on_panel=tuple(np.sum([a.flagged_on_panel for a in diagnostics], axis=0).tolist()),
    )


def with_stored(refined: Refinement, system: PanelSystem) -> PanelSystem:
    """The system with the widths of the prior learned from the stored datasets as well."""
    folds = PART_FOLDS[Part.WHOLE]
    total = sum_equations(refined.executor.imap(equations_of_folds, refined.correction, folds))
    stored = system.stored_at(refined.correction, Part.WHOLE)
    return system.learned(refined.correction, [total, *stored])


def step_of_part(refined: Refinement, system: PanelSystem, part: Part) -> PanelStep:
    """Step from the solution to that of a part of the reflections of all datasets."""
    total = sum_equations(
        refined.executor.imap(equations_of_folds, refined.correction, PART_FOLDS[part])
    )
    return system.step(refined.correction, [total], part)


def _by_distance(
    refined: Refinement, distances_mm: Sequence[float]
) -> list[tuple[float, PanelEquations]]:
    """Summed panel equations of the datasets at each distance in mm, ascending."""
    bounds, group = distance_groups(distances_mm)
    by_distance: dict[int, PanelEquations] = {}
    folds = PART_FOLDS[Part.WHOLE]
    for mine, equations in zip(
        group, refined.executor.imap(equations_of_folds, refined.correction, folds), strict=True
    ):
        by_distance[mine] = by_distance[mine].plus(equations) if mine in by_distance else equations
    return [(bounds[mine], by_distance[mine]) for mine in sorted(by_distance)]


def _shells(refined: Refinement, d_angstrom: Floats) -> tuple[Shell, ...]:
    """Equally populated resolution shells of held-out reflections, low to high resolution."""
    count = min(_SHELLS, len(d_angstrom) // _FEWEST_IN_SHELL)
    if count < 2:
        return ()
    edges = np.quantile(d_angstrom, np.linspace(1.0, 0.0, count + 1))
    histogram, differences = reduce(
        lambda one, other: (one[0].plus(other[0]), one[1].plus(other[1])),
        refined.executor.imap(in_shells, edges),
    )
    chances = [(x, y) for x, y in differences.chances().tolist()]
    found = [(pair, histogram.group(k)) for k, pair in enumerate(pairwise(edges.tolist()))]
    return tuple(
        Shell(high, low, replace(both, chance=chance))
        for ((high, low), both), chance in zip(found, chances, strict=True)
        if both
    )


def convergence_of(refined: Refinement, diagnostics: Sequence[DatasetDiagnostics]) -> Convergence:
    """Convergence of the refinement, with chi-square and degrees of freedom."""
    n_data = sum(3.0 * one.n_trusted for one in diagnostics)
    n_nuisance = sum(one.n_parameters for one in diagnostics)
    return Convergence(
        converged=refined.converged,
        iterations=refined.iterations,
        last_shift_sigma=refined.longest_shift,
        chi_square=sum(one.chi_square for one in diagnostics),
        degrees_of_freedom=round(n_data - n_nuisance - refined.last.n_determined),
    )


def _with_halves(
    refined: Refinement, system: PanelSystem, diagnostics: Sequence[DatasetDiagnostics]
) -> list[DatasetDiagnostics]:
    """The diagnostics with the halves of each dataset's scans compared."""
    achieved = convergence_of(refined, diagnostics).chi_square_per_degree
    free = PanelSystem(system.layout, Freedom.FULL, system.prior)
    found = refined.executor.map(contrast_of_halves, refined.correction, free)
    places = [place for place, one in enumerate(found) if one is not None]
    noise = achieved * covariance_inflation()
    contrasts = [one.with_noise(noise) for one in found if one is not None]
    out = list(diagnostics)
    for place, halves in zip(places, compared(contrasts, pixel_mm(system.layout)), strict=True):
        out[place] = replace(out[place], use=replace(out[place].use, halves=halves))
    return out


def _halves(
    refined: Refinement, system: PanelSystem, diagnostics: Sequence[DatasetDiagnostics]
) -> Halves | None:
    """Agreement of solutions from two halves of the data (``folds_of``)."""
    counts = np.sum([one.used_in_halves for one in diagnostics], axis=0)
    a, b = (step_of_part(refined, system, part) for part in (Part.HALF_A, Part.HALF_B))
    return halves_of(a, b, counts, refined.last.gauge, system)


def _uses(
    refined: Refinement,
    system: PanelSystem,
    diagnostics: Sequence[DatasetDiagnostics],
    by_distance: Sequence[PanelEquations],
    progress: Progress,
) -> tuple[DatasetUse, ...]:
    """Entry of each dataset in the report, with its cross-validation if there are several."""
    uses = [one.use for one in diagnostics]
    if len(uses) == 1 and not system.stored:
        return tuple(uses)
    known = system.stored_at(refined.correction, Part.WHOLE)
    everything = reduce(PanelEquations.plus, [*by_distance, *known])
    out = []
    found = refined.executor.imap(cross_validate, refined.correction, system, everything)
    for use, rmsd in zip(uses, found, strict=True):
        out.append(replace(use, left_out=rmsd))
        progress("leaving out", 0, float("nan"), len(out))
    return tuple(out)


def _disagreements(
    refined: Refinement, system: PanelSystem, by_distance: Sequence[tuple[float, PanelEquations]]
) -> tuple[Disagreement, ...]:
    """Comparison of the solutions from single distances."""
    groups = [(distance, [equations]) for distance, equations in by_distance]
    return disagreements(system, refined.correction, groups)
