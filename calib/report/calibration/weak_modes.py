"""Which degrees of freedom the data determine, and which least."""

from __future__ import annotations

from typing import Any

from calib.model.detector.correction import PANEL_PARAMETERS, PARAMETERS
from calib.model.result.report import Determined, Report
from calib.report.blocks import Block, Sentences, View
from calib.report.calibration.groups import group_view
from calib.report.scalar import number

_WORDS = {one.name: one.words for one in PANEL_PARAMETERS}


def directions_view(report: Report) -> dict[str, Any]:
    """Directions that the data do not determine, or least well, and groups of panels."""
    return {
        "gauge": report.gauge,
        "null_directions": list(report.null_directions),
        "weak_modes": [
            {"words": mode.words, "sigma_um": number(mode.sigma_um)} for mode in report.weak_modes
        ],
        "determined": determined_view(report.determined),
        "groups": [group_view(group) for group in report.groups],
    }


def determined_view(found: Determined | None) -> dict[str, Any] | None:
    """The data's share in what is known; None where that was not recorded."""
    if found is None:
        return None
    shares = zip(PARAMETERS, found.parameters, strict=True)
    return {
        "n_directions": found.n_directions,
        "n_determined": found.n_determined,
        "data_share": {name: number(share) for name, share in shares},
        "patterns": [
            {"words": one.words, "data_share": number(one.share)} for one in found.patterns
        ],
    }


def determined_blocks(view: View | None) -> list[Block]:
    """How much of each direction comes from the data; nothing where that was not recorded."""
    if view is None:
        return []
    shares, patterns = view["data_share"], view["patterns"]
    free = [f"{_WORDS[name]} {_percent(own)}" for name, own in shares.items() if own is not None]
    held = [_WORDS[name] for name, own in shares.items() if own is None]
    lines = [
        f"{view['n_determined']} of {view['n_directions']} independent motions of the panels, more "
        "than the tolerances of assembly do.",
        f"Their share in each panel: {', '.join(free)}.",
    ]
    if held:
        lines.append(f"Held: {', '.join(held)}.")
    if patterns:
        named = [f"{one['words']} {_percent(one['data_share'])}" for one in patterns]
        lines.append(f"As a whole: {', '.join(named)}.")
    return [Sentences("What the data determine", tuple(lines))]


def _percent(share: float) -> str:
    """Rounded down: 100 % is said of nothing less."""
    return f"{int(1000.0 * share) / 10.0:.1f} %"
