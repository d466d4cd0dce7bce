"""The difference of two calibrations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from calib.model.detector.correction import PANEL_PARAMETERS, PARAMETERS
from calib.model.result.drift import Drift
from calib.model.store.record import StoredCalibration
from calib.report.blocks import (
    NONE,
    Block,
    Facts,
    Sentences,
    Table,
    View,
    fixed,
    general,
)
from calib.report.calibration.parameters import cells, headings, keyed
from calib.report.calibration.what_if import parts_words
from calib.report.scalar import number

_SHOWN_PANELS = 10


def drift_view(found: Drift) -> dict[str, Any]:
    """Verdict, test statistics and rms shifts in um, without single panels."""
    compared = list(found.compared)
    return {
        "verdict": found.verdict.value,
        "moved_panels": list(found.moved),
        "p_value": number(found.p_value),
        "chi_square": number(found.chi_square),
        "degrees_of_freedom": found.degrees_of_freedom,
        "rms_shift_um": {
            "in_plane": _rms_um(found, compared, (0, 1)),
            "normal": _rms_um(found, compared, (2,)),
        },
        "largest_motion_um": number(1e3 * float(found.motion_mm[compared].max()))
        if compared
        else None,
        "sigma_um": {
            "noise": number(found.parts.noise_um),
            "repeatability": number(found.parts.repeatability_um),
            "model": number(found.parts.model_um),
        },
        "repeatability_um": number(1e3 * found.repeat_mm),
        "shared_data": {"first": number(found.shared[0]), "second": number(found.shared[1])},
        "notes": list(found.notes),
    }


def difference_view(
    first: StoredCalibration, second: StoredCalibration, found: Drift
) -> dict[str, Any]:
    """The whole comparison; shifts in mm, rotations in mrad, motions in um."""
    shift, sigma = found.shift.tolist(), found.sigma.tolist()
    return {
        "first": first.name,
        "first_id": first.id,
        "second": second.name,
        "second_id": second.id,
        **drift_view(found),
        "compared_parameters": [PARAMETERS[k] for k in found.parameters],
        "n_panels_compared": len(found.compared),
        "panels": [
            {
                "panel": panel,
                "name": name,
                "moved": panel in found.moved,
                **keyed(shift[panel]),
                "sigma": keyed(sigma[panel]),
                "motion_um": number(1e3 * float(found.motion_mm[panel])),
                "chi_square": number(float(found.panel_chi_square[panel])),
                "degrees_of_freedom": int(found.panel_degrees[panel]),
                "p_value": number(float(found.panel_p_value[panel])),
                "p_value_holm": number(float(found.panel_p_holm[panel])),
            }
            for panel, name in enumerate(second.record.panel_names)
        ],
    }


def _rms_um(found: Drift, panels: list[int], parameters: tuple[int, ...]) -> float | None:
    if not panels or not set(parameters) <= set(found.parameters):
        return None
    shift = found.shift[np.ix_(np.array(panels), np.array(parameters))]
    return number(1e3 * float(np.sqrt(np.mean(shift**2))))


def difference_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """The verdict, and the panels with the most significant motion; all panels if asked for."""
    rms = view["rms_shift_um"]
    height = rms["normal"]
    normal = "" if height is None else f", {fixed(height, 1)} um along the normal"
    blocks: list[Block] = [
        Facts(
            (
                ("Compared", f"{view['second']} with {view['first']}"),
                ("Verdict", verdict_words(view)),
                (
                    "Chi-square",
                    f"{fixed(view['chi_square'], 1)} for {view['degrees_of_freedom']} degrees of "
                    f"freedom: p = {general(view['p_value'])}",
                ),
                (
                    "Shifts",
                    f"rms {fixed(rms['in_plane'], 1)} um in the plane{normal}, after rigid "
                    "alignment",
                ),
                ("Sigma of shifts", parts_words(view["sigma_um"])),
                ("Panels", f"{view['n_panels_compared']} of {len(view['panels'])} compared"),
            )
        )
    ]
    panels = [panel for panel in view["panels"] if panel["degrees_of_freedom"] or all_panels]
    if not all_panels:
        panels = sorted(panels, key=lambda p: (not p["moved"], p["p_value"]))
        panels = panels[: max(_SHOWN_PANELS, len(view["moved_panels"]))]
    if panels:
        blocks.append(_panel_table(panels, len(view["panels"])))
    if view["notes"]:
        blocks.append(Sentences("Notes", tuple(view["notes"])))
    return blocks


def verdict_words(view: View) -> str:
    """The verdict, with the panels that moved."""
    moved = view["moved_panels"]
    if not moved:
        return str(view["verdict"])
    listed = ", ".join(str(panel) for panel in moved[:_SHOWN_PANELS])
    more = f" and {len(moved) - _SHOWN_PANELS} more" if len(moved) > _SHOWN_PANELS else ""
    return f"{view['verdict']}: panel {listed}{more}"


def _panel_table(panels: Sequence[View], n_panels: int) -> Table:
    which = "Panels" if len(panels) == n_panels else f"The {len(panels)} most significant panels"
    return Table(
        f"{which} (sigma in brackets)",
        (
            *("panel", "name", "", "motion um"),
            *headings(PANEL_PARAMETERS),
            *("p", "p (Holm)"),
        ),
        tuple(
            (
                str(panel["panel"]),
                panel["name"],
                "moved" if panel["moved"] else "",
                fixed(panel["motion_um"], 1),
                *cells(panel, PANEL_PARAMETERS),
                general(panel["p_value"], 2) if panel["degrees_of_freedom"] else NONE,
                general(panel["p_value_holm"], 2) if panel["degrees_of_freedom"] else NONE,
            )
            for panel in panels
        ),
        n_text=3,
    )
