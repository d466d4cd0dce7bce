"""Summaries as HDF5 files; the format is described in docs/reference/summaries.md."""

from __future__ import annotations

import hashlib
import io
import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from calib.errors import CalibError, FileFormatError, InputError
from calib.files.atomic import read_bytes
from calib.model.base.content import from_content, to_content
from calib.model.detector.correction import N_PARAMETERS, Correction
from calib.model.result.fit_table import FitTable, ShellTable
from calib.model.result.report import DatasetUse
from calib.model.result.summary import FORMAT, Equations, Part, Statement, Summary

SUFFIX = ".calib.h5"
_MOST_PANELS = 4096
_LEAST_LIMIT = 64 * 2**20
_LARGEST_RATIO = 100
"""Limit of the size of arrays as a multiple of the file's, or the limit above if that is more."""
_UPPER = np.triu_indices(N_PARAMETERS)
_PLACE = np.zeros((N_PARAMETERS, N_PARAMETERS), dtype=np.int64)
"""The index of each element of a symmetric matrix among those of its upper triangle."""
_PLACE[_UPPER] = _PLACE.T[_UPPER] = np.arange(len(_UPPER[0]))
_COUNTS = ("used_on_panel", "rejected_on_panel", "flagged_on_panel")
_NUMBERS = ("chi_square", "n_data", "n_nuisance", "kept")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_END_OF_FILE = slice(40, 48)
"""Of HDF5's superblock of version 0, which is what ``libver="earliest"`` writes."""


def summary_bytes(summary: Summary) -> bytes:
    """The bytes of a summary file; the same library writes the same bytes."""
    statement = summary.statement
    out = io.BytesIO()
    with h5py.File(out, "w", libver=("earliest", "v108")) as file:
        file.attrs["format"] = FORMAT
        file.attrs["checksum"] = summary.checksum
        file.attrs["serial"] = summary.serial
        file.attrs["layout"] = summary.layout_id
        file.attrs["code_version"] = summary.code_version
        file.attrs["started"] = "" if summary.started is None else summary.started.isoformat()
        for name in _NUMBERS:
            file.attrs[name] = getattr(statement, name)
        _put(file, "point", statement.point.values)
        for name in _COUNTS:
            _put(file, name, getattr(statement, name))
        text = json.dumps(_report(statement), allow_nan=False)
        _put(file, "report", np.frombuffer(text.encode("utf-8"), dtype=np.uint8))
        for part in Part:
            equations, group = statement.part(part), file.create_group(part.value)
            _put(group, "own", equations.own[:, _UPPER[0], _UPPER[1]])
            kind = np.float64 if part is Part.WHOLE else np.float32
            _put(group, "coupling", equations.coupling.astype(kind))
            _put(group, "vector", equations.vector)
    content = out.getvalue()
    return content + _seal(content)


def read_summary(path: Path) -> Summary:
    """The summary in a file. Raises ``MissingFileError`` and ``FileFormatError``."""
    return summary_from_bytes(read_bytes(path), str(path))


def summary_from_bytes(content: bytes, place: str) -> Summary:
    """The summary in the bytes of its file, verified against its checksum.

    Raises ``FileFormatError`` for another file, and one that is truncated, damaged or of a newer
    format.
    """
    if not content.startswith(_SIGNATURE):
        raise _foreign(place, "this is not an HDF5 file.")
    # Before HDF5 reads them: on some damaged bytes it never returns.
    end = int.from_bytes(content[_END_OF_FILE], "little")
    if content[end:] not in (b"", _seal(content[:end])):
        raise _damaged(place, "its bytes are not those that were written.")
    try:
        with h5py.File(h5py.h5f.open_file_image(content)) as file:
            summary, written = _read(file, place, len(content))
        checksum = summary.checksum
    except FileFormatError:
        raise
    except CalibError as error:
        raise _damaged(place, error.problem) from error
    except Exception as error:  # on damaged files HDF5 raises errors of any type
        raise _damaged(place, f"it cannot be read ({_first_line(error)}).") from error
    if checksum != written:
        raise _damaged(place, "its content does not have the checksum that it was written with.")
    return summary


def _seal(content: bytes) -> bytes:
    """The hash after HDF5's own bytes; summaries of earlier versions have none."""
    return b"\nsha256 " + hashlib.sha256(content).hexdigest().encode() + b"\n"


