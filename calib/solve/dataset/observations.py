"""The usable reflections of one dataset, sorted for accumulation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from calib.errors import SolveError
from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.reflections import (
    EXCLUDING_BITS,
    OUTLIER_BIT,
    RECONSIDERED_BITS,
)
from calib.solve.dataset.selection import fit_for_use, folds_of

FOLDS = 8
"""Every reflection is in one of two halves of alternate blocks, held out or not, and in the first
or last half of its scan: fold = 4 * late + 2 * half + held out."""
WITHOUT_HELD_OUT, EARLY, LATE = (0, 2, 4, 6), (0, 1, 2, 3), (4, 5, 6, 7)
"""The folds of reflections that are not held out, of first halves of scans, and of last halves."""
_FEW_IN_GROUP = 5
_CHUNK = 8192
"""Reflections processed at a time, so that their derivatives stay in the processor's cache."""
_SHORT_RUNS = 32
"""Mean reflections per panel and experiment below which parts span several panels."""
_ENOUGH = 1024
"""Smallest number of reflections in a part of its own."""
_STILL_SIGMA_RAD = 1e-3
"""Assumed scatter of delta-psi until it is estimated."""


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """n reflections sorted by (experiment, panel, fold); component arrays are (3, n)."""

    experiment: Ints
    """(n,)"""
    panel: Ints
    """(n,)"""
    fold: Ints
    """(n,) 4 * late + 2 * half + held out."""
    hkl: NDArray[np.float32]
    """(3, n), exact in 32 bits"""
    observed: Floats
    """(3, n) x, y in mm and phi in rad; for stills delta-psi, whose observed value is 0, in place
    of phi."""
    sigma: Floats
    """(3, n) stated standard deviations of ``observed``."""
    flagged_on_panel: Ints
    """(n_panels,) number of indexed reflections excluded by flags in the file, without those that
    are ``flagged``."""
    n_unfit: int
    """Number of others excluded: outside the scan, too close to the spindle, without a variance."""
    group_start: Ints
    """(g + 1,) where each run of equal (experiment, panel, fold, first) begins, and n."""
    first: Ints
    """(n,) index of the first spline coefficient that a reflection depends on."""
    basis: Floats | None
    """(4, n) how much it depends on this and the next three, or (2, n) on this and the next; None
    where no crystal varies."""
    flagged: Bools | None = None
    """(n,) usable reflections that an earlier refinement flagged as outliers, to be judged anew;
    None if there are none."""

    def __len__(self) -> int:
        return len(self.experiment)

    def varying(self, first: Ints, basis: Floats | None) -> tuple[Observations, Ints]:
        """The same reflections, grouped by their spline coefficients too, and the order (n,) in
        which they come; ``first`` (n,) and ``basis`` as in the fields of these names.
        """
        order = np.lexsort((first, self.fold, self.panel, self.experiment))
        keys = np.stack([k[order] for k in (self.experiment, self.panel, self.fold, first)])
        change = (np.diff(keys, axis=1) != 0).any(axis=0)
        start = np.concatenate([[0], np.flatnonzero(change) + 1, [len(order)]])
        chosen = self._taken(order, start)
        weights = None if basis is None else np.ascontiguousarray(basis[:, order])
        return replace(chosen, first=first[order], basis=weights), order

    def where(self, chosen: Bools) -> Observations:
        """The reflections of a mask (n,)."""
        places = np.flatnonzero(chosen)
        return self._taken(places, np.unique(np.searchsorted(places, self.group_start)))

    def run(self, low: int, high: int) -> Observations:
        """The reflections from index ``low`` to before ``high``; groups begin at both."""
        first, last = np.searchsorted(self.group_start, (low, high)).tolist()
        return self._taken(slice(low, high), self.group_start[first : last + 1] - low)

    def thinned(self, most: int, *, whole_crystals: bool = False) -> tuple[Observations, Ints]:
        """At most about ``most`` of the reflections, and their indices: evenly from every group of
        five or more or, with ``whole_crystals``, all those of some experiments."""
        step = -(-len(self) // most)
        if step == 1:
            return self, np.arange(len(self))
        if whole_crystals:
            number = np.cumsum(np.diff(self.experiment, prepend=-1) != 0) - 1
            chosen = np.flatnonzero(number % step == 0)
            left = np.unique(np.searchsorted(chosen, self.group_start))
            return self._taken(chosen, left), chosen
        first = np.repeat(self.group_start[:-1], np.diff(self.group_start))
        few = np.repeat(np.diff(self.group_start) < _FEW_IN_GROUP, np.diff(self.group_start))
        chosen = np.flatnonzero(few | ((np.arange(len(self)) - first) % step == 0))
        return self._taken(chosen, np.searchsorted(chosen, self.group_start)), chosen

    def _taken(self, chosen: Ints | slice, group_start: Ints) -> Observations:
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
            flagged=None if self.flagged is None else self.flagged[chosen],
        )

    def parts(self) -> list[slice]:
        """Runs of reflections: one panel of one experiment where it has many, else several."""
        start = self.group_start
        head = start[:-1]
        new = (np.diff(self.experiment[head]) != 0) | (np.diff(self.panel[head]) != 0)
        if len(self) < _SHORT_RUNS * (1 + int(new.sum())):
            return [slice(low, min(low + _CHUNK, len(self))) for low in range(0, len(self), _CHUNK)]
        bounds = [0, *head[1:][new].tolist(), len(self)]
        parts, low = [], 0
        for begin, end in pairwise(bounds):
            if low < begin and (end - begin >= _ENOUGH or end - low > _CHUNK):
                parts.append(slice(low, begin))
                low = begin
            while end - low > _CHUNK:
                parts.append(slice(low, low + _CHUNK))
                low += _CHUNK
            if low >= begin and end - low >= _ENOUGH:
                parts.append(slice(low, end))
                low = end
        if low < len(self):
            parts.append(slice(low, len(self)))
        return parts

    @property
    def held_out(self) -> Bools:
        """(n,) whether a reflection is withheld from the solution that is tested with it."""
        return np.asarray(self.fold % 2 == 1)


