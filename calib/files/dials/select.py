"""Select the reflections that metrology can use: indexed, observed, finite.

The table is read in blocks of rows, and only what is kept of each stays in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.errors import FileFormatError, InputError
from calib.files.dials.ideal_positions import refuse_ideal_positions
from calib.files.dials.pairs import Pair
from calib.files.dials.plausibility import PxAgreement
from calib.files.dials.refl import ELEMENTS, Table, read_blocks
from calib.files.dials.refl_header import TableIndex
from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.base.bounds import ANGLE_RAD, AREA_MM2, INDEX, LENGTH_MM, Bounds
from calib.model.experiment.reflections import Reflections

_MM, _VARIANCE, _PX = "xyzobs.mm.value", "xyzobs.mm.variance", "xyzobs.px.value"
_ELEMENT_SHAPES: dict[str, tuple[int, ...]] = {
    "id": (),
    "panel": (),
    "miller_index": (3,),
    _MM: (3,),
    _VARIANCE: (3,),
    _PX: (3,),
    "flags": (),
}
_NEEDED = ("panel", _MM, _VARIANCE)
_BLOCK = 1 << 18
"""Rows at a time."""


class Selected(NamedTuple):
    """The usable reflections of a pair."""

    reflections: Reflections
    """``experiment`` is an index into the whole experiment list."""
    px: dict[int, PxAgreement]
    """How far mm and px agree, by index of the detector."""
    notices: list[str]
    row: Ints
    """(n,) of each reflection in the table; none unless detectors are cut into modules."""


def read_reflections(pair: Pair) -> Selected:
    """All usable reflections of a pair. Raises ``InputError`` and ``FileFormatError``."""
    if pair.reflection_path is None or pair.index is None:
        return Selected(Reflections.none(), {}, [], np.zeros(0, dtype=np.int64))
    place = str(pair.reflection_path)
    check_columns(pair.index, place)
    gathered = _Gathered(pair, place)
    if "id" in pair.index.columns and "miller_index" in pair.index.columns:
        for block in read_blocks(pair.reflection_path, tuple(_ELEMENT_SHAPES), _BLOCK):
            gathered.add(block)
    row = np.concatenate([np.zeros(0, dtype=np.int64), *gathered.rows])
    return Selected(gathered.reflections(), gathered.px, gathered.notices(), row)


def check_columns(index: TableIndex, place: str) -> None:
    """Raise ``FileFormatError`` where a column that is used has elements of another type, and
    ``InputError`` where its positions were moved."""
    refuse_ideal_positions(index, place)
    for name, span in index.columns.items():
        if name in _ELEMENT_SHAPES:
            _check_element(name, span.typename, place)


@dataclass(slots=True)
class _NotFinite:
    """Indexed rows of a column with NaN, infinity or values out of bounds."""

    count: int = 0
    first: int = -1

    def add(self, rows: Ints, offset: int) -> None:
        """Count rows of a block that begins at row ``offset`` of the table."""
        if len(rows) and not self.count:
            self.first = offset + int(rows[0])
        self.count += len(rows)


_LEAST_VARIANCE = 1e-24
"""In mm^2 or rad^2: a positive one below it makes weights too large for sums of squares."""
_BOUNDS: dict[str, tuple[tuple[slice, Bounds], ...]] = {
    "miller_index": ((slice(None), INDEX),),
    _MM: ((slice(0, 2), LENGTH_MM), (slice(2, 3), ANGLE_RAD)),
    _VARIANCE: ((slice(None), replace(AREA_MM2, minimum=-AREA_MM2.maximum)),),
}
"""Of the numbers of a column; a variance of 0 or less marks a reflection that was not observed."""


class _Gathered:
    """The selected reflections of the blocks read so far."""

    def __init__(self, pair: Pair, place: str) -> None:
        assert pair.index is not None  # noqa: S101 - the pair has a table
        self.pair, self.place, n = pair, place, pair.index.nrows
        self.missing = [name for name in _NEEDED if name not in pair.index.columns]
        self.row, self.n_indexed, self.n_kept = 0, 0, 0
        self.rows: list[Ints] = []
        self.n_rows = n
        self.bad = {_MM: _NotFinite(), _VARIANCE: _NotFinite()}
        self.beyond = {name: _NotFinite() for name in _BOUNDS}
        # Pages that are never written take no memory.
        self.kept: dict[str, NDArray[Any]] = {
            "experiment": np.empty(n, dtype=np.int32),
            "panel": np.empty(n, dtype=np.int32),
            "miller_index": np.empty((n, 3), dtype=np.int32),
            "centroid_mm": np.empty((n, 3)),
            "variance_mm": np.empty((n, 3)),
            "flags": np.zeros(n, dtype=np.int32),
        }
        entries = pair.file.experiments.experiments
        self.detector_of = np.array([entry.detector for entry in entries])
        self.rotates = np.array([entry.goniometer is not None for entry in entries])
        self.has_crystal = np.array([entry.crystal is not None for entry in entries])
        self.px = {index: PxAgreement() for index in np.unique(self.detector_of).tolist()}

    def add(self, block: Table) -> None:
        """Select the usable reflections of a block."""
        hkl = block.array("miller_index")
        rows = np.flatnonzero((block.array("id") >= 0) & (hkl != 0).any(axis=1))
        self.n_indexed += len(rows)
        if not self.missing:
            self._keep(block, rows)
        self.row += block.nrows

    def _keep(self, block: Table, rows: Any) -> None:
        for column, bounds in _BOUNDS.items():
            values = block.array(column)
            if all(limits.all_in(values[:, part]) for part, limits in bounds) and (
                column != _VARIANCE or values.size == 0 or values.min() >= _LEAST_VARIANCE
            ):
                continue
            finite = np.isfinite(values[rows]).all(axis=1)
            if column in self.bad:
                self.bad[column].add(rows[~finite], self.row)
            outside = np.zeros(len(rows), dtype=np.bool_)
            for part, limits in bounds:
                found = values[rows, part]
                outside |= ((found < limits.minimum) | (found > limits.maximum)).any(axis=1)
            if column == _VARIANCE:
                tiny = (values[rows] > 0.0) & (values[rows] < _LEAST_VARIANCE)
                outside |= tiny.any(axis=1)
            self.beyond[column].add(rows[outside & finite], self.row)
        if any(rows_beyond.count for rows_beyond in self.beyond.values()):
            return  # refused by ``reflections`` once all rows are counted
        experiment = self.pair.experiment_of_rows(block)[rows]
        self._refuse_without_crystal(experiment)
        chosen = self._with_variance(experiment, block.array(_VARIANCE)[rows])
        rows, experiment = rows[chosen], experiment[chosen]
        if self.pair.modules:
            self.rows.append(rows + self.row)
        part = slice(self.n_kept, self.n_kept + len(rows))
        self.n_kept = part.stop
        if len(rows) == block.nrows:
            rows = slice(None)
        panel = block.array("panel")[rows].astype(np.int64)
        # Beyond any detector, so that it is refused later instead of wrapping around.
        panel = np.where((panel < 0) | (panel > 2**31 - 1), 2**31 - 1, panel)
        self.kept["experiment"][part] = experiment
        self.kept["panel"][part] = panel
        self.kept["miller_index"][part] = block.array("miller_index")[rows]
        self.kept["centroid_mm"][part] = block.array(_MM)[rows]
        self.kept["variance_mm"][part] = block.array(_VARIANCE)[rows]
        if "flags" in block:
            self.kept["flags"][part] = block.array("flags")[rows].astype(np.int32)
        if _PX in block:
            self._check_px(experiment, panel, block.array(_MM)[rows, :2], block.array(_PX)[rows])

    def _refuse_without_crystal(self, experiment: Ints) -> None:
        lost = experiment[~self.has_crystal[experiment]]
        if len(lost):
            raise InputError(
                "no-crystal",
                f"experiment {int(lost.min())} has indexed reflections but no crystal.",
                place=self.pair.names,
                remedy="give the .expt file that dials.index wrote with these reflections.",
            )

    def _with_variance(self, experiment: Ints, variance: Floats) -> Bools:
        """(n,) whether x and y, and phi where the crystal rotates, have a variance above 0."""
        positive = variance > 0.0
        rotates = self.rotates[experiment]
        return np.asarray(positive[:, 0] & positive[:, 1] & (positive[:, 2] | ~rotates))

    def _check_px(self, experiment: Ints, panel: Ints, mm: Floats, px: Floats) -> None:
        detectors = self.pair.file.experiments.detectors
        for index, agreement in self.px.items():
            mine = self.detector_of[experiment] == index
            mine &= panel < len(detectors[index].panels)
            agreement.add(mm[mine], px[mine, :2], panel[mine], detectors[index])

    def reflections(self) -> Reflections:
        """The selected reflections; raises where there are none, or values are invalid."""
        if not self.n_indexed:
            raise InputError(
                "no-indexed-reflections",
                f"none of {self.n_rows} reflections is indexed.",
                place=self.place,
                remedy="run dials.index, and give the files that it writes.",
            )
        for column in self.missing:
            raise FileFormatError(
                "missing-column",
                f"there is no column {column!r}, expected one.",
                place=self.place,
                remedy="index the reflections with dials.index, which makes it.",
            )
        for column, bad in self.bad.items():
            if bad.count:
                raise FileFormatError(
                    "not-finite",
                    f"NaN or infinity in {bad.count} indexed reflections, the first of them in row "
                    f"{bad.first} (counted from 0).",
                    place=f"{self.place}, column {column}",
                    remedy="take these reflections out, or process the images again with DIALS.",
                )
        for column, beyond in self.beyond.items():
            if beyond.count:
                expected = " and ".join(limits.expected for _, limits in _BOUNDS[column])
                raise FileFormatError(
                    "out-of-bounds",
                    f"{beyond.count} indexed reflections have values out of range, the first of "
                    f"them in row {beyond.first} (counted from 0), expected {expected}.",
                    place=f"{self.place}, column {column}",
                    remedy="take these reflections out, or process the images again with DIALS.",
                )
        if not self.n_kept:
            raise InputError(
                "no-variances",
                f"none of {self.n_indexed} indexed reflections has variances above 0.",
                place=f"{self.place}, column {_VARIANCE}",
                remedy="index and refine with DIALS, which estimates them.",
            )
        for array in self.kept.values():
            array.flags.writeable = False
        return Reflections(**{name: array[: self.n_kept] for name, array in self.kept.items()})

    def notices(self) -> list[str]:
        """Notices about rows that were left out."""
        lost, name = self.n_indexed - self.n_kept, self.place.rpartition("/")[2]
        if not lost:
            return []
        return [
            f"{lost} of {self.n_indexed} indexed reflections in {name} have no variance, since "
            "nothing was observed there, and are left out."
        ]


def _check_element(name: str, typename: str, place: str) -> None:
    wanted = _ELEMENT_SHAPES[name]
    if typename not in ELEMENTS or ELEMENTS[typename][1] != wanted:
        count = f"{wanted[0]} numbers" if wanted else "one number"
        raise FileFormatError(
            "bad-column",
            f"the type is {typename}, expected {count} a row.",
            place=f"{place}, column {name}",
            remedy="write the table again with DIALS.",
        )
