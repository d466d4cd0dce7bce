"""Sums of products of derivatives over the reflections of a dataset, without a full Jacobian.

The columns of J are those of the crystal (rotation and strain, nine for each spline coefficient
that a reflection depends on), of its panel (6), and of the detector: pose (6), beam (1), residual
(1), and where spots may shift three for each degree of the Legendre polynomials of time. Motions of
the detector move its panels, so that their columns are those of the panels times an adjoint, which
is applied to the sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.solve.algebra.rigid_motion import adjoints
from calib.solve.dataset.observations import FOLDS, Observations
from calib.solve.dataset.parameters import (
    CRYSTAL_COLUMNS,
    SHIFT_DEGREES,
    Instrument,
    legendre,
)
from calib.solve.dataset.prediction import (
    BEAM_COLUMN,
    PANEL_COLUMNS,
    RESIDUAL_COLUMN,
    Predictor,
)
from calib.solve.parallel.threads import in_order

POSE_COLUMNS = 6
TAIL_COLUMNS = POSE_COLUMNS + 2
"""Number of columns for pose, beam and residual."""
AXES = 3
SHIFT_COLUMNS = AXES * SHIFT_DEGREES
"""Of one scan: x, y and z of each degree."""
_OF_PIECE = 8
"""Parts that one thread processes at a time."""
_RUN = 64
"""Reflections of varying crystals from which on a run of reflections on one panel is cut."""
_DETECTOR = (slice(0, PANEL_COLUMNS), slice(BEAM_COLUMN, RESIDUAL_COLUMN + 1))
_CRYSTAL = slice(PANEL_COLUMNS, BEAM_COLUMN)


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentSums:
    """Sums of w J J^T over reflections of one experiment on p panels, with c columns of the crystal
    and d of the detector: 8, or 17 where spots may shift in any experiment of the dataset."""

    panel: Ints
    """(p,) indices of the panels, ascending."""
    panels: Floats
    """(p, 6, 6)"""
    panels_detector: Floats
    """(p, 6, d)"""
    detector: Floats
    """(d, d)"""
    crystal: Floats
    """(c, c)"""
    crystal_panels: Floats
    """(p, c, 6)"""
    crystal_detector: Floats
    """(c, d)"""

    def plus(self, other: ExperimentSums) -> ExperimentSums:
        """Sum of both, of the same experiment and panels."""
        names = [one.name for one in fields(self)[1:]]
        return ExperimentSums(
            self.panel, *(getattr(self, name) + getattr(other, name) for name in names)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Sums of w J J^T over the reflections of each fold and experiment."""

    by_fold: Mapping[int, Mapping[int, ExperimentSums]]
    """By fold and experiment."""

    def of_folds(self, folds: Sequence[int]) -> Blocks:
        """The sums of some folds."""
        return Blocks({fold: sums for fold, sums in self.by_fold.items() if fold in folds})

    def by_crystal(self, crystal: Ints) -> dict[int, dict[int, ExperimentSums]]:
        """Sums over all folds, by crystal and experiment; ``crystal`` (e,) is that of each
        experiment."""
        whole: dict[int, ExperimentSums] = {}
        for sums in self.by_fold.values():
            for experiment, own in sums.items():
                whole[experiment] = whole[experiment].plus(own) if experiment in whole else own
        found: dict[int, dict[int, ExperimentSums]] = {}
        for experiment in sorted(whole):
            found.setdefault(int(crystal[experiment]), {})[experiment] = whole[experiment]
        return dict(sorted(found.items()))

    @property
    def chi_square(self) -> float:
        """The weighted sum of squared residuals."""
        column = TAIL_COLUMNS - 1
        every = [own for sums in self.by_fold.values() for own in sums.values()]
        return float(sum(own.detector[column, column] for own in every))


