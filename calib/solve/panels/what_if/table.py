"""The what-if table, and the uncertainty that comes from the choice of model.

Each row is one linear solution from equations that are accumulated already. d is the displacement
of the panels and V its covariance by noise (``calib.solve.panels.what_if.displacement``).

How well a row predicts is tested with data that its panels have not seen, in parts: datasets or, of
a single one, the halves of alternate blocks. With t_i and u_i the panels found without part i, as
derived and in the row, and S_i x = v_i the equations of part i as derived, the sum of squares of
unseen residuals changes by

    D = sum_i (f_i(u_i) - f_i(t_i)),   f_i(x) = x^T S_i x - 2 v_i^T x,

with the variance s^2 = sum_i 4 (u_i - t_i)^T S_i (u_i - t_i) from noise in these data. Rows with
another model add w q d d^T to the covariance. The weight w = Phi(-D / s) is the probability that
the row predicts at least as well: a half where both predict alike. q is the fraction of the square
of d that noise does not explain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import erfc, sqrt

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, CorrectionEstimate
from calib.model.result.drift import UncertaintyParts
from calib.model.result.what_if import NARROWER, SUBSETS, Choice, WhatIf, WhatIfRow
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.system import PanelStep, PanelSystem
from calib.solve.panels.what_if.alternatives import Alternatives, Model, other_models
from calib.solve.panels.what_if.displacement import Displacement

_WITHOUT_EFFECT = frozenset({*SUBSETS, Choice.PHI})
"""Rows that add nothing to the uncertainty of the model."""
_ORDER = {choice: place for place, choice in enumerate(Choice)}
Subset = tuple[Choice, tuple[int, ...], PanelEquations]
"""A row without some datasets: their places, and the equations of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class _Prediction:
    """Change of the sum of squares of unseen residuals, and its standard error."""

    change: float
    sigma: float

    @property
    def weight(self) -> float:
        """Probability that the row predicts at least as well."""
        if self.sigma <= 0.0:
            return 0.5
        return 0.5 * erfc(self.change / (sqrt(2.0) * self.sigma))


