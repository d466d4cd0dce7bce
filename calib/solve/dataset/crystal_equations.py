"""Normal equations of one crystal, and of what belongs to its scans.

Their parameters are, for each spline coefficient, the rotation (3) and the free strains; then the
deviations of poses (6 for each experiment) where experiments have their own; then the smooth shift
of spots (3 for each degree) where it is free. Deviations and shifts are motions of the detector, so
their columns are those of the pose: a shift of degree d those times the Legendre polynomial P_d of
time.

Widths of priors are learned from the data. Some deviations d of the crystals of a dataset have a
common variance s^2: the second differences of spline coefficients (``Penalty``), strains that the
symmetry forbids, net changes over a scan, shifts of spots. Each s^2 maximises the marginal
likelihood, all other parameters integrated out, where

    s^2 = (d^T d + n s_0^2) / (g + n),   g = rank - tr(D V D^T) / s^2,

with D the derivatives of d by the parameters, V their covariance and g the number of deviations
that the data determine (MacKay, Neural Computation 4, 415, 1992). The n further deviations of s_0
discount the likelihood: deviations of less than some 1.7 sigma are taken to be noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.solve.algebra.bspline import Penalty, net_change, second_differences
from calib.solve.algebra.linalg import inverse
from calib.solve.algebra.priors import ChangePrior, PosePrior
from calib.solve.algebra.whitening import whiten
from calib.solve.dataset.normal_equations import (
    AXES,
    POSE_COLUMNS,
    SHIFT_COLUMNS,
    TAIL_COLUMNS,
    ExperimentSums,
)
from calib.solve.dataset.parameters import (
    CRYSTAL_COLUMNS,
    SHIFT_DEGREES,
    Instrument,
    NuisanceParameters,
)
from calib.solve.dataset.prediction import PANEL_COLUMNS
from calib.solve.dataset.symmetry import strain_matrix, turned_back_strains, turned_strains

_LEAST = np.array([1e-6, 1e-6, 1e-6, 1e-3, 1e-3, 1e-4, 1e-4])
_LEAST_COUNTS = 2.0
"""s_0 of each kind, in the units of ``Penalty``, and n."""
_ROUNDS = 8
_SETTLED = 0.05
"""Relative change of s at which the search ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Where the parameters of one crystal and its scans stand among its m columns."""

    n_crystal: int
    """The first ones are of its spline coefficients."""
    posed: tuple[int, ...]
    """Experiments with their own pose, in the order of their columns."""
    shifting: tuple[int, ...]
    """Experiments whose spots may shift, in the order of their columns, which are the last."""

    @property
    def n_all(self) -> int:
        """m"""
        own_poses = POSE_COLUMNS * len(self.posed)
        return self.n_crystal + own_poses + SHIFT_COLUMNS * len(self.shifting)

    def pose(self, place: int) -> slice:
        """Columns of the pose of ``posed[place]``."""
        first = self.n_crystal + POSE_COLUMNS * place
        return slice(first, first + POSE_COLUMNS)

    def shift(self, place: int) -> slice:
        """Columns of the shift of ``shifting[place]``."""
        first = self.n_crystal + POSE_COLUMNS * len(self.posed) + SHIFT_COLUMNS * place
        return slice(first, first + SHIFT_COLUMNS)

    def motions(self, experiment: int) -> list[tuple[slice, slice]]:
        """Columns of the pose and the shift of an experiment, as far as it has them, and those of
        the detector in ``ExperimentSums`` that they are."""
        found = []
        if experiment in self.posed:
            found.append((self.pose(self.posed.index(experiment)), slice(0, POSE_COLUMNS)))
        if experiment in self.shifting:
            moved = slice(TAIL_COLUMNS, TAIL_COLUMNS + SHIFT_COLUMNS)
            found.append((self.shift(self.shifting.index(experiment)), moved))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class CrystalElimination:
    """Elimination of one crystal and of what belongs to its scans."""

    crystal: int
    columns: Columns
    basis: Floats
    """(m, k) from the k independent parameters to the m columns."""
    back: Floats
    """(k, r) whitened directions in the independent parameters."""
    reach: Floats
    """(r, 6 n + 8) whitened coupling to panels, pose, beam and right-hand side."""
    n_from_data: float
    """How many parameters the data determine rather than the priors."""


@dataclass(frozen=True, slots=True, eq=False)
class CrystalEquations:
    """Normal equations of one crystal and of what belongs to its scans, over their k independent
    parameters."""

    crystal: int
    columns: Columns
    basis: Floats
    """(m, k) from the independent parameters to the m columns."""
    square: Floats
    """(k, k) of the data."""
    across: Floats
    """(k, 6 n + 8) coupling to panels, pose, beam and right-hand side."""
    prior: Floats
    """(k, k) inverse covariance of the priors of fixed widths."""
    restrained: tuple[Floats, ...]
    """(b, k) what the widths of ``Penalty`` are of, in its order, by the parameters."""
    now: tuple[Floats, ...]
    """(b,) the same at the current point."""
    ranks: tuple[int, ...]
    """How many of each are independent."""

    def penalised(self, penalty: Penalty) -> tuple[Floats, Floats]:
        """(k, k) the whole matrix, and (k,) what the penalty adds to the right-hand side."""
        matrix, pull = self.square + self.prior, np.zeros(len(self.square))
        weights = penalty.widths**-2.0
        for weight, rows, now in zip(weights, self.restrained, self.now, strict=True):
            matrix += weight * rows.T @ rows
            pull -= weight * now @ rows
        return matrix, pull

    def eliminate(self, penalty: Penalty) -> CrystalElimination:
        """With deviations that this penalty restrains."""
        matrix, pull = self.penalised(penalty)
        across = self.across.copy()
        across[:, -1] += pull
        back, _ = whiten(matrix, np.diag(matrix), ())
        from_data = float(((self.square @ back) * back).sum())
        return CrystalElimination(
            self.crystal, self.columns, self.basis, back, back.T @ across, from_data
        )


def crystal_equations(
    sums: Mapping[int, ExperimentSums],
    crystal: int,
    instrument: Instrument,
    nuisance: NuisanceParameters,
    n_panels: int,
    *,
    prior: PosePrior | None,
) -> CrystalEquations:
    """The equations of one crystal from the ``sums`` of its experiments, with a ``prior`` of the
    pose deviations of these, and of the shifts of spots in its scans where they are free."""
    count, experiments = instrument.coefficients[crystal], tuple(sums)
    columns = Columns(
        n_crystal=CRYSTAL_COLUMNS * count,
        posed=experiments if prior else (),
        shifting=tuple(one for one in experiments if instrument.shifting[one]),
    )
    square, across = _summed(sums, columns, n_panels)
    allowed, forbidden = instrument.strains[crystal], instrument.forbidden[crystal]
    strains = np.concatenate([allowed, forbidden], axis=1)
    one = np.zeros((CRYSTAL_COLUMNS, 3 + strains.shape[1]))
    one[:3, :3], one[3:, 3:] = np.eye(3), turned_strains(strains, nuisance.turned[crystal])
    n_own, n_more = count * one.shape[1], columns.n_all - columns.n_crystal
    basis = np.zeros((columns.n_all, n_own + n_more))
    basis[: columns.n_crystal, :n_own] = np.kron(np.eye(count), one)
    basis[columns.n_crystal :, n_own:] = np.eye(n_more)
    square, across = basis.T @ square @ basis, basis.T @ across
    known = np.zeros_like(square)
    for place, experiment in enumerate(columns.posed if prior else ()):
        assert prior is not None  # noqa: S101 - as asked
        information = basis[columns.pose(place)].T @ prior.information()
        known += information @ basis[columns.pose(place)]
        across[:, -1] -= information @ nuisance.deviation[experiment]
    offset = sum(instrument.coefficients[:crystal])
    drift = nuisance.drift[:, offset : offset + count]
    bend = second_differences(count)
    turned_back = turned_back_strains(strain_matrix(drift[3:].T), nuisance.turned[crystal])
    strained = (nuisance.strained[crystal] + turned_back.mean(axis=0)) @ forbidden
    mean = np.zeros((forbidden.shape[1], one.shape[1]))
    mean[:, 3 + allowed.shape[1] :] = np.eye(forbidden.shape[1])
    net, usual = np.zeros((int(count > 1), count)), np.ones(CRYSTAL_COLUMNS)
    if count > 1:
        net[0] = net_change(count, instrument.order)
        usual = ChangePrior().sigma(instrument.range_rad[crystal])
    per_usual, changed = one / usual[:, None], drift / usual[:, None]
    rows = [
        np.kron(bend, one[:3]),
        np.kron(bend, one[3:]),
        np.kron(np.full((1, count), 1.0 / count), mean),
        np.kron(net, per_usual[:3]),
        np.kron(net, per_usual[3:]),
    ]
    restrained = [np.pad(own, ((0, 0), (0, n_more))) for own in rows]
    bent, changes = bend @ drift.T, net @ changed.T
    now = [bent[:, :3], bent[:, 3:], strained, changes[:, :3], changes[:, 3:]]
    linear, curved = _shifts(columns, basis, nuisance)
    n_strains, n_shifts = strains.shape[1], AXES * len(columns.shifting)
    return CrystalEquations(
        crystal=crystal,
        columns=columns,
        basis=basis,
        square=square,
        across=across,
        prior=known,
        restrained=(*restrained, linear[0], curved[0]),
        now=(*(own.ravel() for own in now), linear[1], curved[1]),
        ranks=(
            3 * len(bend),
            n_strains * len(bend),
            len(strained),
            3 * len(net),
            n_strains * len(net),
            n_shifts,
            n_shifts * (SHIFT_DEGREES - 1),
        ),
    )


def _summed(
    sums: Mapping[int, ExperimentSums], columns: Columns, n_panels: int
) -> tuple[Floats, Floats]:
    """(m, m) and (m, 6 n + 8) sums over the experiments of one crystal."""
    m, n_own = columns.n_all, columns.n_crystal
    square, tail = np.zeros((m, m)), np.zeros((m, TAIL_COLUMNS))
    panels = np.zeros((m, n_panels, PANEL_COLUMNS))
    for experiment, one in sums.items():
        square[:n_own, :n_own] += one.crystal
        panels[:n_own, one.panel] += one.crystal_panels.transpose(1, 0, 2)
        tail[:n_own] += one.crystal_detector[:, :TAIL_COLUMNS]
        motions = columns.motions(experiment)
        for mine, motion in motions:
            square[mine, :n_own] = one.crystal_detector[:, motion].T
            square[:n_own, mine] = one.crystal_detector[:, motion]
            panels[mine, one.panel] = one.panels_detector[:, :, motion].transpose(2, 0, 1)
            tail[mine] = one.detector[motion, :TAIL_COLUMNS]
            for other, another in motions:
                square[mine, other] = one.detector[motion, another]
    return square, np.concatenate([panels.reshape(m, -1), tail], axis=1)


def _shifts(
    columns: Columns, basis: Floats, nuisance: NuisanceParameters
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """What restrains the linear shifts, and those of higher degree: (b, k) the coefficients by the
    parameters, and (b,) their values."""
    linear, curved = [basis[:0]], [basis[:0]]
    for place in range(len(columns.shifting)):
        rows = basis[columns.shift(place)]
        linear.append(rows[:AXES])
        curved.append(rows[AXES:])
    values = nuisance.shift_mm[list(columns.shifting)]
    return (
        (np.concatenate(linear), values[:, 0].ravel()),
        (np.concatenate(curved), values[:, 1:].ravel()),
    )


def learned_penalty(
    equations: Sequence[CrystalEquations],
    eliminations: Sequence[CrystalElimination],
    rest: Floats,
    penalty: Penalty,
) -> Penalty:
    """The penalty under which these crystals are most likely; widths of which there are no
    deviations are left.

    ``eliminations`` are those with ``penalty``, from which the search starts, and ``rest`` (m, m)
    is the covariance of panels, pose and beam. How much it widens the covariance of the deviations
    is taken to be as with ``penalty``.
    """
    ranks = np.sum([one.ranks for one in equations], axis=0)
    if not ranks.any():
        return penalty
    widths, wider = penalty.widths, _wider(equations, eliminations, rest)
    for _ in range(_ROUNDS):
        squares, counts = np.zeros(len(widths)), np.zeros(len(widths))
        for one in equations:
            matrix, pull = one.penalised(Penalty(*widths.tolist()))
            try:
                covariance = inverse(matrix)
            except np.linalg.LinAlgError:
                return penalty  # too few reflections to determine even a static crystal
            step = covariance @ (one.across[:, -1] + pull)
            for kind, (rows, now) in enumerate(zip(one.restrained, one.now, strict=True)):
                after = now + rows @ step
                squares[kind] += after @ after
                held = wider[kind] * float(((rows @ covariance) * rows).sum())
                counts[kind] += max(one.ranks[kind] - held / widths[kind] ** 2, 0.0)
        found = np.sqrt((squares + _LEAST_COUNTS * _LEAST**2) / (counts + _LEAST_COUNTS))
        before, widths = widths, np.where(ranks > 0, found, widths)
        if np.abs(np.log(widths / before)).max() < _SETTLED:
            break
    return Penalty(*widths.tolist())


def _wider(
    equations: Sequence[CrystalEquations],
    eliminations: Sequence[CrystalElimination],
    rest: Floats,
) -> Floats:
    """(kinds,) by what factor the variances of deviations are larger for not knowing panels, pose
    and beam."""
    alone = more = np.zeros(len(equations[0].restrained))
    for one, done in zip(equations, eliminations, strict=True):
        own: list[float] = []
        others: list[float] = []
        for rows in one.restrained:
            known = rows @ done.back
            through = known @ done.reach[:, :-1]
            own.append(float((known**2).sum()))
            others.append(float(((through @ rest) * through).sum()))
        alone, more = alone + np.array(own), more + np.array(others)
    return np.asarray(1.0 + more / np.maximum(alone, 1e-300))
