"""Cut the only panel of a detector, and its images, into modules."""

from __future__ import annotations

import functools
import json
import os
from typing import Any

_SAME_PIXEL = 1e-3
_COPIED = (
    *("type", "pixel_size", "trusted_range", "thickness", "material", "mu", "identifier"),
    *("gain", "pedestal", "px_mm_strategy"),
)


@functools.lru_cache(maxsize=1)
def layouts() -> list[dict[str, Any]]:
    """The known detectors of several modules: a copy of calib's own."""
    with open(os.path.join(os.path.dirname(__file__), "layouts.json"), encoding="utf-8") as file:
        return list(json.load(file)["layouts"])


@functools.lru_cache(maxsize=64)
def boxes_of(
    size: tuple[int, int], pixel: tuple[float, float]
) -> tuple[tuple[int, int, int, int], ...]:
    """The modules of an image of this size in px and mm: first column and row, and those after
    the last; none for unknown detectors.

    It depends on the layouts only: a file must open in the same way everywhere.
    """
    for one in layouts():
        same = all(abs(value / one["pixel_mm"] - 1.0) < _SAME_PIXEL for value in pixel)
        if tuple(one["size_px"]) == size and same:
            return tuple(tuple(box) for box in one["boxes_px"])
    return ()


def split(single: Any, boxes: tuple[tuple[int, int, int, int], ...]) -> Any:
    """A detector with a panel for each module, in the plane of the only panel of ``single``."""
    from dxtbx.model import Detector

    (panel,) = single
    out = Detector()
    root = out.hierarchy()
    root.set_local_frame(panel.get_fast_axis(), panel.get_slow_axis(), panel.get_origin())
    pixel, offset = panel.get_pixel_size(), panel.get_raw_image_offset()
    masks = list(panel.get_mask())
    for number, (fast, slow, end, bottom) in enumerate(boxes):
        part = root.add_panel()
        for what in _COPIED:
            getattr(part, "set_" + what)(getattr(panel, "get_" + what)())
        part.set_name(f"Panel{number}")
        part.set_image_size((end - fast, bottom - slow))
        part.set_raw_image_offset((offset[0] + fast, offset[1] + slow))
        origin = (fast * pixel[0], slow * pixel[1], 0.0)
        part.set_local_frame((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), origin)
        for a, b, c, d in masks:
            inside = (max(a, fast), max(b, slow), min(c, end), min(d, bottom))
            if inside[0] < inside[2] and inside[1] < inside[3]:
                part.add_mask(
                    inside[0] - fast, inside[1] - slow, inside[2] - fast, inside[3] - slow
                )
    return out


def cut(arrays: Any, boxes: tuple[tuple[int, int, int, int], ...]) -> Any:
    """An array of the whole image, alone or as the only one of a tuple, as one of each module."""
    if arrays is None or not boxes:
        return arrays
    several = arrays if isinstance(arrays, tuple) else (arrays,)
    if len(several) != 1:
        return arrays
    return tuple(several[0][slow:bottom, fast:end] for fast, slow, end, bottom in boxes)