def accumulate(
    predictor: Predictor, seen: Observations, weights: Floats, about_mm: Floats
) -> tuple[Blocks, Floats]:
    """Sums over all reflections, and their residuals (3, n), at the predictor's point.

    ``weights`` (3, n) are inverse variances, 0 for excluded reflections. A reflection that cannot
    be predicted has a NaN residual and no weight. ``about_mm`` (3,) is the centre of rotation of
    the pose.
    """
    held, parts, runs = predictor.instrument, seen.parts(), _Runs.of(seen)
    residuals = np.empty((3, len(seen)))

    def summed(first: int) -> dict[tuple[int, int], _Sums]:
        piece, found = parts[first : first + _OF_PIECE], _Piece(held, seen, runs)
        for part in piece:
            jacobian = predictor.predict(seen, part, derivatives=True).jacobian
            assert jacobian is not None  # noqa: S101 - requested above
            residuals[:, part] = jacobian[:, RESIDUAL_COLUMN]
            lost = ~np.isfinite(residuals[:, part]).all(axis=0)
            if lost.any():
                jacobian[:, :, lost] = 0.0
            jacobian *= np.sqrt(weights[:, None, part])
            found.add(jacobian, part)
        found.finish()
        return found.sums

    moves = adjoints(
        predictor.panel_rotation.transpose(2, 3, 0, 1),
        predictor.panel_centre_mm.transpose(1, 2, 0),
        about_mm,
    )
    by_fold: dict[int, dict[int, ExperimentSums]] = {fold: {} for fold in range(FOLDS)}
    unfinished: dict[int, dict[int, _Sums]] = {}

    def finish(experiment: int) -> None:
        for fold, own in _turned(unfinished.pop(experiment), moves[held.pose[experiment]]).items():
            by_fold[fold][experiment] = own

    for piece in in_order(summed, range(0, len(parts), _OF_PIECE)):
        for (experiment, fold), own in piece.items():
            for other in [one for one in unfinished if one != experiment]:
                finish(other)  # reflections are sorted by experiment
            sums = unfinished.setdefault(experiment, {})
            sums[fold] = sums[fold].plus(own) if fold in sums else own
    for last in list(unfinished):
        finish(last)
    return Blocks(by_fold), residuals


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums over reflections of one experiment and fold, along the axes of their panels: the d
    columns are those of the panel, beam and residual, and of the panel's translation times the
    Legendre polynomials; the crystal has k coefficients."""

    crystal: Floats
    """(9 k, 9 k)"""
    n_detector: int
    detector: dict[int, Floats] = field(default_factory=dict)
    """(d, d) by panel."""
    coupling: dict[int, Floats] = field(default_factory=dict)
    """(k, d, 9) by panel."""

    @staticmethod
    def empty(n_coefficients: int, n_detector: int) -> _Sums:
        size = CRYSTAL_COLUMNS * n_coefficients
        return _Sums(np.zeros((size, size)), n_detector)

    def of_panel(self, panel: int) -> tuple[Floats, Floats]:
        """``detector`` and ``coupling`` of one panel."""
        if panel not in self.detector:
            d, k = self.n_detector, len(self.crystal) // CRYSTAL_COLUMNS
            self.detector[panel] = np.zeros((d, d))
            self.coupling[panel] = np.zeros((k, d, CRYSTAL_COLUMNS))
        return self.detector[panel], self.coupling[panel]

    def plus(self, other: _Sums) -> _Sums:
        """This one, with ``other`` added to it."""
        np.add(self.crystal, other.crystal, out=self.crystal)
        for mine, theirs in ((self.detector, other.detector), (self.coupling, other.coupling)):
            for panel, own in theirs.items():
                mine[panel] = mine[panel] + own if panel in mine else own
        return self


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Runs of reflections of one experiment, panel and fold, cut into pieces in which these depend
    on few spline coefficients."""

    start: Ints
    """(r,) index of the first reflection of each run."""
    key: list[tuple[int, int]]
    """(r,) experiment and fold."""
    panel: list[int]
    """(r,)"""

    @staticmethod
    def of(seen: Observations) -> _Runs:
        head = seen.group_start[:-1]
        keys = np.stack([own[head] for own in (seen.experiment, seen.panel, seen.fold)])
        new = np.ones(len(head), dtype=np.bool_)
        new[1:] = (np.diff(keys, axis=1) != 0).any(axis=0)
        if seen.basis is not None:
            since = head - np.maximum.accumulate(np.where(new, head, 0))
            new[1:] |= np.diff(since // _RUN) != 0
        experiment, panel, fold = (own[new].tolist() for own in keys)
        return _Runs(head[new], list(zip(experiment, fold, strict=True)), panel)

    def within(self, part: slice) -> Iterator[tuple[slice, tuple[int, int], int]]:
        """The runs in a part of the reflections, with experiment and fold, and panel."""
        first, last = np.searchsorted(self.start, (part.start, part.stop - 1), side="right") - 1
        cuts = [part.start, *self.start[first + 1 : last + 1].tolist(), part.stop]
        for run, (low, high) in zip(range(first, last + 1), pairwise(cuts), strict=True):
            yield slice(low, high), self.key[run], self.panel[run]


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Sums over consecutive parts of the reflections."""

    held: Instrument
    seen: Observations
    runs: _Runs
    sums: dict[tuple[int, int], _Sums] = field(default_factory=dict)
    """By experiment and fold."""
    varying: list[tuple[slice, Floats]] = field(default_factory=list)
    """Parts and their derivatives (3, 9, n) with respect to scan-varying crystals."""

    def add(self, jacobian: Floats, part: slice) -> None:
        """Add reflections with these weighted derivatives (3, 17, n)."""
        if self.seen.basis is None:
            self._add_static(jacobian, part)
        else:
            self._add_varying(jacobian, part, self.seen.basis)

    def finish(self) -> None:
        """Add the products of the crystals' columns with each other: grouped across panels, by
        experiment, fold and first coefficient."""
        if not self.varying:
            return
        seen, basis = self.seen, self.seen.basis
        assert basis is not None  # noqa: S101 - there are varying crystals
        whole = slice(self.varying[0][0].start, self.varying[-1][0].stop)
        experiment, fold, first = seen.experiment[whole], seen.fold[whole], seen.first[whole]
        order = np.lexsort((first, fold, experiment))
        keys = np.stack([own[order] for own in (experiment, fold, first)])
        cuts = np.flatnonzero((np.diff(keys, axis=1) != 0).any(axis=0)) + 1
        crystal = np.concatenate([own for _, own in self.varying], axis=2)
        crystal, basis = np.take(crystal, order, axis=2), np.take(basis[:, whole], order, axis=1)
        self.varying.clear()
        offsets = self._offsets().tolist()
        for low, high in pairwise([0, *cuts.tolist(), len(order)]):
            sums = self._sums_of((int(keys[0, low]), int(keys[1, low])))
            spread = crystal[:, None, :, low:high] * basis[:, None, low:high]
            rows = spread.reshape(3, -1, high - low)
            product = (rows @ rows.transpose(0, 2, 1)).sum(axis=0)
            at = CRYSTAL_COLUMNS * (int(keys[2, low]) - offsets[int(keys[0, low])])
            end = min(at + len(product), len(sums.crystal))
            sums.crystal[at:end, at:end] += product[: end - at, : end - at]

    def _offsets(self) -> Ints:
        """(e,) index of the first coefficient of the crystal of each experiment."""
        counts = np.array(self.held.coefficients)
        return np.asarray((np.cumsum(counts) - counts)[self.held.crystal])

    def _sums_of(self, key: tuple[int, int]) -> _Sums:
        if key not in self.sums:
            n_detector = TAIL_COLUMNS + (SHIFT_COLUMNS if self.held.shifting.any() else 0)
            count = self.held.coefficients[self.held.crystal[key[0]]]
            self.sums[key] = _Sums.empty(count, n_detector)
        return self.sums[key]

    def _add_static(self, jacobian: Floats, part: slice) -> None:
        columns = np.concatenate([jacobian[:, own] for own in (*_DETECTOR, _CRYSTAL)], axis=1)
        for run, key, panel in self.runs.within(part):
            sums, rows = (
                self._sums_of(key),
                columns[:, :, run.start - part.start : run.stop - part.start],
            )
            product = (rows @ rows.transpose(0, 2, 1)).sum(axis=0)
            detector, coupling = sums.of_panel(panel)
            detector += product[:TAIL_COLUMNS, :TAIL_COLUMNS]
            coupling[0] += product[:TAIL_COLUMNS, TAIL_COLUMNS:]
            sums.crystal[...] += product[TAIL_COLUMNS:, TAIL_COLUMNS:]

    def _add_varying(self, jacobian: Floats, part: slice, basis: Floats) -> None:
        seen, crystal = self.seen, np.ascontiguousarray(jacobian[:, _CRYSTAL])
        self.varying.append((part, crystal))
        columns = np.concatenate([jacobian[:, own] for own in _DETECTOR], axis=1)
        products = _products(columns, crystal)
        times = np.zeros((0, columns.shape[2]))
        if self.held.shifting.any():
            times = legendre(self.held, seen.experiment[part], seen.observed[2, part])
            moved = columns[:, None, :AXES] * times[:, None]
            columns = np.concatenate([columns, moved.reshape(3, SHIFT_COLUMNS, -1)], axis=1)
        first = seen.first[part] - self._offsets()[seen.experiment[part]]
        dense = np.zeros((int(first.max()) + len(basis), len(first)))
        for k, own in enumerate(basis):
            dense[first + k, np.arange(len(first))] = own[part]
        for run, key, panel in self.runs.within(part):
            here = slice(run.start - part.start, run.stop - part.start)
            rows = columns[:, :, here]
            detector, coupling = self._sums_of(key).of_panel(panel)
            detector += (rows @ rows.transpose(0, 2, 1)).sum(axis=0)
            at, end = int(first[here.start]), int(first[here.stop - 1]) + len(basis)
            end = min(end, len(coupling))  # static crystals have a single coefficient
            weights, n = dense[at:end, here], run.stop - run.start
            mine, own = coupling[at : at + len(weights)], products[:, :, here]
            by_column = weights @ own.reshape(-1, n).T
            mine[:, :TAIL_COLUMNS] += by_column.reshape(-1, TAIL_COLUMNS, CRYSTAL_COLUMNS)
            if len(times):
                timed = (weights[:, None] * times[:, here]).reshape(-1, n)
                moved = timed @ own[:AXES].reshape(-1, n).T
                mine[:, TAIL_COLUMNS:] += moved.reshape(-1, SHIFT_COLUMNS, CRYSTAL_COLUMNS)


def _products(columns: Floats, crystal: Floats) -> Floats:
    """(8, 9, n) products of ``columns`` (3, 8, n) of panel, beam and residual with those of the
    crystal (3, 9, n), summed over x, y and phi; phi does not depend on the panel."""
    out: Floats = columns[0, :, None] * crystal[0]
    out += columns[1, :, None] * crystal[1]
    out[PANEL_COLUMNS:] += columns[2, PANEL_COLUMNS:, None] * crystal[2]
    return out


def _turned(by_fold: Mapping[int, _Sums], moves: Floats) -> dict[int, ExperimentSums]:
    """The sums of each fold of one experiment, with motions of the detector in the laboratory;
    ``moves`` (n, 6, 6) are the adjoints of all panels in its pose."""
    panel = sorted(set().union(*(sums.detector for sums in by_fold.values())))
    found = {}
    for fold, sums in by_fold.items():
        d, c = sums.n_detector, len(sums.crystal)
        detector = np.zeros((len(panel), d, d))
        by_coefficient = np.zeros((len(panel), c // CRYSTAL_COLUMNS, CRYSTAL_COLUMNS, d))
        for place, one in enumerate(panel):
            if one in sums.detector:
                detector[place] = sums.detector[one]
                by_coefficient[place] = sums.coupling[one].transpose(0, 2, 1)
        coupling = by_coefficient.reshape(len(panel), c, d)
        turn = np.zeros((len(panel), d, d))
        turn[:, :POSE_COLUMNS, :POSE_COLUMNS] = moves[panel]
        turn[:, POSE_COLUMNS:TAIL_COLUMNS, POSE_COLUMNS:TAIL_COLUMNS] = np.eye(2)
        for low in range(TAIL_COLUMNS, d, AXES):
            turn[:, low : low + AXES, low : low + AXES] = moves[panel, :AXES, :AXES]
        panels_detector = detector[:, :PANEL_COLUMNS] @ turn
        found[fold] = ExperimentSums(
            panel=np.array(panel, dtype=np.int64),
            panels=detector[:, :PANEL_COLUMNS, :PANEL_COLUMNS].copy(),
            panels_detector=panels_detector,
            detector=(turn.transpose(0, 2, 1) @ (detector @ turn)).sum(axis=0),
            crystal=sums.crystal,
            crystal_panels=coupling[:, :, :PANEL_COLUMNS].copy(),
            crystal_detector=(coupling @ turn).sum(axis=0),
        )
    return found


def residuals_at(predictor: Predictor, seen: Observations) -> Floats:
    """Residuals (3, n), observed minus calculated, in mm, mm and rad."""
    out, parts = np.empty((3, len(seen))), seen.parts()

    def fill(first: int) -> None:
        for part in parts[first : first + _OF_PIECE]:
            calculated = predictor.predict(seen, part, derivatives=False).calculated
            np.subtract(seen.observed[:, part], calculated, out=out[:, part])

    for _ in in_order(fill, range(0, len(parts), _OF_PIECE)):
        pass
    return out