class WhatIfTable:
    """Rows of the table, from the equations of all data at the solution."""

    def __init__(
        self,
        system: PanelSystem,
        estimate: CorrectionEstimate,
        whole: PanelEquations,
        noise: float,
    ) -> None:
        """``whole`` are the equations at the solution, ``noise`` the variance of noise relative to
        theirs."""
        self._estimate, self._noise, self._whole = estimate, noise, whole
        self._here: Correction = estimate.correction
        self._base = Model.of(system, self._here)
        self._solved = self._solve(self._base, whole)
        self._measured = np.zeros(len(estimate.status), dtype=np.bool_)
        self._measured[list(estimate.measured)] = True
        if not self._measured.any():
            self._measured[:] = True

    def table(
        self,
        alternatives: Alternatives | None,
        subsets: Sequence[Subset],
        repeatability_um: float,
    ) -> WhatIf:
        """The rows; with ``alternatives`` None, the uncertainty of the model is not estimated."""
        found = list(self._model_rows(alternatives))
        vectors = [vector for _, vector in found if vector is not None]
        rows = [row for row, _ in found]
        rows += [self._subset_row(*subset) for subset in subsets]
        rows.sort(key=lambda row: _ORDER[row.choice])
        model = None if alternatives is None else tuple(tuple(own.tolist()) for own in vectors)
        return WhatIf(
            rows=tuple(rows),
            parts=UncertaintyParts(
                self._in_plane_um(np.diag(self._estimate.covariance)),
                repeatability_um,
                None
                if model is None
                else self._in_plane_um(np.sum(np.square(vectors), axis=0))
                if vectors
                else 0.0,
            ),
            model=model,
        )

    def _in_plane_um(self, variance: Floats) -> float:
        """Root mean square sigma of dx and dy of the measured panels, from variances (n f,)."""
        own = variance.reshape(len(self._measured), -1)[self._measured, :2]
        return 1e3 * float(np.sqrt(own.mean()))

    def _model_rows(
        self, alternatives: Alternatives | None
    ) -> Iterator[tuple[WhatIfRow, Floats | None]]:
        """Rows of other models, each with the displacement v that it adds to the covariance."""
        parts = () if alternatives is None else alternatives.parts
        found = None if alternatives is None else self._without_each(self._base, parts)
        changed: Mapping[Choice, tuple[PanelEquations, tuple[PanelEquations, ...]]] = (
            {} if alternatives is None else alternatives.rows
        )
        candidates = [(choice, self._base, *own) for choice, own in changed.items()]
        candidates += [
            (choice, model, self._whole, parts)
            for choice, model in other_models(self._base.system, self._here).items()
        ]
        for choice, model, whole, own_parts in candidates:
            row, moved = self._row(choice, model, whole)
            if alternatives is None or found is None or not own_parts:
                yield row, None
                continue
            tested = self._compared(parts, found, self._without_each(model, own_parts))
            square = 2.0 * alternatives.chi_square
            row = replace(
                row,
                prediction=tested.change / square,
                prediction_sigma=tested.sigma / square,
            )
            if choice in _WITHOUT_EFFECT:
                yield row, None
                continue
            share = tested.weight * moved.excess(self._measured)
            yield replace(row, weight=tested.weight), self._added(moved, share)

    def _added(self, moved: Displacement, share: float) -> Floats | None:
        """(n f,) the displacement times the root of ``share``, over the free parameters of the
        estimate."""
        if share <= 0.0:
            return None
        free = self._estimate.freedom.free
        vector = np.zeros((len(moved.shift), len(free)))
        vector[:, [free.index(k) for k in moved.free]] = moved.shift
        return np.asarray(sqrt(share) * vector.ravel())

    def _subset_row(
        self, choice: Choice, datasets: tuple[int, ...], others: PanelEquations
    ) -> WhatIfRow:
        return replace(self._row(choice, self._base, others)[0], datasets=datasets)

    def _row(
        self, choice: Choice, model: Model, equations: PanelEquations
    ) -> tuple[WhatIfRow, Displacement]:
        moved = Displacement.between(
            self._base,
            self._solved,
            model,
            self._solve(model, equations),
            narrower=choice in NARROWER,
        )
        lengths = 1e3 * moved.lengths_mm()
        lengths[~self._measured] = 0.0
        panel = int(lengths.argmax())
        normal = None
        if 2 in moved.free:
            heights = moved.shift[self._measured, moved.free.index(2)]
            normal = 1e3 * float(np.sqrt(np.mean(heights**2)))
        row = WhatIfRow(
            choice=choice,
            in_plane_um=float(np.sqrt(np.mean(lengths[self._measured] ** 2))),
            normal_um=normal,
            panel=panel,
            largest_um=float(lengths[panel]),
            sigma=moved.in_sigma(self._estimate, self._measured),
            chi_square=moved.chi_square,
            degrees_of_freedom=moved.degrees,
            p_value=moved.p_value,
        )
        return row, moved

    def _solve(self, model: Model, equations: PanelEquations) -> PanelStep:
        """The solution of equations that are linearised at the estimate, in the gauge of all data,
        with the covariance of noise."""
        here = replace(model.at_start(equations), panel_information=self._whole.panel_information)
        step = model.system.step_of(model.start, [here])
        return replace(step, covariance=self._noise * step.covariance)

    def _without_each(self, model: Model, parts: Sequence[PanelEquations]) -> list[Floats]:
        """(6 n,) tangent motions from the estimate to the solutions without each part."""
        total = _sum(parts)
        return [model.offset + self._solve(model, total.minus(part)).tangent for part in parts]

    def _compared(
        self, parts: Sequence[PanelEquations], derived: list[Floats], changed: list[Floats]
    ) -> _Prediction:
        """How panels that were found without each part predict it, compared with others."""
        change = variance = 0.0
        for part, before, after in zip(parts, derived, changed, strict=True):
            apart = after - before
            pulled = part.information @ apart
            change += float((before + after) @ pulled - 2.0 * part.vector @ apart)
            variance += 4.0 * self._noise * float(apart @ pulled)
        return _Prediction(change, sqrt(max(variance, 0.0)))


def _sum(parts: Sequence[PanelEquations]) -> PanelEquations:
    total = parts[0]
    for part in parts[1:]:
        total = total.plus(part)
    return total
