"""Detector families: flat detectors of modules of one size, read from TOML.

A family is a file such as ``layouts/eiger2.toml``: the size of its modules and pixels, the gaps
between modules, and its models. Sizes and gaps of the files beside this one are those of the
makers; a test compares them with pyFAI.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from calib.errors import CalibError, FileFormatError, InputError
from calib.model.base.bounds import N_PANELS, PANEL_SIZE_PX, PIXEL_MM, Bounds
from calib.model.base.text import checked_name
from calib.model.detector.layout import Layout, PanelFrames, PanelShape
from calib.model.detector.module_map import ModuleMap, grid_map

T = TypeVar("T")

_SAME_PIXEL = 1e-3
FORMAT = "calib/family/1"
_GAP_PX = Bounds("a number of pixels", 0, 100_000, whole=True)
_MODEL_KEYS = {"grid", "origins_px", "module_px"}
_KEYS = {
    *("format", "family", "aliases", "module_px", "gap_px", "pixel_mm", "dead_px"),
    *("dials_splits", "models", "regions"),
}
_REGION_KEYS = {"of", "mode", "first", "grid"}
_SIZE_WORD = re.compile(r"(?<![0-9A-Za-z.])(\d+[KM])(?:-?(W))?(?![0-9A-Za-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """What the models of a family have in common."""

    name: str
    aliases: tuple[str, ...]
    """Other names under which its models are sold, such as ``PILATUS3``."""
    dead_px: int | None
    """Dead columns in the middle of a module with a CdTe sensor; None where there are none."""
    dials_splits: bool
    """Whether ``dials.import multi_panel=True`` reads each module of a mini-CBF as a panel."""
    source: str
    """The file that describes it, or ``built in``."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownDetector:
    """A model of a detector, or a region of interest of one."""

    name: str
    family: Family
    modules: ModuleMap
    module_px: tuple[int, int]
    """(fast, slow)"""
    gap_px: tuple[int, int] | None
    """(fast, slow); None where the modules are not on a grid."""
    pixel_mm: float
    grid: tuple[int, int] | None
    """Number of modules (fast, slow); None where they are not on a grid."""
    mode: str = ""
    """The ROI mode in which a larger detector writes this image; empty for whole images."""
    n_full: int = 0
    """The number of modules of the whole detector."""

    @property
    def size_words(self) -> frozenset[str]:
        """The sizes in its name, such as ``16M``; the first one where it is a region."""
        words = size_words(self.name)
        return frozenset(words[:1] if self.mode else words)

    def has_pixel(self, pixel_mm: Sequence[float]) -> bool:
        """Whether pixels of this size (fast, slow) in mm are those of the detector."""
        return all(abs(one / self.pixel_mm - 1.0) < _SAME_PIXEL for one in pixel_mm)

    def in_halves(self) -> KnownDetector:
        """The same with each half of a module as a panel.

        Raises ``InputError`` where the family has no sensors of CdTe.
        """
        if self.family.dead_px is None:
            raise InputError(
                "no-halves",
                f"the modules of a {self.name} have no halves.",
                remedy="leave out --halves.",
            )
        modules = self.modules.in_halves(self.family.dead_px)
        fast, slow, end, bottom = modules.boxes_px[0].tolist()
        half = (end - fast, bottom - slow)
        return replace(self, modules=modules, module_px=half, gap_px=None, grid=None)

    def layout(self) -> Layout:
        """The nominal layout; its root frame is at the first pixel of the image."""
        n, pixel = len(self.modules), (self.pixel_mm, self.pixel_mm)
        if self.grid is not None and self.gap_px is not None:
            # This order of operations is part of the identity of stored layouts.
            step = (np.array(self.module_px) + self.gap_px) * self.pixel_mm
            column, row = np.meshgrid(np.arange(self.grid[0]), np.arange(self.grid[1]))
            corner = np.stack([column.ravel() * step[0], row.ravel() * step[1]], axis=1)
        else:
            corner = self.modules.boxes_px[:, :2] * self.pixel_mm
        panels = tuple(PanelShape(name, self.module_px, pixel) for name in self.modules.names)
        origin = np.concatenate([corner, np.zeros((n, 1))], axis=1)
        return Layout(panels, PanelFrames(np.repeat(np.eye(3)[None], n, axis=0), origin))


def size_words(text: str) -> list[str]:
    """The sizes that a text names, in capitals: ``PILATUS 300k-w`` gives ``300KW``."""
    return [f"{size}{wide}".upper() for size, wide in _SIZE_WORD.findall(text)]


def read_family(text: str, place: str) -> list[KnownDetector]:
    """The models in a file of a family, in its order.

    Raises ``FileFormatError`` with ``place`` and key where the file cannot be used.
    """
    import tomllib

    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(place, f"this file is not valid TOML ({error})") from None
    file = _File(content, place)
    file.refuse_unknown(content, _KEYS, "")
    if content.get("format") != FORMAT:
        raise _bad(place, f"the key format is {_brief(content.get('format'))}, expected {FORMAT!r}")
    family = Family(
        file.name(content.get("family"), "family"),
        tuple(file.name(one, "aliases") for one in file.items(content.get("aliases", []))),
        file.whole(content["dead_px"], "dead_px", _GAP_PX) if "dead_px" in content else None,
        content.get("dials_splits") is True,
        place,
    )
    models = {name: file.model(name, given, family) for name, given in file.table("models")}
    if not models:
        raise _bad(place, "the table [models] is empty or missing")
    regions = [file.region(name, given, models) for name, given in file.table("regions")]
    return [*models.values(), *regions]


