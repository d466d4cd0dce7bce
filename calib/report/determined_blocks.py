"""Which directions the data determine, in words."""

from __future__ import annotations

from collections.abc import Mapping

from calib.report.blocks import Block, Sentences, View

_WORDS: Mapping[str, str] = {
    "dx": "fast",
    "dy": "slow",
    "dz": "normal",
    "rx": "tilt about fast",
    "ry": "tilt about slow",
    "rz": "turn",
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
