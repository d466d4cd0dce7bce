"""Headers of HDF5 masters: NXmx, and the older files of DECTRIS detectors.

Read by another process (``hdf5_process``), since the HDF5 library hangs on some damaged files. Only
small values inside of the file are read: no link to another file is followed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from calib.errors import FileFormatError

if TYPE_CHECKING:
    import h5py

MOST_VALUES = 4096
"""Of an array that is read."""
_MOST_LINKS = 8
_MOST_MODULES = 256
_LONGEST = 200
_SPECIFIC = "detectorSpecific"


def nexus_values(path: str) -> dict[str, Any]:
    """What a master states, as JSON: texts, and numbers with their units.

    Raises ``FileFormatError`` (``bad-image``) for a file that is not a master.
    """
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            found = _Master(file).values()
    except Exception as error:  # on damaged files HDF5 raises errors of any type
        text = next(iter(str(error).splitlines()), "") or type(error).__name__
        problem = f"the image cannot be read as HDF5 ({text[:_LONGEST]})."
        raise _bad(problem) from error
    if not found:
        problem = "this HDF5 file has no detector in /entry/instrument."
        raise _bad(problem)
    return found


def _bad(problem: str) -> FileFormatError:
    remedy = "give the master file, as the detector wrote it."
    return FileFormatError("bad-image", problem, remedy=remedy)


class _Master:
    """A master, read by paths."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def values(self) -> dict[str, Any]:
        """See ``nexus_values``; empty where there is no detector."""
        entry = self._group("entry") or self._first(self._file, "NXentry")
        instrument = self._child(entry, "instrument") or self._first(entry, "NXinstrument")
        detector = self._child(instrument, "detector") or self._first(instrument, "NXdetector")
        if detector is None:
            return {}
        specific = self._child(detector, _SPECIFIC)
        pixels = [self._number(detector, f"{axis}_pixel_size") for axis in "xy"]
        return {
            "description": self._text(detector, "description"),
            "serial": self._text(detector, "serial_number")
            or self._text(detector, "detector_number"),
            "material": self._text(detector, "sensor_material"),
            "thickness": self._number(detector, "sensor_thickness"),
            "distance": self._number(detector, "distance")
            or self._number(detector, "detector_distance"),
            "pixel": pixels,
            "beam": [self._number(detector, f"beam_center_{axis}") for axis in "xy"],
            "wavelength": self._wavelength(entry, instrument),
            "taken": self._text(entry, "start_time")
            or self._text(specific, "data_collection_date"),
            "roi_mode": self._text(specific, "roi_mode") or None,
            "size": self._size(detector, specific),
            "modules": list(itertools.islice(self._modules(specific), _MOST_MODULES)),
        }

    def _wavelength(self, entry: Any, instrument: Any) -> tuple[float, str] | None:
        """Of the beam at the sample, else of that in the instrument."""
        name = "incident_wavelength"
        return (
            self._number(self._child(self._child(entry, "sample"), "beam"), name)
            or self._number(self._child(instrument, "beam"), name)
            or self._number(self._first(instrument, "NXbeam"), name)
        )

    def _size(self, detector: Any, specific: Any) -> list[int] | None:
        """(fast, slow) of the images: of their masks, of the whole of the modules, or as stated."""
        for group in (specific, detector):
            mask = self._dataset(group, "pixel_mask")
            if mask is not None and len(mask.shape) >= 2:
                return [int(mask.shape[-1]), int(mask.shape[-2])]
        ends = [
            [o + n for o, n in zip(origin[-2:], size[-2:], strict=True)]
            for name in self._names(detector)
            if name != _SPECIFIC
            and (module := self._subgroup(detector, name)) is not None
            and len(origin := self._array(module, "data_origin")) >= 2
            and len(size := self._array(module, "data_size")) >= 2
        ]
        if ends:
            slow, fast = (int(max(column)) for column in zip(*ends, strict=True))
            return [fast, slow]
        stated = [self._number(specific, f"{axis}_pixels_in_detector") for axis in "xy"]
        whole = [int(one[0]) for one in stated if one is not None]
        return whole if len(whole) == 2 else None

    def _modules(self, specific: Any) -> Iterator[list[float]]:
        """[fast, slow, width, height] of each half module of an EIGER."""
        for name in self._names(specific):
            if not name.startswith("detectorModule_"):
                continue
            module = self._child(specific, name)
            origin, size = self._array(module, "data_origin"), self._array(module, "data_size")
            if len(origin) == 2 and len(size) == 2:
                yield [*origin, *size]

    # Links

    def _group(self, name: str) -> Any:
        return self._child(self._file, name)

    def _child(self, group: Any, name: str, depth: int = 0) -> Any:
        """A member of a group; None where there is none in this file."""
        import h5py

        if not isinstance(group, h5py.Group) or depth > _MOST_LINKS:
            return None
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            return group[name]
        if not isinstance(link, h5py.SoftLink):
            return None
        found = self._file if link.path.startswith("/") else group
        for part in filter(None, link.path.split("/")):
            found = self._child(found, part, depth + 1)
        return found

    def _subgroup(self, group: Any, name: str) -> Any:
        """A member that is a group; None for a dataset, which is not opened."""
        import h5py

        if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
            return None
        return self._child(group, name) if group.get(name, getclass=True) is h5py.Group else None

    def _first(self, group: Any, kind: str) -> Any:
        """The first group of a NeXus class among the members of a group."""
        for name in self._names(group):
            member = self._child(group, name)
            if member is not None and _as_text(member.attrs.get("NX_class")) == kind:
                return member
        return None

    def _names(self, group: Any) -> list[str]:
        import h5py

        if not isinstance(group, h5py.Group):
            return []
        return list(itertools.islice(group, MOST_VALUES))

    # Values

    def _dataset(self, group: Any, name: str) -> Any:
        """A dataset whose values are in this file."""
        import h5py

        found = self._child(group, name)
        if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
            return None
        return found

    def _text(self, group: Any, name: str) -> str:
        found = self._dataset(group, name)
        if found is None or found.size is None or found.size != 1:
            return ""
        if found.dtype.kind not in "SO" or found.dtype.itemsize > MOST_VALUES:
            return ""
        value = found[()]
        return _as_text(value if found.shape == () else value.ravel()[0])

    def _number(self, group: Any, name: str) -> tuple[float, str] | None:
        """The first value, and its unit."""
        found = self._dataset(group, name)
        values = _numbers(found)
        return (values[0], _as_text(found.attrs.get("units"))) if values else None

    def _array(self, group: Any, name: str) -> list[float]:
        return _numbers(self._dataset(group, name))


def _numbers(found: Any) -> list[float]:
    """The values of a small dataset of numbers, else none."""
    if found is None or found.dtype.kind not in "iuf":
        return []
    if not found.size or found.size > MOST_VALUES:
        return []
    return [float(value) for value in found[()].ravel()] if found.shape else [float(found[()])]


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")[:_LONGEST].strip("\x00")
    return value[:_LONGEST] if isinstance(value, str) else ""
