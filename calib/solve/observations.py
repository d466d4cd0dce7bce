"""The reflections of one dataset that a solution can use, in the order in which it uses them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.errors import SolveError
from calib.model.arrays import Bools, Floats, Ints
from calib.model.dataset import Dataset
from calib.model.reflections import EXCLUDING_BITS, RECONSIDERED_BITS

FOLDS = 4
"""Every reflection is in one of two halves and held out or not: fold = 2 * half + held out."""
_HELD_OUT_EVERY = 5
_SHORT_BLOCK_RAD = np.radians(2.0)
_FEWEST_BLOCKS = 15
_FEW_IN_GROUP = 5
_SPINDLE_CUTOFF = 0.02
"""Reflections nearer to the spindle, as |(s1 x s0) . axis| of unit vectors, are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """n reflections sorted by (experiment, panel, fold); component arrays are (3, n)."""

    experiment: Ints
    """(n,)"""
    panel: Ints
    """(n,)"""
    fold: Ints
    """(n,) 2 * half + held out."""
    hkl: Floats
    """(3, n)"""
    observed: Floats
    """(3, n) x, y in mm and phi in rad."""
    sigma: Floats
    """(3, n) claimed standard deviations of ``observed``."""
    flagged_on_panel: Ints
    """(n_panels,) indexed reflections kept out by flags that came with the data."""
    n_unfit: int
    """Others left out: outside the scan, too near the spindle, without a variance."""
    group_start: Ints
    """(g + 1,) where each run of equal (experiment, panel, fold, first) begins, and n."""
    first: Ints
    """(n,) the first spline coefficient of the crystal that a reflection depends on."""
    basis: Floats | None
    """(4, n) how much it depends on this and the next three; None where no crystal varies."""

    def __len__(self) -> int:
        return len(self.experiment)

    def varying(
        self, first: Ints, basis: Floats | None, *, by_panel: bool = True
    ) -> tuple[Observations, Ints]:
        """The same reflections, grouped by their spline coefficients too, and the order (n,) in
        which they come; ``first`` (n,) and ``basis`` (4, n) as in the fields of these names.

        Without ``by_panel`` groups run across panels: few and large, for crystals alone.
        """
        panel = self.panel if by_panel else np.zeros_like(self.panel)
        order = np.lexsort((first, self.fold, panel, self.experiment))
        keys = np.stack([k[order] for k in (self.experiment, panel, self.fold, first)])
        change = (np.diff(keys, axis=1) != 0).any(axis=0)
        start = np.concatenate([[0], np.flatnonzero(change) + 1, [len(order)]])
        chosen = self._taken(order, start)
        weights = None if basis is None else np.ascontiguousarray(basis[:, order])
        return replace(chosen, first=first[order], basis=weights), order

    def thinned(self, most: int) -> tuple[Observations, Ints]:
        """At most about so many of the reflections, evenly from every group of five or more, and
        which they are."""
        step = -(-len(self) // most)
        if step == 1:
            return self, np.arange(len(self))
        first = np.repeat(self.group_start[:-1], np.diff(self.group_start))
        few = np.repeat(np.diff(self.group_start) < _FEW_IN_GROUP, np.diff(self.group_start))
        chosen = np.flatnonzero(few | ((np.arange(len(self)) - first) % step == 0))
        return self._taken(chosen, np.searchsorted(chosen, self.group_start)), chosen

    def _taken(self, chosen: Ints, group_start: Ints) -> Observations:
        return replace(
            self,
            experiment=self.experiment[chosen],
            panel=self.panel[chosen],
            fold=self.fold[chosen],
            hkl=np.ascontiguousarray(self.hkl[:, chosen]),
            observed=np.ascontiguousarray(self.observed[:, chosen]),
            sigma=np.ascontiguousarray(self.sigma[:, chosen]),
            group_start=group_start,
            first=self.first[chosen],
            basis=None if self.basis is None else np.ascontiguousarray(self.basis[:, chosen]),
        )

    @property
    def held_out(self) -> Bools:
        """(n,) whether a reflection is kept from the solution that is tested with it."""
        return np.asarray(self.fold % 2 == 1)


def usable_observations(dataset: Dataset, *, ignore_flags: bool = False) -> Observations:
    """The usable reflections of a rotation dataset, with their folds.

    Excluded are reflections with an excluding flag (``ignore_flags`` sets those aside that are
    somebody's judgement), outside their scan, too near the spindle, or without a variance.
    Raises ``SolveError`` where nothing is left.
    """
    table = dataset.reflections
    bits = tuple(b for b in EXCLUDING_BITS if not (ignore_flags and b in RECONSIDERED_BITS))
    indexed = table.indexed
    flagged = indexed & table.flagged(bits)
    fit = _fit_for_use(dataset)
    keep = np.flatnonzero(indexed & ~flagged & fit)
    if not len(keep):
        raise SolveError(
            "no-usable-reflections",
            f"none of the {len(table)} reflections can be used "
            f"({int(flagged.sum())} are flagged as outliers or excluded).",
            place=dataset.name,
            remedy="--ignore-flags, or index the data again with dials.index.",
        )
    fold = _folds(dataset, keep)
    order = np.lexsort((fold, table.panel[keep], table.experiment[keep]))
    chosen, fold = keep[order], fold[order]
    experiment, panel = table.experiment[chosen], table.panel[chosen]
    change = (np.diff(experiment) != 0) | (np.diff(panel) != 0) | (np.diff(fold) != 0)
    start = np.concatenate([[0], np.flatnonzero(change) + 1, [len(chosen)]])
    return Observations(
        experiment=experiment,
        panel=panel,
        fold=fold,
        hkl=np.ascontiguousarray(table.miller_index[chosen].T, dtype=np.float64),
        observed=np.ascontiguousarray(table.centroid_mm[chosen].T),
        sigma=np.sqrt(np.ascontiguousarray(table.variance_mm[chosen].T)),
        flagged_on_panel=np.bincount(table.panel[flagged], minlength=len(dataset.detector.panels)),
        n_unfit=int((indexed & ~flagged & ~fit).sum()),
        group_start=start,
        first=np.zeros(len(chosen), dtype=np.int64),
        basis=None,
    )


def _fit_for_use(dataset: Dataset) -> Bools:
    table, models = dataset.reflections, dataset.experiments
    good: Bools = np.asarray((table.variance_mm > 0.0).all(axis=1))
    good &= np.isfinite(table.centroid_mm).all(axis=1)
    direction = _towards_spot(dataset)
    for index, experiment in enumerate(models.experiments):
        mine = table.experiment == index
        if experiment.scan is None or experiment.goniometer is None or experiment.crystal is None:
            good &= ~mine
            continue
        scan, goniometer = models.scans[experiment.scan], models.goniometers[experiment.goniometer]
        low, high = sorted((scan.start_rad, scan.end_rad))
        phi = table.centroid_mm[mine, 2]
        slack = abs(scan.width_rad)
        s0 = models.beams[experiment.beam].s0
        unit = s0 / np.linalg.norm(s0)
        axis = goniometer.setting @ goniometer.axis
        sine = np.abs(np.cross(direction[mine], unit) @ axis)
        good[mine] &= (phi >= low - slack) & (phi <= high + slack) & (sine > _SPINDLE_CUTOFF)
    return good


def _towards_spot(dataset: Dataset) -> Floats:
    """(n, 3) unit vectors from the sample to each observed spot, on the panels as given."""
    table, frames = dataset.reflections, dataset.detector.frames
    xy = table.centroid_mm[:, :2]
    lab = np.einsum("nij,nj->ni", frames.rotation[table.panel][:, :, :2], xy)
    lab += frames.origin_mm[table.panel]
    with np.errstate(invalid="ignore"):  # positions that are not finite are left out elsewhere
        return np.asarray(lab / np.linalg.norm(lab, axis=1, keepdims=True))


def _folds(dataset: Dataset, keep: Ints) -> Ints:
    """Halves and held-out blocks: runs of phi, short against the crystal's variation.

    Odd blocks make one half, even blocks the other; every fifth block is held out, never the
    first or the last one of a scan.
    """
    table, models = dataset.reflections, dataset.experiments
    experiment, phi = table.experiment[keep], table.centroid_mm[keep, 2]
    fold = np.zeros(len(keep), dtype=np.int64)
    for index, entry in enumerate(models.experiments):
        mine = experiment == index
        if entry.scan is None or not mine.any():
            continue
        scan = models.scans[entry.scan]
        span = abs(scan.end_rad - scan.start_rad)
        n_blocks = max(_FEWEST_BLOCKS, int(np.ceil(span / _SHORT_BLOCK_RAD)))
        first = min(scan.start_rad, scan.end_rad)
        block = np.clip(((phi[mine] - first) / span * n_blocks).astype(np.int64), 0, n_blocks - 1)
        held = (block % _HELD_OUT_EVERY == _HELD_OUT_EVERY // 2) & (block < n_blocks - 1)
        fold[mine] = 2 * (block % 2) + held
    return fold
