"""The registry of known detectors: found by name, and recognised in experiments.

One image size can belong to several detectors: an EIGER2 16M in 4M ROI mode writes the image of an
EIGER2 4M. So a detector is recognised from the sizes of image and pixels, and from the model, the
serial number or the ROI mode where the file states them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from calib.errors import InputError, LayoutError
from calib.model.base.text import joined
from calib.model.detector.correction import ROTATIONS, TRANSLATIONS, Correction
from calib.model.detector.known_detector import Family, KnownDetector, read_family, size_words
from calib.model.detector.layout import Layout, PanelFrames
from calib.model.detector.module_map import ModuleMap

BUILT_IN = "built in"
_SERIAL = re.compile(r"\bS/N[ :]*\S+", re.IGNORECASE)
_MODULES_IN_SERIAL = re.compile(r"(?:E-)?0*(\d+)-\d+")
"""DECTRIS begins a serial with the number of modules: 60-0119, 24-0107, E-32-0102."""
_NO_ROI = ("", "disabled", "none")


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """Known detectors, in order."""

    detectors: tuple[KnownDetector, ...]

    def __iter__(self) -> Iterator[KnownDetector]:
        return iter(self.detectors)

    def get(self, name: str) -> KnownDetector:
        """The detector of this name, whatever the case, spaces and hyphens.

        ``PILATUS3 6M`` is found too, by the other names of its family. Raises ``InputError`` with
        the known names for any other.
        """
        wanted = _folded(name)
        for detector in self:
            if wanted in _names_of(detector):
                return detector
        known = ", ".join(sorted(one.name for one in self))
        raise InputError("unknown-layout", f"{name!r} is not a known detector.", remedy=f"{known}.")

    def recognise(
        self,
        size_px: tuple[int, int],
        pixel_mm: Sequence[float],
        *,
        text: str = "",
        serial: str = "",
        roi_mode: str | None = None,
    ) -> KnownDetector:
        """The detector that writes images of this size.

        ``text`` is what the file calls it, such as ``PILATUS3 6M, S/N 60-0119``. Raises
        ``LayoutError`` where none fits (``unknown-layout``), or several do and neither text,
        serial nor ROI mode decides (``ambiguous-layout``).
        """
        same = [one for one in self if one.modules.size_px == size_px and one.has_pixel(pixel_mm)]
        named = _SERIAL.sub(" ", text)
        fits = [one for one in same if self._agrees(one, named, roi_mode)]
        count = _MODULES_IN_SERIAL.fullmatch(serial)
        if len(fits) > 1 and count is not None:
            fits = [one for one in fits if one.n_full == int(count.group(1))] or fits
        if len(fits) == 1:
            return fits[0]
        image = f"{size_px[0]} x {size_px[1]} pixels of {pixel_mm[0]:g} mm"
        if fits:
            names = [one.name for one in fits]
            raise LayoutError(
                "ambiguous-layout",
                f"an image of {image} may come from {' or '.join(names)}, and the file does not "
                "name the model.",
                remedy=f'use --layout, such as --layout "{names[0]}".',
            )
        stated = f", which the file calls {named.strip(' ,')!r}," if named.strip(" ,") else ""
        other = f"; it is that of {joined([one.name for one in same])}" if same and stated else ""
        raise LayoutError(
            "unknown-layout",
            f"no known detector{stated} writes an image of {image}{other}.",
            remedy="make its modules known with calib layout add (docs/reference/layouts.md), or "
            "name the layout with calib split --layout.",
        )

    def with_modules(self, modules: ModuleMap, pixel_mm: float, model: str) -> KnownDetector:
        """The detector that has these modules, or else one that is described by them only.

        ``model`` is what the image that describes the modules calls it.
        """
        wanted = sorted(modules.boxes_px.tolist())
        for one in self:
            same = one.modules.size_px == modules.size_px and one.has_pixel((pixel_mm, pixel_mm))
            if same and not one.mode and sorted(one.modules.boxes_px.tolist()) == wanted:
                return one
        first = modules.boxes_px[0]
        size = int(first[2] - first[0]), int(first[3] - first[1])
        if (modules.boxes_px[:, 2:] - modules.boxes_px[:, :2] != size).any():
            raise LayoutError(
                "unknown-layout",
                "the modules that the image describes are not all of one size.",
                remedy="name the layout with calib split --layout.",
            )
        name = _SERIAL.sub(" ", model).strip(" ,") or "detector"
        family = Family(name, (), None, False, "the header of an image")
        return KnownDetector(name, family, modules, size, None, pixel_mm, None, "", len(modules))

    def of_panels(
        self, layout: Layout, text: str = "", *, with_parts: bool = True
    ) -> KnownDetector | None:
        """The detector with the same number and size of panels and pixels, if any.

        Of several, the one whose panels are nearest and, of these, one that agrees with ``text``.
        With ``with_parts``, also regions of a detector, and halves of modules.
        """
        candidates = [one for one in self if with_parts or not one.mode]
        if with_parts:
            candidates += [one.in_halves() for one in self if one.family.dead_px is not None]
        alike = [
            (round(off_grid_mm(layout, drawn), 3), not self._agrees(one, text, None), number)
            for number, one in enumerate(candidates)
            if len(one.modules) == len(layout)
            and not (drawn := one.layout()).difference(layout.panels)
        ]
        return candidates[min(alike)[2]] if alike else None

    def _agrees(self, detector: KnownDetector, text: str, roi_mode: str | None) -> bool:
        """Whether text and ROI mode may be those of a detector."""
        families = {
            alias
            for one in self
            for alias in (one.family.name, *one.family.aliases)
            if re.search(rf"(?<![0-9A-Za-z]){re.escape(alias)}(?![0-9A-Za-z])", text, re.IGNORECASE)
        }
        own = {detector.family.name, *detector.family.aliases}
        sizes = size_words(text)
        if (families and not families & own) or (
            sizes and detector.size_words and not detector.size_words & set(sizes)
        ):
            return False
        if roi_mode is None:
            return True
        mode = "" if roi_mode.strip().lower() in _NO_ROI else roi_mode.strip()
        return _folded(mode) == _folded(detector.mode)


def extended(registry: Registry, more: Sequence[KnownDetector]) -> Registry:
    """The registry with more detectors; raises ``InputError`` for a name that it has."""
    taken = {name: one for one in registry for name in _names_of(one)}
    for one in more:
        first = taken.setdefault(_folded(one.name), one)
        if first is not one:
            raise InputError(
                "layout-exists",
                f"there is a detector {first.name} already ({first.family.source}).",
                place=one.family.source,
                remedy="give it another name.",
            )
    return Registry((*registry.detectors, *more))


def with_shared(registry: Registry, shared: Sequence[KnownDetector]) -> Registry:
    """The registry with the detectors of a store, less those whose names it has."""
    taken = {name for one in registry for name in _names_of(one)}
    more = [one for one in shared if taken.isdisjoint(_names_of(one))]
    return Registry((*registry.detectors, *more))


@cache
def built_in() -> Registry:
    """The detectors that calib knows without any files of the user."""
    from importlib import resources

    folder = resources.files("calib.model.detector") / "layouts"
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=str)
    found = [one for file in files for one in read_family(file.read_text("utf-8"), BUILT_IN)]
    return Registry(tuple(found))


def known_layout(name: str) -> Layout:
    """The nominal layout of a built-in detector; raises ``InputError`` as ``Registry.get``."""
    return built_in().get(name).layout()


def family_of(layout: Layout) -> str | None:
    """The built-in detector with the same number and size of panels and pixels, if any.

    Of several, such as 300K and 300K-W, the one whose panels are nearest.
    """
    found = built_in().of_panels(layout, with_parts=False)
    return None if found is None else found.name


def off_grid_mm(layout: Layout, drawn: Layout) -> float:
    """The largest distance of panels from a nominal layout, both relative to the first panel."""
    first = layout.frames
    seen = (first.origin_mm - first.origin_mm[0]) @ first.rotation[0]
    frames = PanelFrames(first.rotation[0].T @ first.rotation, seen)
    between = Correction.between(drawn, frames).values
    reach = 0.5 * np.linalg.norm(layout.size_mm, axis=1).max()
    shift = np.linalg.norm(between[:, TRANSLATIONS], axis=1)
    return float((shift + reach * np.linalg.norm(between[:, ROTATIONS], axis=1)).max())


def _folded(name: str) -> str:
    """A name without case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def _names_of(detector: KnownDetector) -> set[str]:
    """The name of a detector, also with each other name of its family."""
    family, name = detector.family, detector.name
    others = {name.replace(family.name, alias, 1) for alias in family.aliases}
    return {_folded(one) for one in (name, *others)}
