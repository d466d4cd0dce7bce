"""Summaries as HDF5 files, the format ``calib/summary/1``, which earlier versions wrote.

They are still written on request. The HDF5 library never returns on some damaged files, and crashes
on others, so that files are read by another process (``hdf5_process``).
"""

from __future__ import annotations

import hashlib
import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from calib.errors import CalibError, FileFormatError, InputError
from calib.files.kinds import HDF5_MAGIC
from calib.files.native.summary_content import (
    Array,
    arrays_of,
    damaged,
    foreign,
    is_format,
    newer,
    summary_of,
    values_of,
)
from calib.model.result.panel_sums import GROUP, MEMBERS
from calib.model.result.summary import FORMAT, Additional, Summary

if TYPE_CHECKING:
    import h5py

SUFFIX = ".calib.h5"
_LEAST_LIMIT = 64 * 2**20
_LARGEST_RATIO = 100
"""Limit of the size of arrays as a multiple of the file's, or the limit above if that is more."""
_UNKNOWN = (None,)
_END_OF_FILE = slice(40, 48)
"""Of HDF5's superblock of version 0, which is what ``libver="earliest"`` writes."""


def hdf5_bytes(summary: Summary) -> bytes:
    """The bytes of a summary as HDF5; the same library writes the same bytes.

    Raises ``InputError`` for a summary with content that this format does not have.
    """
    import h5py

    added = summary.additional.arrays
    if summary.additional.values or not added.keys() <= set(MEMBERS):
        raise InputError(
            "not-in-hdf5",
            f"the summary of {summary.statement.use.name} has content of a later version of calib, "
            "which the HDF5 format does not have.",
            remedy="export it without --format.",
        )
    out = io.BytesIO()
    with h5py.File(out, "w", libver=("earliest", "v108")) as file:
        file.attrs["format"] = FORMAT
        file.attrs["checksum"] = summary.checksum
        for name, value in values_of(summary).items():
            file.attrs[name] = "" if value is None else value
        for name, values in (arrays_of(summary) | dict(added)).items():
            file.create_dataset(
                name,
                data=values,
                compression="gzip" if values.size else None,
                shuffle=bool(values.size),
                track_times=False,
            )
    content = out.getvalue()
    return content + _seal(content)


def check_seal(content: bytes, place: str) -> None:
    """Raise ``FileFormatError`` where the bytes are not those of the hash that follows them.

    Summaries of the earliest versions have none.
    """
    if not content.startswith(HDF5_MAGIC):
        raise foreign(place, "this is not an HDF5 file.")
    end = int.from_bytes(content[_END_OF_FILE], "little")
    if content[end:] not in (b"", _seal(content[:end])):
        raise damaged(place, "its bytes are not those that were written.")


def parsed_hdf5(content: bytes, place: str) -> Summary:
    """The summary in an HDF5 file, read by this process, which may hang or crash: see
    ``hdf5_process.answered``.

    Raises ``FileFormatError`` for another file, and one that is truncated, damaged or of a newer
    format.
    """
    import h5py

    check_seal(content, place)
    try:
        with h5py.File(h5py.h5f.open_file_image(content)) as file:
            summary, written = _read(file, place, len(content))
        checksum = summary.checksum
    except FileFormatError:
        raise
    except CalibError as error:
        raise damaged(place, error.problem) from error
    except Exception as error:  # on damaged files HDF5 raises errors of any type
        raise damaged(place, f"it cannot be read ({_first_line(error)}).") from error
    if checksum != written:
        raise damaged(place, "its content does not have the checksum that it was written with.")
    return summary


def _seal(content: bytes) -> bytes:
    """The hash after HDF5's own bytes."""
    return b"\nsha256 " + hashlib.sha256(content).hexdigest().encode() + b"\n"


def _read(file: h5py.File, place: str, size: int) -> tuple[Summary, str]:
    found = file.attrs.get("format")
    if not is_format(found):
        raise foreign(place, "this HDF5 file is not a summary.")
    if found != FORMAT:
        raise newer(place, found, FORMAT)
    arrays = _Arrays(file, size)
    values = {
        "serial": str(_attribute(file, "serial")),
        "layout": str(_attribute(file, "layout")),
        "code_version": str(_attribute(file, "code_version")),
        "started": str(_attribute(file, "started")) or None,
        "chi_square": float(_attribute(file, "chi_square")),
        "n_data": float(_attribute(file, "n_data")),
        "n_nuisance": int(_attribute(file, "n_nuisance")),
        "kept": str(_attribute(file, "kept")),
    }
    added = {}
    if file.id.links.exists(GROUP.encode()):
        shapes = _UNKNOWN * 3, _UNKNOWN * 3, _UNKNOWN * 4, _UNKNOWN * 3
        added = {
            name: arrays.taken(name, shape) for name, shape in zip(MEMBERS, shapes, strict=True)
        }
    summary = summary_of(arrays.taken, values, Additional(added))
    return summary, str(_attribute(file, "checksum"))


class _Arrays:
    """The arrays of a file, which must be in it, and not larger than its size allows."""

    def __init__(self, file: h5py.File, size: int) -> None:
        self.file = file
        self.left = max(_LEAST_LIMIT, _LARGEST_RATIO * size)
        self._within: set[str] = set()

    def taken(self, name: str, shape: tuple[int | None, ...]) -> Array:
        """An array of numbers, checked before its content is read."""
        from h5py import h5d, h5s

        # The low-level interface is faster: forty summaries have hundreds of small arrays.
        self._must_lie_within(name)
        dataset = h5d.open(self.file.id, name.encode())
        made, found, kind = dataset.get_create_plist(), dataset.shape, dataset.dtype
        if made.get_layout() == h5d.VIRTUAL or made.get_external_count():
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
            dataset.read(h5s.ALL, h5s.ALL, out)
        out.flags.writeable = False  # so that it is kept without a copy
        return out

    def _must_lie_within(self, name: str) -> None:
        from h5py import h5l

        group, _, _ = name.rpartition("/")
        if group and group not in self._within:
            self._must_lie_within(group)
            self._within.add(group)
        if self.file.id.links.get_info(name.encode()).type != h5l.TYPE_HARD:
            raise InputError("bad-link", f"/{name} is a link to somewhere else.")


def _attribute(file: h5py.File, name: str) -> Any:
    """An attribute, text or number."""
    from h5py import h5a

    attribute = h5a.open(file.id, name.encode())
    out = np.empty(attribute.shape, attribute.dtype)
    attribute.read(out)
    found: Any = out[()]
    return found.decode("utf-8") if isinstance(found, bytes) else found


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
