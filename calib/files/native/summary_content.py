"""A summary as named arrays and values, which is what files of either format hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from calib.errors import FileFormatError, InputError
from calib.model.base.content import from_content, to_content
from calib.model.detector.correction import N_PARAMETERS, Correction
from calib.model.result.fit_table import FitTable, ShellTable
from calib.model.result.panel_sums import PanelSums
from calib.model.result.report import DatasetUse
from calib.model.result.summary import Additional, Equations, Part, Statement, Summary

Array = np.ndarray[Any, Any]
Take = Callable[[str, tuple[int | None, ...]], Array]
"""Returns the array of a name, of which the shape (None: any length) is checked."""
MOST_PANELS = 4096
_UPPER = np.triu_indices(N_PARAMETERS)
_PLACE = np.zeros((N_PARAMETERS, N_PARAMETERS), dtype=np.int64)
"""The index of each element of a symmetric matrix among those of its upper triangle."""
_PLACE[_UPPER] = _PLACE.T[_UPPER] = np.arange(len(_UPPER[0]))
_COUNTS = ("used_on_panel", "rejected_on_panel", "flagged_on_panel")
_EQUATIONS = {"own": np.float64, "coupling": np.float32, "vector": np.float64}
_TYPES: dict[str, Any] = {
    "point": np.float64,
    **dict.fromkeys(_COUNTS, np.int64),
    "report": np.uint8,
    **{f"{part.value}/{name}": kind for part in Part for name, kind in _EQUATIONS.items()},
    f"{Part.WHOLE.value}/coupling": np.float64,
}
"""The type of each array, in the order in which they are written."""
ARRAYS = tuple(_TYPES)
VALUES = (
    "serial", "layout", "code_version", "started", "chi_square", "n_data", "n_nuisance", "kept",
)  # fmt: skip


def arrays_of(summary: Summary) -> dict[str, Array]:
    """The arrays of a summary by name, in the order of ``ARRAYS``."""
    statement = summary.statement
    text = json.dumps(_report(statement), allow_nan=False, separators=(",", ":"))
    found: dict[str, Array] = {
        "point": statement.point.values,
        **{name: getattr(statement, name) for name in _COUNTS},
        "report": np.frombuffer(text.encode("utf-8"), dtype=np.uint8),
    }
    for part in Part:
        equations = statement.part(part)
        found[f"{part.value}/own"] = equations.own[:, _UPPER[0], _UPPER[1]]
        found[f"{part.value}/coupling"] = equations.coupling
        found[f"{part.value}/vector"] = equations.vector
    return {name: found[name].astype(kind, copy=False) for name, kind in _TYPES.items()}


def values_of(summary: Summary) -> dict[str, str | float | int | None]:
    """The values of a summary by name, in the order of ``VALUES``."""
    statement = summary.statement
    return {
        "serial": summary.serial,
        "layout": summary.layout_id,
        "code_version": summary.code_version,
        "started": None if summary.started is None else summary.started.isoformat(),
        "chi_square": statement.chi_square,
        "n_data": statement.n_data,
        "n_nuisance": statement.n_nuisance,
        "kept": statement.kept,
    }


def summary_of(take: Take, values: Mapping[str, Any], additional: Additional) -> Summary:
    """The summary with these arrays and values.

    Raises ``InputError``, ``KeyError``, ``TypeError``, ``ValueError``, ``AttributeError``,
    ``OverflowError`` or ``RecursionError`` for anything else.
    """
    point = take("point", (None, N_PARAMETERS))
    n = len(point)
    if not 0 < n <= MOST_PANELS:
        raise InputError("bad-shape", f"it has {n} panels.")
    report = json.loads(take("report", (None,)).tobytes().decode("utf-8"))
    statement = Statement(
        use=from_content(DatasetUse, report["use"]),
        point=Correction(point),
        **{part.value: _equations(take, part, n) for part in Part},
        chi_square=from_content(float, values["chi_square"]),
        n_data=from_content(float, values["n_data"]),
        n_nuisance=from_content(int, values["n_nuisance"]),
        kept=from_content(str, values["kept"]),
        used_on_panel=take("used_on_panel", (2, n)),
        rejected_on_panel=take("rejected_on_panel", (n,)),
        flagged_on_panel=take("flagged_on_panel", (n,)),
        fits=FitTable.from_content([report["fit"], *report["panels"]]),
        shells=ShellTable.from_content(report["shells"]),
        n_held_out=from_content(tuple[int, int], report["n_held_out"]),
        null_directions=from_content(tuple[str, ...], report["null_directions"]),
        sums=PanelSums.of_arrays(additional.arrays, n),
    )
    started = values["started"]
    return Summary(
        statement=statement,
        serial=from_content(str, values["serial"]),
        layout_id=from_content(str, values["layout"]),
        code_version=from_content(str, values["code_version"]),
        started=None if started is None else from_content(datetime, started),
        additional=additional,
    )


def _report(statement: Statement) -> dict[str, Any]:
    fit, *panels = statement.fits.content()
    return {
        "use": to_content(statement.use),
        "fit": fit,
        "panels": panels,
        "shells": statement.shells.content(),
        "n_held_out": list(statement.n_held_out),
        "null_directions": list(statement.null_directions),
    }


def _equations(take: Take, part: Part, n: int) -> Equations:
    own = take(f"{part.value}/own", (n, len(_UPPER[0])))[:, _PLACE]
    coupling = take(f"{part.value}/coupling", (None, N_PARAMETERS * n))
    if len(coupling) > N_PARAMETERS * n:
        raise InputError("bad-shape", f"{part.value}/coupling has the shape {coupling.shape}.")
    return Equations(own, coupling, take(f"{part.value}/vector", (N_PARAMETERS * n,)))


def foreign(place: str, problem: str) -> FileFormatError:
    """The error for a file that is no summary."""
    return FileFormatError(
        "not-a-summary",
        problem,
        place=place,
        remedy="give a file written by calib summary export.",
    )


def is_format(text: object) -> bool:
    """Whether this is the name of a format of summaries, known or not."""
    return isinstance(text, str) and bool(re.fullmatch(r"calib/summary/[0-9]{1,6}", text))


def newer(place: str, found: str, known: str) -> FileFormatError:
    """The error for a format that this program does not know."""
    return FileFormatError(
        "summary-newer",
        f"the summary has the format {found}; this program reads {known}.",
        place=place,
        remedy="upgrade calib: pip install --upgrade calib-metrology.",
    )


def damaged(place: str, problem: str) -> FileFormatError:
    """The error for a summary that is not as it was written."""
    return FileFormatError(
        "damaged-summary",
        f"the summary is damaged: {problem}",
        place=place,
        remedy="export it again from the store, or derive it again from the data.",
    )