def _read(file: h5py.File, place: str, size: int) -> tuple[Summary, str]:
    found = file.attrs.get("format")
    if not isinstance(found, str) or not found.startswith("calib/summary/"):
        raise _foreign(place, "this HDF5 file is not a summary.")
    if found != FORMAT:
        raise FileFormatError(
            "summary-newer",
            f"the summary has the format {found}; this program reads {FORMAT}.",
            place=place,
            remedy="upgrade calib: pip install --upgrade calib-metrology.",
        )
    arrays = _Arrays(file, size)
    point = arrays.taken("point", (None, N_PARAMETERS))
    n = len(point)
    if not 0 < n <= _MOST_PANELS:
        raise InputError("bad-shape", f"it has {n} panels.")
    report = json.loads(arrays.taken("report", (None,)).tobytes())
    started = str(_attribute(file, "started"))
    statement = Statement(
        use=from_content(DatasetUse, report["use"]),
        point=Correction(point),
        **{part.value: _equations(arrays, part, n) for part in Part},
        chi_square=float(_attribute(file, "chi_square")),
        n_data=float(_attribute(file, "n_data")),
        n_nuisance=int(_attribute(file, "n_nuisance")),
        kept=str(_attribute(file, "kept")),
        used_on_panel=arrays.taken("used_on_panel", (2, n)),
        rejected_on_panel=arrays.taken("rejected_on_panel", (n,)),
        flagged_on_panel=arrays.taken("flagged_on_panel", (n,)),
        fits=FitTable.from_content([report["fit"], *report["panels"]]),
        shells=ShellTable.from_content(report["shells"]),
        n_held_out=(int(report["n_held_out"][0]), int(report["n_held_out"][1])),
        null_directions=tuple(report["null_directions"]),
    )
    summary = Summary(
        statement=statement,
        serial=str(_attribute(file, "serial")),
        layout_id=str(_attribute(file, "layout")),
        code_version=str(_attribute(file, "code_version")),
        started=datetime.fromisoformat(started) if started else None,
    )
    return summary, str(_attribute(file, "checksum"))


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


def _equations(arrays: _Arrays, part: Part, n: int) -> Equations:
    own = arrays.taken(f"{part.value}/own", (n, len(_UPPER[0])))[:, _PLACE]
    coupling = arrays.taken(f"{part.value}/coupling", (None, N_PARAMETERS * n))
    return Equations(own, coupling, arrays.taken(f"{part.value}/vector", (N_PARAMETERS * n,)))


def _put(group: h5py.Group, name: str, values: np.ndarray[Any, Any]) -> None:
    group.create_dataset(
        name,
        data=values,
        compression="gzip" if values.size else None,
        shuffle=bool(values.size),
        track_times=False,
    )


class _Arrays:
    """The arrays of a file, which must be in it, and not larger than its size allows."""

    def __init__(self, file: h5py.File, size: int) -> None:
        self.file = file
        self.left = max(_LEAST_LIMIT, _LARGEST_RATIO * size)
        self._within: set[str] = set()

    def taken(self, name: str, shape: tuple[int | None, ...]) -> np.ndarray[Any, Any]:
        """An array of numbers, checked before its content is read."""
        # The low-level interface is faster: forty summaries have hundreds of small arrays.
        self._must_lie_within(name)
        dataset = h5py.h5d.open(self.file.id, name.encode())
        made, found, kind = dataset.get_create_plist(), dataset.shape, dataset.dtype
        if made.get_layout() == h5py.h5d.VIRTUAL or made.get_external_count():
            raise InputError("bad-link", f"/{name} lies in another file.")
        fits = len(found) == len(shape) and all(
            want is None or have == want for have, want in zip(found, shape, strict=True)
        )
        if not fits or (name.endswith("/coupling") and found[0] > found[1]):
            raise InputError("bad-shape", f"/{name} has the shape {found}.")
        if kind.kind not in "fiu":
            raise InputError("bad-type", f"/{name} is of the type {kind}.")
        self.left -= math.prod(found) * kind.itemsize
        if self.left < 0:
            raise InputError(
                "too-large", f"/{name} has the shape {found}, too large for this file."
            )
        out = np.empty(found, kind)
        if out.size:
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, out)
        out.flags.writeable = False  # so that it is kept without a copy
        return out

    def _must_lie_within(self, name: str) -> None:
        group, _, _ = name.rpartition("/")
        if group and group not in self._within:
            self._must_lie_within(group)
            self._within.add(group)
        if self.file.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            raise InputError("bad-link", f"/{name} is a link to somewhere else.")


def _attribute(file: h5py.File, name: str) -> Any:
    """An attribute, text or number."""
    attribute = h5py.h5a.open(file.id, name.encode())
    out = np.empty(attribute.shape, attribute.dtype)
    attribute.read(out)
    found: Any = out[()]
    return found.decode("utf-8") if isinstance(found, bytes) else found


def _foreign(place: str, problem: str) -> FileFormatError:
    return FileFormatError(
        "not-a-summary",
        problem,
        place=place,
        remedy="give a file written by calib summary export.",
    )


def _damaged(place: str, problem: str) -> FileFormatError:
    return FileFormatError(
        "damaged-summary",
        f"the summary is damaged: {problem}",
        place=place,
        remedy="export it again from the store, or derive it again from the data.",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
