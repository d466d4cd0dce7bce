"""The reflections of a table that metrology can use: indexed, observed, finite."""

from __future__ import annotations

import numpy as np

from calib.errors import FileFormatError, InputError
from calib.files.pairs import Pair
from calib.files.refl import Table, read_table
from calib.model.arrays import Bools, Floats, Ints
from calib.model.reflections import Reflections

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


def read_reflections(pair: Pair) -> tuple[Reflections, Floats | None, list[str]]:
    """All usable reflections of a pair, their positions in px (n, 2), and notices.

    ``experiment`` is an index into the whole experiment list. The positions are None where the
    table has none. Raises ``InputError`` and ``FileFormatError``.
    """
    if pair.reflection_path is None:
        return Reflections.none(), None, []
    table = read_table(pair.reflection_path, tuple(_ELEMENT_SHAPES))
    place = str(pair.reflection_path)
    _check_elements(table, place)
    rows = _indexed_rows(pair, table)
    for column in _NEEDED:
        if column not in table:
            raise FileFormatError(
                "missing-column",
                f"there is no column {column!r}, expected one.",
                place=place,
                remedy="index the reflections with dials.index, which makes it.",
            )
    for column in (_MM, _VARIANCE):
        _refuse_not_finite(table.array(column), rows, f"{place}, column {column}")
    experiment = pair.experiment_of_rows(table)[rows]
    _refuse_without_crystal(pair, experiment)
    chosen = _with_variance(pair, experiment, table.array(_VARIANCE)[rows])
    notices = []
    if not chosen.all():
        notices.append(
            f"{int((~chosen).sum())} of {len(rows)} indexed reflections in "
            f"{pair.reflection_path.name} have no variance, since nothing was observed there, and "
            "are left out."
        )
    if not chosen.any():
        raise InputError(
            "no-variances",
            f"none of {len(rows)} indexed reflections has variances above 0.",
            place=f"{place}, column {_VARIANCE}",
            remedy="index and refine with DIALS, which estimates them.",
        )
    rows, experiment = rows[chosen], experiment[chosen]
    flags = table.array("flags")[rows] if "flags" in table else np.zeros(len(rows))
    reflections = Reflections(
        experiment,
        table.array("panel").astype(np.int64)[rows],
        table.array("miller_index")[rows],
        table.array(_MM)[rows],
        table.array(_VARIANCE)[rows],
        flags.astype(np.int64),
    )
    px = np.asarray(table.array(_PX)[rows, :2]) if _PX in table else None
    return reflections, px, notices


def _check_elements(table: Table, place: str) -> None:
    for name, column in table.columns.items():
        wanted = _ELEMENT_SHAPES[name]
        if isinstance(column.values, bytes) or column.values.shape[1:] != wanted:
            count = f"{wanted[0]} numbers" if wanted else "one number"
            raise FileFormatError(
                "bad-column",
                f"the type is {column.typename}, expected {count} a row.",
                place=f"{place}, column {name}",
                remedy="write the table again with DIALS.",
            )


def _indexed_rows(pair: Pair, table: Table) -> Ints:
    """The rows of indexed reflections: an experiment, and an index other than 0, 0, 0."""
    rows = np.zeros(0, dtype=np.int64)
    if "id" in table and "miller_index" in table:
        hkl = table.array("miller_index")
        rows = np.flatnonzero((table.array("id") >= 0) & (hkl != 0).any(axis=1))
    if not len(rows):
        raise InputError(
            "no-indexed-reflections",
            f"none of {table.nrows} reflections is indexed.",
            place=str(pair.reflection_path),
            remedy="dials.index, and give the files that it writes.",
        )
    return rows


def _refuse_not_finite(values: Floats, rows: Ints, place: str) -> None:
    bad = rows[~np.isfinite(values[rows]).all(axis=1)]
    if len(bad):
        raise FileFormatError(
            "not-finite",
            f"NaN or infinity in {len(bad)} indexed reflections, the first of them in row "
            f"{int(bad[0])} (counted from 0).",
            place=place,
            remedy="take these reflections out, or process the images again with DIALS.",
        )


def _refuse_without_crystal(pair: Pair, experiment: Ints) -> None:
    for index in np.unique(experiment).tolist():
        if pair.file.experiments.experiments[index].crystal is None:
            raise InputError(
                "no-crystal",
                f"experiment {index} has indexed reflections but no crystal.",
                place=pair.names,
                remedy="give the .expt file that dials.index wrote with these reflections.",
            )


def _with_variance(pair: Pair, experiment: Ints, variance: Floats) -> Bools:
    """(n,) whether x and y, and phi where the crystal turns, have a variance above 0."""
    turns = np.array([e.goniometer is not None for e in pair.file.experiments.experiments])
    positive = variance > 0.0
    return np.asarray(positive[:, 0] & positive[:, 1] & (positive[:, 2] | ~turns[experiment]))
