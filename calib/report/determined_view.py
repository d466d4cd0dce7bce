"""Which directions the data determine, for scripts."""

from __future__ import annotations

from typing import Any

from calib.model.result.report import Determined
from calib.report.scalar import number

_PARAMETERS = ("dx", "dy", "dz", "rx", "ry", "rz")


def determined_view(found: Determined | None) -> dict[str, Any] | None:
    """The data's share in what is known; None where that was not recorded."""
    if found is None:
        return None
    shares = zip(_PARAMETERS, found.parameters, strict=True)
    return {
        "n_directions": found.n_directions,
        "n_determined": found.n_determined,
        "data_share": {name: number(share) for name, share in shares},
        "patterns": [
            {"words": one.words, "data_share": number(one.share)} for one in found.patterns
        ],
    }