def usable_observations(
    dataset: Dataset, *, ignore_flags: bool = False, obey_flags: bool = False
) -> Observations:
    """The usable reflections of a dataset, with their folds.

    Excluded are reflections with an excluding flag (with ``ignore_flags`` without those that an
    earlier refinement set), outside their scan, too close to the spindle, or without a variance.
    Those whose only excluding flag is that of an outlier are included, to be judged anew, unless
    ``obey_flags``. Raises ``SolveError`` if no other is left.
    """
    table = dataset.reflections
    bits = tuple(b for b in EXCLUDING_BITS if not (ignore_flags and b in RECONSIDERED_BITS))
    indexed = table.indexed
    flagged = indexed & table.flagged(bits)
    fit = fit_for_use(dataset)
    again: Bools = np.zeros(len(table), dtype=np.bool_)
    if not (ignore_flags or obey_flags):
        others = tuple(bit for bit in bits if bit != OUTLIER_BIT)
        again = flagged & fit & ~table.flagged(others)
    keep = np.flatnonzero(indexed & fit & (~flagged | again))
    if not len(keep) or again[keep].all():
        raise SolveError(
            "no-usable-reflections",
            f"none of the {len(table)} reflections can be used "
            f"({int(flagged.sum())} are flagged as outliers or excluded).",
            place=dataset.name,
            remedy="--ignore-flags, or index the data again with dials.index.",
        )
    fold = folds_of(dataset, keep)
    order = np.lexsort((fold, table.panel[keep], table.experiment[keep]))
    chosen, fold = keep[order], fold[order]
    experiment, panel = table.experiment[chosen], table.panel[chosen]
    change = (np.diff(experiment) != 0) | (np.diff(panel) != 0) | (np.diff(fold) != 0)
    start = np.concatenate([[0], np.flatnonzero(change) + 1, [len(chosen)]])
    still = dataset.experiments.stills[experiment]
    # Row by row to save memory: there may be many millions.
    observed, sigma = np.empty((3, len(chosen))), np.empty((3, len(chosen)))
    hkl = np.empty((3, len(chosen)), dtype=np.float32)
    for row in range(3):
        observed[row] = table.centroid_mm[chosen, row]
        np.sqrt(table.variance_mm[chosen, row], out=sigma[row])
        hkl[row] = table.miller_index[chosen, row]
    observed[2, still], sigma[2, still] = 0.0, _STILL_SIGMA_RAD
    return Observations(
        experiment=experiment,
        panel=panel,
        fold=fold,
        hkl=hkl,
        observed=observed,
        sigma=sigma,
        flagged_on_panel=np.bincount(
            table.panel[flagged & ~again], minlength=len(dataset.detector.panels)
        ),
        n_unfit=int((indexed & ~flagged & ~fit).sum()),
        group_start=start,
        first=np.zeros(len(chosen), dtype=np.int32),
        basis=None,
        flagged=again[chosen] if again.any() else None,
    )
