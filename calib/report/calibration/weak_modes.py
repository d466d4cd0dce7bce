"""Which degrees of freedom the data determine, and which least."""

from __future__ import annotations

from typing import Any

from calib.model.detector.correction import PANEL_PARAMETERS, PARAMETERS
from calib.model.result.report import Determined, Report
from calib.report.blocks import Block, Sentences, View
from calib.report.calibration.groups import group_view
from calib.report.calibration.prior import prior_view
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
        "determined": information_view(report.determined),
        "prior": prior_view(report.prior),
        "groups": [group_view(group) for group in report.groups],
    }


def information_view(found: Determined | None) -> dict[str, Any] | None:
    """Fractions determined by the data rather than the prior; None if not recorded."""
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


def information_blocks(view: View | None) -> list[Block]:
    """Fractions determined by the data rather than the prior; empty if not recorded."""
    if view is None:
        return []
    shares, patterns = view["data_share"], view["patterns"]
    free = [f"{_WORDS[name]} {_percent(own)}" for name, own in shares.items() if own is not None]
    fixed = [_WORDS[name] for name, own in shares.items() if own is None]
    lines = [
        f"Data constrain {view['n_determined']} of {view['n_directions']} degrees of freedom more "
        "tightly than the assembly tolerance.",
        f"Fraction determined by data rather than prior: {', '.join(free)}.",
    ]
    if fixed:
        lines.append(f"Fixed at nominal: {', '.join(fixed)}.")
    if patterns:
        named = [f"{one['words']} {_percent(one['data_share'])}" for one in patterns]
        lines.append(f"Collective modes: {', '.join(named)}.")
    return [Sentences("Information in the data", tuple(lines))]


def _percent(share: float) -> str:
    """A fraction in per cent, rounded down, so that 100 % means all of it."""
    return f"{int(1000.0 * share) / 10.0:.1f} %"