class _File:
    """The content of a file, read by key."""

    def __init__(self, content: Mapping[str, Any], place: str) -> None:
        self.content, self.place = content, place

    def model(self, name: str, given: Any, family: Family) -> KnownDetector:
        """A model: its grid as a list, or a table of its own."""
        key = f"models.{name}"
        own = given if isinstance(given, dict) else {"grid": given}
        self.refuse_unknown(own, _MODEL_KEYS, key)
        module = self.pair(own.get("module_px", self.content.get("module_px")), "module_px")
        pixel: Any = self.content.get("pixel_mm")
        if pixel not in PIXEL_MM:
            raise _bad(
                self.place, f"the key pixel_mm is {_brief(pixel)}, expected {PIXEL_MM.expected}"
            )
        if family.dead_px is not None and family.dead_px >= module[0] - 1:
            raise _bad(self.place, f"dead_px is {family.dead_px}, expected less than a module")
        grid, gap = None, None
        if "origins_px" in own:
            corners = [
                self.pair(one, f"{key}.origins_px", _GAP_PX)
                for one in self.items(own["origins_px"])
            ]
            start = np.array(corners, dtype=np.int64).reshape(-1, 2)
            end = start + module
            size = end.max(axis=0).tolist() if corners else [1, 1]
            names = tuple(f"Panel{k}" for k in range(len(corners)))
            modules = self.made(
                key, lambda: ModuleMap(names, np.hstack([start, end]), (size[0], size[1]))
            )
        else:
            grid = self.grid(own.get("grid"), f"{key}.grid")
            gap = self.pair(self.content.get("gap_px", [0, 0]), "gap_px", _GAP_PX)
            modules = self.made(key, lambda: grid_map(grid, module, gap))
        return KnownDetector(
            self.name(name, key),
            family,
            modules,
            module,
            gap,
            float(pixel),
            grid,
            n_full=len(modules),
        )

    def region(self, name: str, given: Any, models: Mapping[str, KnownDetector]) -> KnownDetector:
        """A region of interest of one of the models."""
        key = f"regions.{name}"
        if not isinstance(given, dict):
            raise _bad(self.place, f"{key} is {_brief(given)}, expected a table")
        self.refuse_unknown(given, _REGION_KEYS, key)
        of = models.get(str(given.get("of")))
        if of is None or of.grid is None or of.gap_px is None:
            raise _bad(self.place, f"{key}.of is {_brief(given.get('of'))}, expected a model above")
        grid = self.grid(given.get("grid"), f"{key}.grid")
        first = self.pair(given.get("first"), f"{key}.first", _GAP_PX)
        if any(a + n > m for a, n, m in zip(first, grid, of.grid, strict=True)):
            raise _bad(self.place, f"{key} reaches beyond the {of.grid} modules of {of.name}")
        modules = grid_map(grid, of.module_px, of.gap_px, first=first, columns=of.grid[0])
        return KnownDetector(
            self.name(name, key),
            of.family,
            modules,
            of.module_px,
            of.gap_px,
            of.pixel_mm,
            grid,
            mode=self.name(given.get("mode"), f"{key}.mode"),
            n_full=of.n_full,
        )

    def table(self, key: str) -> Iterator[tuple[str, Any]]:
        """The members of a table that may be missing."""
        found = self.content.get(key, {})
        if not isinstance(found, dict):
            raise _bad(self.place, f"the key {key} is {_brief(found)}, expected a table")
        yield from found.items()

    def items(self, found: Any) -> list[Any]:
        if not isinstance(found, list):
            raise _bad(self.place, f"found {_brief(found)}, expected a list")
        return found

    def name(self, found: Any, key: str) -> str:
        if not isinstance(found, str):
            raise _bad(self.place, f"the key {key} is {_brief(found)}, expected text")
        return self.made(key, lambda: checked_name(found, "the name"))

    def whole(self, found: Any, key: str, bounds: Bounds) -> int:
        if found not in bounds:
            raise _bad(self.place, f"the key {key} is {_brief(found)}, expected {bounds.expected}")
        return int(found)

    def pair(self, found: Any, key: str, bounds: Bounds = PANEL_SIZE_PX) -> tuple[int, int]:
        """Two whole numbers: fast and slow."""
        if not isinstance(found, list) or len(found) != 2:
            raise _bad(self.place, f"the key {key} is {_brief(found)}, expected [fast, slow]")
        return self.whole(found[0], key, bounds), self.whole(found[1], key, bounds)

    def grid(self, found: Any, key: str) -> tuple[int, int]:
        """Numbers of modules."""
        grid = self.pair(found, key, N_PANELS)
        self.whole(grid[0] * grid[1], key, N_PANELS)
        return grid

    def made(self, key: str, make: Callable[[], T]) -> T:
        """What ``make`` returns; its error with file and key."""
        try:
            return make()
        except CalibError as error:
            raise _bad(self.place, f"{key}: {error.problem.rstrip('.')}") from error

    def refuse_unknown(self, given: Mapping[str, Any], known: set[str], key: str) -> None:
        unknown = sorted(set(given) - known)
        if unknown:
            inside = f" in {key}" if key else ""
            raise _bad(
                self.place,
                f"there is no key {unknown[0]!r}{inside}, only {', '.join(sorted(known))}",
            )


def _bad(place: str, problem: str) -> FileFormatError:
    return FileFormatError(
        "bad-family",
        f"{problem}.",
        place=place,
        remedy="correct the file; docs/reference/layouts.md describes it.",
    )


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
