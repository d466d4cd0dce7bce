"""Two calibrations compared, as people see it."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import (
    NONE,
    Block,
    Facts,
    Sentences,
    Table,
    View,
    fixed,
    general,
    micrometres,
)

_SHOWN = 10


def difference_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """The verdict, and the panels that moved or came nearest to it; all of them where asked."""
    rms = view["rms_shift_um"]
    height = rms["normal"]
    normal = "" if height is None else f", {fixed(height, 1)} um along the normal"
    blocks: list[Block] = [
        Facts(
            (
                ("Compared", f"{view['second']} against {view['first']}"),
                ("Verdict", verdict_words(view)),
                (
                    "Chi-square",
                    f"{fixed(view['chi_square'], 1)} for {view['degrees_of_freedom']} degrees of "
                    f"freedom: p = {general(view['p_value'])}",
                ),
                (
                    "Shifts",
                    f"rms {fixed(rms['in_plane'], 1)} um in the plane{normal}, rigid motions taken "
                    "out",
                ),
                ("Panels", f"{view['n_panels_compared']} of {len(view['panels'])} compared"),
            )
        )
    ]
    panels = [panel for panel in view["panels"] if panel["degrees_of_freedom"] or all_panels]
    if not all_panels:
        panels = sorted(panels, key=lambda p: (not p["moved"], p["p_value"]))
        panels = panels[: max(_SHOWN, len(view["moved_panels"]))]
    if panels:
        blocks.append(_panel_table(panels, len(view["panels"])))
    if view["notes"]:
        blocks.append(Sentences("Mind", tuple(view["notes"])))
    return blocks


def verdict_words(view: View) -> str:
    """The verdict with the panels it names."""
    moved = view["moved_panels"]
    if not moved:
        return str(view["verdict"])
    listed = ", ".join(str(panel) for panel in moved[:_SHOWN])
    more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
    return f"{view['verdict']}: panel {listed}{more}"


def _panel_table(panels: Sequence[View], n_panels: int) -> Table:
    which = "Panels" if len(panels) == n_panels else f"The {len(panels)} surest panels"
    return Table(
        f"{which} (shifts in um, rotations in mrad, each with its sigma)",
        ("panel", "name", "", "motion", "dx", "dy", "dz", "rx", "ry", "rz", "p", "p (all panels)"),
        tuple(
            (
                str(panel["panel"]),
                panel["name"],
                "moved" if panel["moved"] else "",
                fixed(panel["motion_um"], 1),
                *(
                    _with_sigma(micrometres(panel[key]), panel["sigma"][key], 1e3, 1)
                    for key in ("dx_mm", "dy_mm", "dz_mm")
                ),
                *(
                    _with_sigma(_signed(panel[key]), panel["sigma"][key], 1.0, 2)
                    for key in ("rx_mrad", "ry_mrad", "rz_mrad")
                ),
                general(panel["p_value"], 2) if panel["degrees_of_freedom"] else NONE,
                general(panel["p_value_holm"], 2) if panel["degrees_of_freedom"] else NONE,
            )
            for panel in panels
        ),
        n_text=3,
    )


def _signed(value: float | None) -> str:
    return NONE if value is None else f"{value:+.2f}"


def _with_sigma(value: str, sigma: float | None, factor: float, digits: int) -> str:
    return value if sigma is None else f"{value} ({factor * sigma:.{digits}f})"
