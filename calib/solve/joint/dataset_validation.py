"""Validation of a solution by one dataset: operations for an executor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import N_PARAMETERS, Correction
from calib.model.result.comparison import Compared
from calib.model.result.panel_sums import PanelSums
from calib.model.result.report import METHOD, BeforeAfter, DatasetUse
from calib.model.result.summary import Part
from calib.solve.algebra.paired_differences import PairedDifferences
from calib.solve.algebra.residual_histogram import ResidualHistogram
from calib.solve.algebra.rigid_motion import tangents_from_parameters
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.observations import EARLY, LATE, WITHOUT_HELD_OUT
from calib.solve.dataset.outliers import MOST_REJECTED_ON_PANEL, POPULATED
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.dataset.residuals import Residuals, held_out_residuals
from calib.solve.joint.dataset_state import DatasetState
from calib.solve.joint.panel_sums import panel_sums
from calib.solve.panels.comparisons import IN_PLANE, CommonSolution, Contrast
from calib.solve.panels.repeatability import DEFAULT_REPEAT_MM, HALVES, repeatability
from calib.solve.panels.system import PanelStep, PanelSystem

PART_FOLDS: Mapping[Part, tuple[int, ...]] = {
    Part.WHOLE: EARLY + LATE,
    Part.WORKING: WITHOUT_HELD_OUT,
    Part.HALF_A: (0, 1, 4, 5),
    Part.HALF_B: (2, 3, 6, 7),
}
"""Folds (4 * late + 2 * half + held out) of each part of the reflections."""
_ITERATIONS = 6


@dataclass(frozen=True, slots=True, eq=False)
class DatasetDiagnostics:
    """Fit of one dataset at the solution, with its counts of reflections and parameters."""

    use: DatasetUse
    """Entry in the report, without cross-validation."""
    n_trusted: float
    n_parameters: int
    chi_square: float
    null_directions: tuple[str, ...]
    used_on_panel: Ints
    """(n,) used reflections of each panel."""
    rejected_on_panel: Ints
    """(n,) rejected reflections."""
    flagged_on_panel: Ints
    """(n,) reflections flagged in the files."""
    used_in_halves: Ints
    """(2, n) used reflections of each half."""
    n_wild: int
    """Held-out reflections excluded as outliers."""
    n_held: int
    """Held-out reflections."""
    sums: PanelSums
    """Sums over cells of the panels and blocks of time."""


@dataclass(frozen=True, slots=True, eq=False)
class DatasetResiduals:
    """Residuals of one dataset that are pooled with those of others."""

    used: ResidualHistogram
    """Used reflections, by panel."""
    held: ResidualHistogram
    """Held-out reflections, by panel."""
    d_held_angstrom: Floats
    """Resolution of each held-out reflection."""


def equations_of_folds(
    state: DatasetState, correction: Correction, folds: tuple[int, ...]
) -> tuple[DatasetState, PanelEquations]:
    """Panel equations of some folds of the dataset at the solution."""
    assert state.blocks is not None  # noqa: S101 - linearised at the solution
    complement = state.fit.eliminate(state.blocks.of_folds(folds), correction)
    return state, complement.panel_equations()


def contrast_of_halves(
    state: DatasetState, correction: Correction, system: PanelSystem
) -> tuple[DatasetState, Contrast | None]:
    """The first halves of the dataset's scans against the last ones; None without such scans.

    Each half has its own pose, beam, crystals and shift of spots, with priors of the same widths.
    ``system`` has all six parameters of the panels free.
    """
    fit, blocks = state.fit, state.blocks
    assert blocks is not None  # noqa: S101 - linearised at the solution
    if not (fit.seen.fold[fit.keep] >= LATE[0]).any():
        return state, None
    early, late = (
        fit.eliminate(blocks.of_folds(folds), correction).panel_equations()
        for folds in (EARLY, LATE)
    )
    common = CommonSolution(system, correction, [early, late])
    repeat = HALVES * repeatability(system.layout, DEFAULT_REPEAT_MM, IN_PLANE)
    return state, common.contrast(early, Compared.HALVES, (0,), repeat)


def validate_dataset(
    state: DatasetState, correction: Correction, working: PanelStep
) -> tuple[DatasetState, tuple[DatasetDiagnostics, DatasetResiduals]]:
    """Fit of the dataset, and its residuals on used and held-out reflections.

    Held-out reflections are predicted from a solution that did not use them: ``working`` is the
    step of the panels from the solution to the one without them; pose and crystals take the
    corresponding step.
    """
    fit, blocks = state.fit, state.blocks
    assert blocks is not None  # noqa: S101 - linearised at the solution
    n = len(fit.layout)
    none, still = Correction.none(n), np.zeros(N_PARAMETERS * n)
    whole = fit.eliminate(blocks, correction)
    start = fit.moved(whole.nuisance_step(_tangent(correction, none)))
    rigid, rigid_blocks = start.iterated(none, _ITERATIONS)
    folds = PART_FOLDS[Part.WORKING]
    blind = rigid.eliminate(rigid_blocks.of_folds(folds), none, panels=False).nuisance_step(still)
    del rigid_blocks
    after = fit.residuals(correction)
    sums = panel_sums(fit, correction, after)
    used = _used(fit, rigid.residuals(none), after)
    del after
    use, used_histogram = _use(fit, used), used.histogram(used.panel, n)
    del used
    seen = fit.eliminate(blocks.of_folds(folds), correction)
    tried = fit.moved(seen.nuisance_step(working.tangent))
    # Both hold the same reflections; only held-out ones are needed from here on.
    tested = fit.seen.held_out & fit.admitted
    rigid_held, held_fit = (one.where(tested) for one in (rigid.moved(blind), tried))
    held, n_wild = held_out_residuals(
        held_fit, rigid_held.residuals(none), held_fit.residuals(working.correction)
    )
    halves = np.zeros((2, n), dtype=np.int64)
    np.add.at(halves, (fit.seen.fold[fit.keep] // 2 % 2, fit.seen.panel[fit.keep]), 1)
    diagnostics = DatasetDiagnostics(
        use=use,
        n_trusted=fit.n_trusted,
        n_parameters=fit.n_parameters,
        chi_square=blocks.chi_square,
        null_directions=whole.null_directions,
        used_on_panel=halves.sum(axis=0),
        rejected_on_panel=np.bincount(fit.seen.panel[fit.admitted & ~fit.keep], minlength=n),
        flagged_on_panel=fit.seen.flagged_on_panel
        + np.bincount(fit.seen.panel[~fit.admitted], minlength=n),
        used_in_halves=halves,
        n_wild=n_wild,
        n_held=len(held_fit.seen),
        sums=sums,
    )
    pooled = DatasetResiduals(used_histogram, held.histogram(held.panel, n), held.d_angstrom)
    return replace(state, rigid=rigid, held=held), (diagnostics, pooled)


def in_shells(
    state: DatasetState, edges: Floats
) -> tuple[DatasetState, tuple[ResidualHistogram, PairedDifferences]]:
    """Held-out residuals by resolution, and the differences of their squares.

    Shell k holds edges[k] >= d > edges[k + 1]; the last shell includes its lower edge.
    """
    held = state.held
    assert held is not None  # noqa: S101 - validated before
    shell = np.searchsorted(-edges, -held.d_angstrom, side="right") - 1
    shell = np.clip(shell, 0, len(edges) - 2)
    n_shells = len(edges) - 1
    found = held.histogram(shell, n_shells), held.differences(shell, n_shells)
    return replace(state, held=None), found


def cross_validate(
    state: DatasetState, correction: Correction, system: PanelSystem, everything: PanelEquations
) -> tuple[DatasetState, BeforeAfter | None]:
    """Residuals of the dataset with corrections from all other datasets.

    ``everything`` are the summed panel equations of all datasets.
    """
    fit, blocks = state.fit, state.blocks
    assert blocks is not None  # noqa: S101 - linearised at the solution
    none = Correction.none(len(fit.layout))
    whole = fit.eliminate(blocks, correction)
    others = system.step_of(correction, [everything.minus(whole.panel_equations())])
    start = fit.moved(whole.nuisance_step(others.tangent))
    alone, _ = start.iterated(others.correction, _ITERATIONS)
    before, after = state.rigid.residuals(none), alone.residuals(others.correction)
    used = _used(fit, before, after)
    both = used.compared()
    if both is not None:
        at_once = np.zeros(len(used.panel), dtype=np.int64)
        x, y = used.differences(at_once, 1).chances()[0].tolist()
        both = replace(both, chance=(x, y))
    return state, both


def _tangent(start: Correction, end: Correction) -> Floats:
    """(6 n,) the motion of the panels from one correction to another, to first order."""
    to_tangent = tangents_from_parameters(start)
    return np.asarray(np.einsum("pab,pb->pa", to_tangent, end.values - start.values).ravel())


def _used(fit: DatasetFit, before: Floats, after: Floats) -> Residuals:
    finite = np.isfinite(before).all(axis=0) & np.isfinite(after).all(axis=0)
    return Residuals(fit, before, after, np.asarray(fit.keep & finite))


def _use(fit: DatasetFit, used: Residuals) -> DatasetUse:
    rmsd = used.compared()
    assert rmsd is not None  # noqa: S101 - a dataset without reflections is refused
    beam = fit.dataset.experiments.beams[fit.dataset.experiments.experiments[0].beam]
    return DatasetUse(
        name=fit.dataset.name,
        sha256=tuple(sorted(fit.dataset.source.sha256)),
        n_reflections=int(fit.keep.sum()),
        n_rejected=int((fit.admitted & ~fit.keep).sum()),
        n_flagged=int(fit.seen.flagged_on_panel.sum() + (~fit.admitted).sum()),
        n_crystals=fit.n_crystals,
        distance_mm=fit.layout.distance_mm(fit.nuisance.pose()),
        wavelength_angstrom=beam.wavelength_angstrom,
        rmsd=rmsd,
        left_out=None,
        crystal_interval_deg=fit.interval_deg,
        slips_deg=tuple(float(np.degrees(slip.phi_rad)) for slip in fit.slips),
        sample_root_mm=_place(fit.nuisance.pose().inverse().translation_mm),
        still=bool(fit.instrument.still[fit.seen.experiment].all()),
        n_readmitted=0 if fit.seen.flagged is None else int((fit.seen.flagged & fit.keep).sum()),
        n_outliers_kept=int((fit.keep & (fit.trust < 1.0)).sum()),
        limited_panels=_limited_panels(fit),
        disputed_panels=fit.disputed,
        method=METHOD,
        weight_scale=(float(fit.scale[0]), float(fit.scale[1]), float(fit.scale[2])),
    )


def _limited_panels(fit: DatasetFit) -> tuple[int, ...]:
    """Panels with at least twice as many outliers as may be rejected."""
    panel, admitted = fit.seen.panel, fit.admitted
    n = np.bincount(panel[admitted], minlength=len(fit.layout))
    outliers = np.bincount(panel[admitted & (fit.trust < 1.0)], minlength=len(fit.layout))
    found = (n >= POPULATED) & (outliers >= 2.0 * MOST_REJECTED_ON_PANEL * n)
    return tuple(index for index in np.flatnonzero(found).tolist() if index not in fit.disputed)


def _place(point_mm: Floats) -> tuple[float, float, float]:
    x, y, z = point_mm.tolist()
    return x, y, z
