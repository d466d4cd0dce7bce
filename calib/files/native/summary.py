"""Summaries as files, written in the format ``calib/summary/2``: see docs/reference/summaries.md.

A file is an archive of arrays (``native.container``) with a manifest, which states the type, the
shape, the size and the hash of each. Members and keys that this program does not know are kept and
hashed, so that later versions add to the format without changing it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.errors import CalibError, FileFormatError, InputError
from calib.files.atomic import read_bytes
from calib.files.kinds import HDF5_MAGIC, ZIP_MAGIC
from calib.files.native.container import (
    MOST_BYTES,
    dtype_name,
    npy_array,
    npy_bytes,
    zip_bytes,
    zip_members,
)
from calib.files.native.summary_content import (
    ARRAYS,
    VALUES,
    Array,
    arrays_of,
    damaged,
    foreign,
    is_format,
    newer,
    summary_of,
    values_of,
)
from calib.files.native.summary_hdf5 import SUFFIX as HDF5_SUFFIX
from calib.model.result.summary import FILE_FORMAT, Additional, Summary
from calib.model.store.admission import check_summary

SUFFIX = ".calib.npz"
SUFFIXES = (SUFFIX, HDF5_SUFFIX, ".npz", ".h5")
"""The endings of the names of summaries."""
MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 2**22
"""Bytes."""
_NAMES = frozenset(ARRAYS)
_KEYS = frozenset({"format", "id", "checksum", *VALUES, "members"})
_MEMBER_KEYS = ("name", "dtype", "shape", "size", "sha256")
_ENDING = ".npy"


def summary_bytes(summary: Summary) -> bytes:
    """The bytes of a summary's file, the same on every machine.

    Raises ``InputError`` for additional arrays and values that cannot be stored.
    """
    additional = summary.additional
    if not (_NAMES.isdisjoint(additional.arrays) and _KEYS.isdisjoint(additional.values)):
        raise InputError("name-taken", "additional content cannot have the name of other content.")
    arrays = arrays_of(summary) | dict(sorted(additional.arrays.items()))
    members = {f"{name}{_ENDING}": npy_bytes(values) for name, values in arrays.items()}
    manifest = {
        "format": FILE_FORMAT,
        "id": summary.id,
        "checksum": summary.checksum,
        **values_of(summary),
        **dict(sorted(additional.values.items())),
        "members": [
            _described(f"{name}{_ENDING}", values, members[f"{name}{_ENDING}"])
            for name, values in arrays.items()
        ],
    }
    text = json.dumps(manifest, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return zip_bytes({MANIFEST: text.encode("utf-8"), **members})


def read_summary(path: Path) -> Summary:
    """The summary in a file of either format. Raises ``MissingFileError`` and
    ``FileFormatError``."""
    return summary_from_bytes(read_bytes(path, MOST_BYTES + 1), str(path))


def summary_from_bytes(content: bytes, place: str) -> Summary:
    """The summary in the bytes of its file, verified against its checksum.

    Raises ``FileFormatError`` for another file, and one that is truncated, damaged or of a newer
    format.
    """
    content = in_current_format(content, place)
    if not content.startswith(ZIP_MAGIC):
        raise foreign(place, "this is neither a summary nor an HDF5 file.")
    try:
        return _read(zip_members(content), place)
    except FileFormatError:
        raise
    except CalibError as error:
        raise damaged(place, error.problem) from error
    except (
        AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise damaged(place, "its manifest or its report is not valid.") from error


def in_current_format(content: bytes, place: str) -> bytes:
    """The bytes of a summary in the current format: unchanged, unless they are HDF5.

    Raises ``FileFormatError`` for HDF5 that cannot be converted.
    """
    if not content.startswith(HDF5_MAGIC):
        return content
    from calib.files.hdf5_process import LARGEST, SUMMARY, Hdf5UnreadableError, answered
    from calib.files.native.summary_hdf5 import check_seal

    check_seal(content, place)
    if len(content) > LARGEST:
        raise damaged(place, f"it has {len(content)} bytes.")
    try:
        return answered(SUMMARY, content, place)
    except Hdf5UnreadableError as error:
        raise damaged(place, error.problem) from error


def _described(name: str, values: Array, data: bytes) -> dict[str, Any]:
    """The entry of a member in the manifest."""
    sha256 = hashlib.sha256(data).hexdigest()
    entry = name, dtype_name(values), list(values.shape), len(data), sha256
    return dict(zip(_MEMBER_KEYS, entry, strict=True))


def _read(members: dict[str, memoryview], place: str) -> Summary:
    text = members.pop(MANIFEST, None)
    if text is None:
        raise foreign(place, "this zip archive is not a summary.")
    if len(text) > _LARGEST_MANIFEST:
        raise InputError("too-large", "its manifest is too large.")
    manifest = json.loads(bytes(text).decode("utf-8"), object_pairs_hook=_unique)
    found = manifest["format"]
    if not is_format(found):
        raise foreign(place, "this zip archive is not a summary.")
    if found != FILE_FORMAT:
        raise newer(place, found, FILE_FORMAT)
    arrays = _arrays(manifest["members"], members)

    def take(name: str, shape: tuple[int | None, ...]) -> Array:
        return _of_shape(name, arrays[name], shape)

    additional = Additional(
        {name: values for name, values in arrays.items() if name not in _NAMES},
        {key: value for key, value in manifest.items() if key not in _KEYS},
    )
    summary = summary_of(take, manifest, additional)
    check_summary(summary)
    if (summary.id, summary.checksum) != (manifest["id"], manifest["checksum"]):
        raise damaged(place, "its content does not have the checksum that it was written with.")
    return summary


def _arrays(entries: Sequence[Any], members: Mapping[str, memoryview]) -> dict[str, Array]:
    """The arrays by name; there must be exactly those that the manifest lists."""
    found: dict[str, Array] = {}
    for entry in entries:
        name, dtype, shape, size, sha256 = (entry[key] for key in _MEMBER_KEYS)
        data, sizes = members[name], tuple(shape)
        if not name.endswith(_ENDING) or not all(type(n) is int and n >= 0 for n in sizes):
            raise InputError("bad-shape", f"{name} has the shape {sizes}.")
        if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
            raise InputError("changed", f"{name} is not what its manifest states.")
        found[name.removesuffix(_ENDING)] = npy_array(data, name, dtype, sizes)
    if len(found) != len(entries) or len(found) != len(members):
        raise InputError("bad-container", "its members are not those that its manifest lists.")
    return found


def _of_shape(name: str, values: Array, shape: tuple[int | None, ...]) -> Array:
    fits = len(values.shape) == len(shape) and all(
        want is None or have == want for have, want in zip(values.shape, shape, strict=True)
    )
    if not fits:
        raise InputError("bad-shape", f"{name} has the shape {values.shape}.")
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises ``ValueError`` where a key occurs twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate keys")
    return found
