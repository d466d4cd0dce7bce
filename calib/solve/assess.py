"""What a solution is worth: held-out residuals, independent halves, datasets left out.

All of it comes from normal equations that were accumulated in the same pass as the solution, by
folds: a solution without some folds is one further step from the converged point.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.arrays import Bools, Floats, Ints
from calib.model.correction import Correction
from calib.model.report import Convergence, DatasetUse, Disagreement, Halves, Report
from calib.solve.consistency import disagreements
from calib.solve.eliminate import Reduced
from calib.solve.fit import DatasetFit
from calib.solve.normal import Blocks
from calib.solve.panels import PanelStep, PanelSystem
from calib.solve.refine import Refined
from calib.solve.spread import Residuals, fit_of, held_out_residuals

_WITHOUT_HELD_OUT = (0, 2)
_HALF_A, _HALF_B = (0, 1), (2, 3)
_FEWEST_FOR_HALVES = 100
_ITERATIONS = 6
SAME_DISTANCE = 0.01
"""Distances that differ by less than this share count as one."""


def assessed(refined: Refined, system: PanelSystem) -> Report:
    """Everything that a derivation measures of itself."""
    none = Correction.none(len(system.layout))
    rigid, rigid_blocks = _rigid_again(refined, none)
    used, held, wild, tested = [], [], 0, 0
    reduced = [
        fit.reduced(blocks.of_folds(_WITHOUT_HELD_OUT), refined.correction)
        for fit, blocks in zip(refined.fits, refined.blocks, strict=True)
    ]
    working = system.step(refined.correction, reduced)
    for fit, before, blocks, seen in zip(refined.fits, rigid, rigid_blocks, reduced, strict=True):
        residuals = fit.residuals(refined.correction)
        used.append(Residuals(fit, before.residuals(none), residuals, fit.keep))
        blind = before.moved(
            before.reduced(blocks.of_folds(_WITHOUT_HELD_OUT), none).nuisance_step(
                np.zeros(6 * len(system.layout))
            )
        )
        tried = fit.moved(seen.nuisance_step(working.tangent))
        found, lost, of = held_out_residuals(
            fit, blind.residuals(none), tried.residuals(working.correction)
        )
        held.append(found)
        wild, tested = wild + lost, tested + of
    whole = [
        fit.reduced(blocks, refined.correction)
        for fit, blocks in zip(refined.fits, refined.blocks, strict=True)
    ]
    all_used, all_held = Residuals.joined(used), Residuals.joined(held)
    return Report(
        overall=fit_of(all_used, all_held),
        panels=tuple(fit_of(all_used, all_held, p) for p in range(len(system.layout))),
        shells=all_held.shells(),
        halves=_halves(refined, system),
        convergence=_convergence(refined),
        datasets=_datasets(refined, system, rigid, used, whole),
        held_out_dropped=wild / max(tested, 1),
        gauge=refined.last.gauge.shape[1],
        null_directions=_null_directions(refined, whole),
        disagreements=_disagreements(refined, system, whole),
        rejected_on_panel=_rejected_on_panel(refined, len(system.layout)),
        flagged_on_panel=tuple(
            np.sum([fit.seen.flagged_on_panel for fit in refined.fits], axis=0).tolist()
        ),
    )


def panel_counts(fits: Sequence[DatasetFit], n_panels: int) -> Ints:
    """(n,) the reflections used on each panel."""
    counts = [np.bincount(fit.seen.panel[fit.keep], minlength=n_panels) for fit in fits]
    return np.asarray(np.sum(counts, axis=0))


def _rejected_on_panel(refined: Refined, n_panels: int) -> tuple[int, ...]:
    counts = [np.bincount(f.seen.panel[~f.keep], minlength=n_panels) for f in refined.fits]
    return tuple(np.sum(counts, axis=0).tolist())


def _rigid_again(refined: Refined, none: Correction) -> tuple[list[DatasetFit], list[Blocks]]:
    """Each dataset with the panels as drawn, refined on the reflections that were used."""
    pairs = [fit.refined_at(none, robust=False, iterations=_ITERATIONS) for fit in refined.rigid]
    return [fit for fit, _ in pairs], [blocks for _, blocks in pairs]


def _convergence(refined: Refined) -> Convergence:
    chi_square = sum(blocks.chi_square for blocks in refined.blocks)
    n_data = sum(3.0 * fit.n_trusted for fit in refined.fits)
    n_nuisance = sum(fit.n_parameters for fit in refined.fits)
    return Convergence(
        converged=refined.converged,
        iterations=refined.iterations,
        last_shift_sigma=refined.longest_shift,
        chi_square=chi_square,
        degrees_of_freedom=round(n_data - n_nuisance - refined.last.n_determined),
    )


def _halves(refined: Refined, system: PanelSystem) -> Halves | None:
    """Two solutions from the odd and the even blocks, compared after rigid alignment."""
    enough = _populated(refined, len(system.layout))
    if enough.sum() < 2:
        return None
    a, b = (
        system.step(
            refined.correction,
            [
                fit.reduced(blocks.of_folds(folds), refined.correction)
                for fit, blocks in zip(refined.fits, refined.blocks, strict=True)
            ],
        )
        for folds in (_HALF_A, _HALF_B)
    )
    free = list(system.freedom.free)
    difference = (a.correction.values - b.correction.values)[enough][:, free]
    variance = _variance(a, len(free))[enough] + _variance(b, len(free))[enough]
    gauge = refined.last.gauge.reshape(len(enough), len(free), -1)[enough]
    difference = aligned(difference, gauge, variance)
    um = 1e3 * difference
    normal = um[:, free.index(2)] if 2 in free else None
    spare = difference.size - gauge.shape[2]
    return Halves(
        n_panels=int(enough.sum()),
        rms_in_plane_um=float(np.sqrt(np.mean(um[:, :2] ** 2))),
        rms_normal_um=None if normal is None else float(np.sqrt(np.mean(normal**2))),
        chi_square_per_degree=float((difference**2 / variance).sum() / max(spare, 1)),
    )


def _populated(refined: Refined, n_panels: int) -> Bools:
    """(n,) the panels with 100 reflections or more in each half."""
    counts = np.zeros((2, n_panels), dtype=np.int64)
    for fit in refined.fits:
        np.add.at(counts, (fit.seen.fold[fit.keep] // 2, fit.seen.panel[fit.keep]), 1)
    return np.asarray((counts >= _FEWEST_FOR_HALVES).all(axis=0))


def aligned(difference: Floats, gauge: Floats, variance: Floats) -> Floats:
    """Differences (m, f) of corrections less the rigid motion (m, f, k) that explains most."""
    weight = 1.0 / np.sqrt(variance).ravel()
    motions = gauge.reshape(difference.size, -1)
    amount, *_ = np.linalg.lstsq(motions * weight[:, None], difference.ravel() * weight, rcond=None)
    return np.asarray(difference - (motions @ amount).reshape(difference.shape))


def _variance(step: PanelStep, n_free: int) -> Floats:
    return np.asarray(np.diag(step.covariance).reshape(-1, n_free))


def _datasets(
    refined: Refined,
    system: PanelSystem,
    rigid: list[DatasetFit],
    used: list[Residuals],
    reduced: list[Reduced],
) -> tuple[DatasetUse, ...]:
    out = []
    for index, fit in enumerate(refined.fits):
        left_out = None
        if len(reduced) > 1:
            others = system.step(refined.correction, reduced[:index] + reduced[index + 1 :])
            alone, _ = fit.refined_at(others.correction, robust=False, iterations=_ITERATIONS)
            none = Correction.none(len(system.layout))
            left_out = Residuals(
                fit, rigid[index].residuals(none), alone.residuals(others.correction), fit.keep
            ).compared()
        rmsd = used[index].compared()
        assert rmsd is not None  # noqa: S101 - a dataset without reflections is refused
        beam = fit.dataset.experiments.beams[fit.dataset.experiments.experiments[0].beam]
        out.append(
            DatasetUse(
                name=fit.dataset.name,
                sha256=tuple(sorted(fit.dataset.source.sha256)),
                n_reflections=int(fit.keep.sum()),
                n_rejected=int((~fit.keep).sum()),
                n_flagged=int(fit.seen.flagged_on_panel.sum()),
                n_crystals=len(fit.instrument.strains),
                distance_mm=fit.layout.distance_mm(fit.state.pose()),
                wavelength_angstrom=beam.wavelength_angstrom,
                rmsd=rmsd,
                left_out=left_out,
                crystal_interval_deg=fit.interval_deg,
                weight_scale=(float(fit.scale[0]), float(fit.scale[1]), float(fit.scale[2])),
            )
        )
    return tuple(out)


def _disagreements(
    refined: Refined, system: PanelSystem, whole: list[Reduced]
) -> tuple[Disagreement, ...]:
    """Single-distance solutions compared, distances within 1 % of one another taken as one."""
    groups: list[tuple[float, list[Reduced]]] = []
    found = [
        (fit.layout.distance_mm(fit.state.pose()), own)
        for fit, own in zip(refined.fits, whole, strict=True)
    ]
    for distance, reduced in sorted(found, key=lambda pair: pair[0]):
        if groups and distance <= groups[-1][0] * (1.0 + SAME_DISTANCE):
            groups[-1][1].append(reduced)
        else:
            groups.append((distance, [reduced]))
    return disagreements(system, refined.correction, groups)


def _null_directions(refined: Refined, whole: list[Reduced]) -> tuple[str, ...]:
    return tuple(
        f"{fit.dataset.name}: {word}"
        for fit, own in zip(refined.fits, whole, strict=True)
        for word in own.null_directions
    )
