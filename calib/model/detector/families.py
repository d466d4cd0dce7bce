"""Detector families: modules of one size on a regular grid.

Sizes and gaps are those of the DECTRIS technical specifications; modules are numbered along the
fast direction first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.errors import InputError
from calib.model.detector.layout import Layout, PanelFrames, PanelShape


@dataclass(frozen=True, slots=True)
class Family:
    """Modules of one size on a grid with constant gaps."""

    module_px: tuple[int, int]
    """(fast, slow)"""
    gap_px: tuple[int, int]
    """(fast, slow)"""
    pixel_mm: float


_PILATUS = Family((487, 195), (7, 17), 0.172)
_EIGER = Family((1030, 514), (10, 37), 0.075)
_EIGER2 = Family((1028, 512), (12, 38), 0.075)

KNOWN: dict[str, tuple[Family, tuple[int, int]]] = {
    "PILATUS 300K": (_PILATUS, (1, 3)),
    "PILATUS 1M": (_PILATUS, (2, 5)),
    "PILATUS 2M": (_PILATUS, (3, 8)),
    "PILATUS 6M": (_PILATUS, (5, 12)),
    "EIGER 16M": (_EIGER, (4, 8)),
    "EIGER2 4M": (_EIGER2, (2, 4)),
    "EIGER2 9M": (_EIGER2, (3, 6)),
    "EIGER2 16M": (_EIGER2, (4, 8)),
}
"""Detector name -> its family and its number of modules (fast, slow)."""


def known_layout(name: str) -> Layout:
    """The nominal layout of a known detector; its root frame is at the first pixel.

    Raises ``InputError`` with the known names for any other.
    """
    if name not in KNOWN:
        known = ", ".join(sorted(KNOWN))
        raise InputError("unknown-layout", f"{name!r} is not a known detector.", remedy=known + ".")
    family, (n_fast, n_slow) = KNOWN[name]
    step = (np.array(family.module_px) + family.gap_px) * family.pixel_mm
    column, row = np.meshgrid(np.arange(n_fast), np.arange(n_slow))
    origin = np.stack([column.ravel() * step[0], row.ravel() * step[1], np.zeros(n_fast * n_slow)])
    pixel = (family.pixel_mm, family.pixel_mm)
    panels = tuple(PanelShape(f"Panel{k}", family.module_px, pixel) for k in range(n_fast * n_slow))
    rotation = np.repeat(np.eye(3)[None], len(panels), axis=0)
    return Layout(panels, PanelFrames(rotation, origin.T))


def family_of(layout: Layout) -> str | None:
    """The known detector with the same number and size of panels and pixels, if any."""
    for name in KNOWN:
        if not known_layout(name).difference(layout.panels):
            return name
    return None
