"""The summary of a refined dataset: its normal equations and residual statistics."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from calib.model.detector.correction import Correction
from calib.model.result.fit_table import FitTable, ShellTable
from calib.model.result.report import Fit, Shell
from calib.model.result.summary import Equations, Part, Statement
from calib.solve.algebra.residual_histogram import ResidualHistogram
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.residuals import Residuals
from calib.solve.joint.dataset_state import DatasetState
from calib.solve.joint.dataset_validation import PART_FOLDS, DatasetDiagnostics
from calib.solve.joint.pooled_residuals import SHELL_PER_SQUARE_ANGSTROM
from calib.solve.panels.stored_equations import stored_form

_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Odd multipliers of the SplitMix64 hash (Steele et al., OOPSLA 2014)."""


@dataclass(frozen=True, slots=True, eq=False)
class SummaryParts:
    """Parts of a dataset's summary that are computed from its reflections."""

    equations: Mapping[Part, Equations]
    kept: str
    shells: tuple[Shell, ...]


def summarise(state: DatasetState, correction: Correction) -> tuple[DatasetState, SummaryParts]:
    """Normal equations of each part of the reflections, after validation."""
    fit, blocks, held = state.fit, state.blocks, state.held
    assert blocks is not None  # noqa: S101 - linearised at the solution
    assert held is not None  # noqa: S101 - validated before
    equations = {
        part: stored_form(fit.eliminate(blocks.of_folds(folds), correction), correction, part)
        for part, folds in PART_FOLDS.items()
    }
    return state, SummaryParts(equations, _kept(fit), _shells(held))


def statement_of(
    correction: Correction,
    diagnostics: DatasetDiagnostics,
    fit: Fit,
    panels: tuple[Fit, ...],
    parts: SummaryParts,
) -> Statement:
    """Summary of a dataset that was linearised at ``correction``."""
    return Statement(
        use=diagnostics.use,
        point=correction,
        **{part.value: equations for part, equations in parts.equations.items()},
        chi_square=diagnostics.chi_square,
        n_data=3.0 * diagnostics.n_trusted,
        n_nuisance=diagnostics.n_parameters,
        kept=parts.kept,
        used_on_panel=diagnostics.used_in_halves,
        rejected_on_panel=diagnostics.rejected_on_panel,
        flagged_on_panel=diagnostics.flagged_on_panel,
        fits=FitTable.of([fit, *panels]),
        shells=ShellTable.of(parts.shells),
        n_held_out=(diagnostics.n_wild, diagnostics.n_held),
        null_directions=diagnostics.null_directions,
        sums=diagnostics.sums,
    )


def fits_of(used: ResidualHistogram, held: ResidualHistogram) -> tuple[Fit, tuple[Fit, ...]]:
    """Residual statistics of used and held-out reflections, over all panels and for each panel."""
    panels = tuple(Fit(used.group(p), held.group(p)) for p in range(len(used.count)))
    return Fit(used.whole(), held.whole()), panels


def _shells(held: Residuals) -> tuple[Shell, ...]:
    d = held.d_angstrom
    numbers, place = np.unique(
        (d**-2.0 / SHELL_PER_SQUARE_ANGSTROM).astype(np.int64), return_inverse=True
    )
    histogram = held.histogram(place, len(numbers))
    found = []
    for number in range(len(numbers)):
        inside, both = d[place == number], histogram.group(number)
        if both is not None:
            found.append(Shell(float(inside.max()), float(inside.min()), both))
    return tuple(found)


def _kept(fit: DatasetFit) -> str:
    """SHA-256 of the positions of the used reflections, independent of their order."""
    mixed = np.zeros(int(fit.keep.sum()), dtype=np.uint64)
    for row, odd in zip(fit.seen.observed, _MIX, strict=True):
        mixed ^= np.ascontiguousarray(row[fit.keep]).view(np.uint64)
        mixed *= np.uint64(odd)
        mixed ^= mixed >> np.uint64(31)
    return hashlib.sha256(np.sort(mixed).astype("<u8").tobytes()).hexdigest()
