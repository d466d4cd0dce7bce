"""Summaries as HDF5 files; docs/summaries.md is the format's description."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from calib.errors import CalibError, FileFormatError, InputError
from calib.files.safe import read_bytes
from calib.model.content import from_content, to_content
from calib.model.correction import Correction
from calib.model.fit_table import FitTable, ShellTable
from calib.model.report import DatasetUse
from calib.model.summary import FORMAT, Equations, Part, Statement, Summary

SUFFIX = ".calib.h5"
_MOST_PANELS = 4096
_LONGEST = 1 << 28
"""Of an array whose length the number of panels does not say."""
_UPPER = np.triu_indices(6)
_PLACE = np.zeros((6, 6), dtype=np.int64)
"""Where each element of a symmetric matrix stands among those of its upper triangle."""
_PLACE[_UPPER] = _PLACE.T[_UPPER] = np.arange(len(_UPPER[0]))
_COUNTS = ("used_on_panel", "rejected_on_panel", "flagged_on_panel")
_NUMBERS = ("chi_square", "n_data", "n_nuisance", "kept")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def summary_bytes(summary: Summary) -> bytes:
    """The file of a summary, the same bytes each time from the same library."""
    said = summary.statement
    out = io.BytesIO()
    with h5py.File(out, "w", libver=("earliest", "v108")) as file:
        file.attrs["format"] = FORMAT
        file.attrs["checksum"] = summary.checksum
        file.attrs["serial"] = summary.serial
        file.attrs["layout"] = summary.layout_id
        file.attrs["code_version"] = summary.code_version
        file.attrs["started"] = "" if summary.started is None else summary.started.isoformat()
        for name in _NUMBERS:
            file.attrs[name] = getattr(said, name)
        _put(file, "point", said.point.values)
        for name in _COUNTS:
            _put(file, name, getattr(said, name))
        text = json.dumps(_report(said), allow_nan=False)
        _put(file, "report", np.frombuffer(text.encode("utf-8"), dtype=np.uint8))
        for part in Part:
            equations, group = said.part(part), file.create_group(part.value)
            _put(group, "own", equations.own[:, _UPPER[0], _UPPER[1]])
            kind = np.float64 if part is Part.WHOLE else np.float32
            _put(group, "coupling", equations.coupling.astype(kind))
            _put(group, "vector", equations.vector)
    return out.getvalue()


def read_summary(path: Path) -> Summary:
    """The summary in a file. Raises ``MissingFileError`` and ``FileFormatError``."""
    return summary_from_bytes(read_bytes(path), str(path))


def summary_from_bytes(content: bytes, place: str) -> Summary:
    """The summary in the bytes of its file, verified against its checksum.

    Raises ``FileFormatError`` for what is no summary, is cut short, is of a newer format or is not
    what was written.
    """
    if not content.startswith(_SIGNATURE):
        raise _foreign(place, "this is no HDF5 file.")
    try:
        with h5py.File(h5py.h5f.open_file_image(content)) as file:
            summary, checksum = _read(file, place)
    except FileFormatError:
        raise
    except CalibError as error:
        raise _damaged(place, error.problem) from error
    except Exception as error:  # HDF5 fails in any way it likes on a damaged file
        raise _damaged(place, f"it cannot be read ({_first_line(error)}).") from error
    if summary.checksum != checksum:
        raise _damaged(place, "its content does not have the checksum that it was written with.")
    return summary


def _read(file: h5py.File, place: str) -> tuple[Summary, str]:
    found = file.attrs.get("format")
    if not isinstance(found, str) or not found.startswith("calib/summary/"):
        raise _foreign(place, "this is an HDF5 file of something else.")
    if found != FORMAT:
        raise FileFormatError(
            "summary-newer",
            f"the summary has the format {found}, this program knows {FORMAT}.",
            place=place,
            remedy="upgrade calib: pip install --upgrade calib-metrology.",
        )
    n = int(h5py.h5d.open(file.id, b"point").shape[0])
    if not 0 < n <= _MOST_PANELS:
        raise InputError("bad-shape", f"it has {n} panels.")
    report = json.loads(_taken(file, "report", (None,)).tobytes())
    started = str(_said(file, "started"))
    statement = Statement(
        use=from_content(DatasetUse, report["use"]),
        point=Correction(_taken(file, "point", (n, 6))),
        **{part.value: _equations(file, part, n) for part in Part},
        chi_square=float(_said(file, "chi_square")),
        n_data=float(_said(file, "n_data")),
        n_nuisance=int(_said(file, "n_nuisance")),
        kept=str(_said(file, "kept")),
        used_on_panel=_taken(file, "used_on_panel", (2, n)),
        rejected_on_panel=_taken(file, "rejected_on_panel", (n,)),
        flagged_on_panel=_taken(file, "flagged_on_panel", (n,)),
        fits=FitTable.from_content([report["fit"], *report["panels"]]),
        shells=ShellTable.from_content(report["shells"]),
        n_held_out=(int(report["n_held_out"][0]), int(report["n_held_out"][1])),
        null_directions=tuple(report["null_directions"]),
    )
    summary = Summary(
        statement=statement,
        serial=str(_said(file, "serial")),
        layout_id=str(_said(file, "layout")),
        code_version=str(_said(file, "code_version")),
        started=datetime.fromisoformat(started) if started else None,
    )
    return summary, str(_said(file, "checksum"))


def _report(said: Statement) -> dict[str, Any]:
    fit, *panels = said.fits.content()
    return {
        "use": to_content(said.use),
        "fit": fit,
        "panels": panels,
        "shells": said.shells.content(),
        "n_held_out": list(said.n_held_out),
        "null_directions": list(said.null_directions),
    }


def _equations(file: h5py.File, part: Part, n: int) -> Equations:
    own = _taken(file, f"{part.value}/own", (n, len(_UPPER[0])))[:, _PLACE]
    coupling = _taken(file, f"{part.value}/coupling", (None, 6 * n))
    return Equations(own, coupling, _taken(file, f"{part.value}/vector", (6 * n,)))


def _put(group: h5py.Group, name: str, values: np.ndarray[Any, Any]) -> None:
    group.create_dataset(
        name,
        data=values,
        compression="gzip" if values.size else None,
        shuffle=bool(values.size),
        track_times=False,
    )


def _taken(file: h5py.File, name: str, shape: tuple[int | None, ...]) -> np.ndarray[Any, Any]:
    """An array, whose shape is looked at before its content."""
    # By HDF5's own interface: forty summaries have hundreds of arrays, small ones each.
    dataset = h5py.h5d.open(file.id, name.encode())
    found = dataset.shape
    fits = len(found) == len(shape) and all(
        want is None or have == want for have, want in zip(found, shape, strict=True)
    )
    most = found[1] if name.endswith("/coupling") and fits else _LONGEST
    if not fits or found[0] > most:
        raise InputError("bad-shape", f"/{name} has the shape {found}.")
    out = np.empty(found, dataset.dtype)
    if out.size:
        dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, out)
    out.flags.writeable = False  # so that nobody copies it before he keeps it
    return out


def _said(file: h5py.File, name: str) -> Any:
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
        remedy="a file that calib summary export wrote.",
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
