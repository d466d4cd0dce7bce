"""Format classes that come first for every image, and hand over to the one that reads it.

dxtbx enters the first child of "Format", sorted by name, that understands a file. Two classes are
needed since callers ask whether a class is a ``FormatMultiImage``. Without ``multi_panel`` the
real class itself is used, so that nothing changes; with it, a subclass of the real class, which
keeps all that is special to a beamline, cuts one panel into modules and corrects them.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

from dxtbx.format.Format import Format
from dxtbx.format.FormatMultiImage import FormatMultiImage
from dxtbx.format.Registry import get_format_class_for, get_format_class_for_file

from calib_dxtbx.geometry import GeometryError, correct, geometry_path, read_geometry
from calib_dxtbx.headers import serial_and_time
from calib_dxtbx.messages import warn
from calib_dxtbx.modules import boxes_of, cut, split

_searching = threading.local()
_PREFIX = "Calibrated"


@functools.lru_cache(maxsize=4096)
def real_format(image_file: str) -> Any:
    """The class of dxtbx that reads a file, or None."""
    _searching.active = True
    try:
        return get_format_class_for_file(image_file)
    finally:
        _searching.active = False


def understands(multi: bool, image_file: Any) -> bool:
    """Whether a class of dxtbx reads the file, for several images or for one."""
    if getattr(_searching, "active", False):
        return False
    try:
        real = real_format(os.path.abspath(image_file))
        if real is None or real.is_abstract():
            return False
        return issubclass(real, FormatMultiImage) == multi
    except Exception:
        return False


def chosen(image_file: Any, format_kwargs: Any) -> Any:
    """The real class, or with ``multi_panel`` its subclass."""
    real = real_format(os.path.abspath(image_file))
    if (format_kwargs or {}).get("multi_panel"):
        return calibrated(real)
    if geometry_path() is not None:
        warn("geometry is not corrected without multi_panel=True")
    return real


class CalibratedPanels:
    """Mixed into a format class: one panel as modules, all panels where they are certified."""

    # Otherwise the instance cached for the parent class is returned: hasattr inherits.
    _current_instance_ = _current_filename_ = _current_kwargs_ = None
    _uncut = False
    _modules: Any = None

    def _boxes(self) -> Any:
        """The modules to cut; none where there are several panels, or the detector is unknown."""
        if self._modules is None:
            self._modules = ()
            single = super().get_detector()  # type: ignore[misc]
            if single is not None and len(single) == 1:
                size, pixel = single[0].get_image_size(), single[0].get_pixel_size()
                self._modules = boxes_of(tuple(size), tuple(pixel))
        return self._modules

    def get_detector(self, index: Any = None) -> Any:
        """The detector of panels; that of the real class while this runs into a fault."""
        given = () if index is None else (index,)
        real = super().get_detector(*given)  # type: ignore[misc]
        if self._uncut or real is None:
            return real
        if getattr(self, "_calibrated_detector", None) is None:
            boxes = self._boxes()
            detector = split(real, boxes) if boxes else real
            self._calibrated_detector = _corrected(self, detector)
        return self._calibrated_detector

    def get_vendortype(self) -> Any:
        """That of the detector as a whole."""
        self._uncut = True
        try:
            return super().get_vendortype()  # type: ignore[misc]
        finally:
            self._uncut = False

    def get_raw_data(self, *given: Any) -> Any:
        """An array for each panel."""
        return cut(super().get_raw_data(*given), self._boxes())  # type: ignore[misc]

    def get_static_mask(self, *given: Any, **named: Any) -> Any:
        """A mask for each panel."""
        self._uncut = True
        try:
            mask = super().get_static_mask(*given, **named)  # type: ignore[misc]
        finally:
            self._uncut = False
        return cut(mask, self._boxes())


def _corrected(image: Any, detector: Any) -> Any:
    """The detector with its panels as certified, if a geometry file is named."""
    path = geometry_path()
    if path is None:
        return detector
    try:
        content = read_geometry(path)
        from copy import deepcopy

        placed = deepcopy(detector)
        correct(placed, content, *serial_and_time(image))
    except GeometryError as error:
        warn(f"{error}.")
    except Exception as error:
        warn(f"panels are at their nominal places, since {path} cannot be used: {error!r}.")
    else:
        return placed
    return detector


@functools.cache
def calibrated(real: Any) -> Any:
    """The subclass of a real format class with ``CalibratedPanels``."""
    name = _PREFIX + real.__name__
    names = {"__module__": __name__, "__qualname__": name, "_base_module": real.__module__}
    made = type(name, (CalibratedPanels, real), names)
    globals()[name] = made
    return made


def __getattr__(name: str) -> Any:
    """A subclass by its name, for pickles in a new process."""
    if name.startswith(_PREFIX + "Format"):
        return calibrated(get_format_class_for(name[len(_PREFIX) :]))
    raise AttributeError(name)


class Format0CalibratedImage(Format):
    """Comes first for files of one image."""

    @staticmethod
    def understand(image_file: Any) -> bool:
        """Whether dxtbx reads the file, as one image."""
        return understands(False, image_file)

    def __new__(cls, image_file: Any, **kwargs: Any) -> Any:
        """An instance of the real class, or of its subclass."""
        return chosen(image_file, kwargs)(image_file, **kwargs)

    @classmethod
    def is_abstract(cls) -> bool:
        """No: it stands for classes that are not."""
        return False

    @classmethod
    def get_instance(cls, filename: Any, **kwargs: Any) -> Any:
        """The instance of the real class, or of its subclass."""
        return chosen(filename, kwargs).get_instance(filename, **kwargs)

    @classmethod
    def get_imageset(cls, filenames: Any, *given: Any, **named: Any) -> Any:
        """The imageset of the real class, or of its subclass."""
        first = filenames if isinstance(filenames, str) else filenames[0]
        real = chosen(first, named.get("format_kwargs"))
        return real.get_imageset(filenames, *given, **named)


class Format0CalibratedStack(FormatMultiImage):
    """Comes first for files of several images."""

    @staticmethod
    def understand(image_file: Any) -> bool:
        """Whether dxtbx reads the file, as several images."""
        return understands(True, image_file)

    __new__ = Format0CalibratedImage.__new__
    is_abstract = Format0CalibratedImage.__dict__["is_abstract"]
    get_instance = Format0CalibratedImage.__dict__["get_instance"]
    get_imageset = Format0CalibratedImage.__dict__["get_imageset"]
