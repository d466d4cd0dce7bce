"""What a solution is worth: held-out residuals, independent halves, datasets left out.

All of it comes from normal equations that were accumulated in the same pass as the solution, by
folds: a solution without some folds is one further step from the converged point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise

import numpy as np

from calib.model.base.arrays import Floats
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
from calib.solve.algebra.residual_histogram import Tally
from calib.solve.dataset.panel_equations import Share
from calib.solve.joint.dataset_validation import (
    PART_FOLDS,
    Account,
    examined,
    in_shells,
    left_out,
    share_of,
)
from calib.solve.joint.refinement import Progress, Refined, together
from calib.solve.joint.summary import fits_of, statement_of, summarised
from calib.solve.panels.distances import disagreements, distance_groups
from calib.solve.panels.halves import halves_of
from calib.solve.panels.system import PanelStep, PanelSystem

_SHELLS = 8
_FEWEST_IN_SHELL = 100


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What each dataset says at the solution, and how well it fits."""

    accounts: tuple[Account, ...]
    uses: tuple[DatasetUse, ...]
    statements: tuple[Statement, ...]
    """What each leaves behind."""
    shares: tuple[tuple[float, Share], ...]
    """What the datasets of each distance in mm say together, ascending."""
    used: Tally
    held: Tally
    d_held_angstrom: Floats
    """Of all held-out reflections."""


def measured(refined: Refined, system: PanelSystem, progress: Progress) -> Measured:
    """One dataset after the other, on reflections that a solution did not see as well."""
    working = step_of_part(refined, system, Part.WORKING)
    accounts: list[Account] = []
    resolution: list[Floats] = []
    fits: list[tuple[Fit, tuple[Fit, ...]]] = []
    used: Tally | None = None
    held: Tally | None = None
    for account, tested in refined.executor.stream(examined, refined.correction, working):
        accounts.append(account)
        resolution.append(tested.d_held_angstrom)
        used = tested.used if used is None else used.plus(tested.used)
        held = tested.held if held is None else held.plus(tested.held)
        fits.append(fits_of(tested.used, tested.held))
        progress("testing", 0, float("nan"), len(accounts))
    assert used is not None  # noqa: S101 - a derivation has a dataset
    assert held is not None  # noqa: S101 - the same
    shares = _by_distance(refined, [account.use.distance_mm for account in accounts])
    told = refined.executor.map(summarised, refined.correction)
    statements = tuple(
        statement_of(refined.correction, account, *own_fits, own)
        for account, own_fits, own in zip(accounts, fits, told, strict=True)
    )
    uses = _uses(refined, system, accounts, [share for _, share in shares], progress)
    every = np.concatenate(resolution)
    return Measured(tuple(accounts), uses, statements, tuple(shares), used, held, every)


def assessed(refined: Refined, system: PanelSystem, found: Measured) -> Report:
    """Everything that a derivation measures of itself."""
    accounts = found.accounts
    n_wild, n_held = (sum(getattr(a, name) for a in accounts) for name in ("n_wild", "n_held"))
    overall, panels = fits_of(found.used, found.held)
    return Report(
        overall=overall,
        panels=panels,
        shells=_shells(refined, found.d_held_angstrom),
        halves=_halves(refined, system, accounts),
        convergence=convergence_of(refined, accounts),
        datasets=found.uses,
        held_out_dropped=n_wild / max(n_held, 1),
        gauge=refined.last.gauge.shape[1],
        null_directions=tuple(
            f"{account.use.name}: {word}"
            for account in accounts
            for word in account.null_directions
        ),
        disagreements=_disagreements(refined, system, found.shares),
        misfits=refined.misfits,
        rejected_on_panel=tuple(np.sum([a.rejected_on_panel for a in accounts], axis=0).tolist()),
        flagged_on_panel=tuple(np.sum([a.flagged_on_panel for a in accounts], axis=0).tolist()),
    )


def step_of_part(refined: Refined, system: PanelSystem, part: Part) -> PanelStep:
    """The step from the solution to the one from a part of the reflections of all datasets."""
    said = together(refined.executor.stream(share_of, refined.correction, PART_FOLDS[part]))
    return system.step(refined.correction, [said], part)


def _by_distance(refined: Refined, distances_mm: Sequence[float]) -> list[tuple[float, Share]]:
    """What the datasets of each distance say together, ascending."""
    bounds, group = distance_groups(distances_mm)
    shares: dict[int, Share] = {}
    folds = PART_FOLDS[Part.WHOLE]
    for mine, share in zip(
        group, refined.executor.stream(share_of, refined.correction, folds), strict=True
    ):
        shares[mine] = shares[mine].plus(share) if mine in shares else share
    return [(bounds[mine], shares[mine]) for mine in sorted(shares)]


def _shells(refined: Refined, d_angstrom: Floats) -> tuple[Shell, ...]:
    """Equally filled resolution shells of held-out reflections, coarse to fine."""
    count = min(_SHELLS, len(d_angstrom) // _FEWEST_IN_SHELL)
    if count < 2:
        return ()
    edges = np.quantile(d_angstrom, np.linspace(1.0, 0.0, count + 1))
    tally = reduce(Tally.plus, refined.executor.stream(in_shells, edges))
    found = [(high, low, tally.group(k)) for k, (high, low) in enumerate(pairwise(edges))]
    return tuple(Shell(float(high), float(low), both) for high, low, both in found if both)


def convergence_of(refined: Refined, accounts: Sequence[Account]) -> Convergence:
    """How the refinement ended."""
    n_data = sum(3.0 * account.n_trusted for account in accounts)
    n_nuisance = sum(account.n_parameters for account in accounts)
    return Convergence(
        converged=refined.converged,
        iterations=refined.iterations,
        last_shift_sigma=refined.longest_shift,
        chi_square=sum(account.chi_square for account in accounts),
        degrees_of_freedom=round(n_data - n_nuisance - refined.last.n_determined),
    )


def _halves(refined: Refined, system: PanelSystem, accounts: Sequence[Account]) -> Halves | None:
    """Two solutions from the odd and the even blocks."""
    counts = np.sum([account.used_in_halves for account in accounts], axis=0)
    a, b = (step_of_part(refined, system, part) for part in (Part.HALF_A, Part.HALF_B))
    return halves_of(a, b, counts, refined.last.gauge, system)


def _uses(
    refined: Refined,
    system: PanelSystem,
    accounts: Sequence[Account],
    shares: Sequence[Share],
    progress: Progress,
) -> tuple[DatasetUse, ...]:
    """Each dataset's use; where there are several, with what the others alone make of it."""
    uses = [account.use for account in accounts]
    if len(uses) == 1 and not system.known:
        return tuple(uses)
    known = system.known_at(refined.correction, Part.WHOLE)
    everything = reduce(Share.plus, [*shares, *known])
    out = []
    found = refined.executor.stream(left_out, refined.correction, system, everything)
    for use, rmsd in zip(uses, found, strict=True):
        out.append(replace(use, left_out=rmsd))
        progress("leaving out", 0, float("nan"), len(out))
    return tuple(out)


def _disagreements(
    refined: Refined, system: PanelSystem, shares: Sequence[tuple[float, Share]]
) -> tuple[Disagreement, ...]:
    """Single-distance solutions compared."""
    groups = [(distance, [share]) for distance, share in shares]
    return disagreements(system, refined.correction, groups)
