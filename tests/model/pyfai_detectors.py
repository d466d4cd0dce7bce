"""Print pyFAI's detectors of modules as JSON, for ``test_known_detectors``.

Sizes are (fast, slow) in px. ``columns`` and ``rows`` are the first and last live pixel of each run
of live pixels in pyFAI's mask.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from pyFAI.detectors import ALL_DETECTORS

FAMILIES = ("Pilatus", "Eiger", "Jungfrau1M", "Jungfrau4M")


def runs(live: np.ndarray) -> list[list[int]]:
    """First and last index of each run of live pixels."""
    steps = np.flatnonzero(np.diff(np.concatenate([[0], live.astype(int), [0]])))
    return [[int(a), int(b) - 1] for a, b in steps.reshape(-1, 2)]


found = {}
for cls in {one for one in ALL_DETECTORS.values() if one.__name__.startswith(FAMILIES)}:
    if getattr(cls, "MODULE_GAP", None) is None or cls.MAX_SHAPE is None:
        continue
    one = cls()
    live = one.calc_mask() == 0
    found[cls.aliases[0]] = {
        "size_px": list(cls.MAX_SHAPE[::-1]),
        "pixel_um": round(one.pixel1 * 1e6, 6),
        "columns": runs(live.any(axis=0)),
        "rows": runs(live.any(axis=1)),
    }
sys.stdout.write(json.dumps(found))
