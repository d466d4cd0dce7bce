"""Sections of a report about single panels: shifts, values along the normal, coverage, RMSD."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from calib.model.detector.correction import CorrectionEstimate
from calib.report.blocks import NONE, Figure, Sentences, Table, View, fixed
from calib.report.calibration.parameters import cells, headings, refined
from calib.report.page.section import Section
from calib.report.spreadsheet import panel_data

_CONFIDENCE = 3.0
"""A shift of this many standard uncertainties is called significant."""


def motion_views(estimate: CorrectionEstimate, face: View, panels: Sequence[View]) -> list[View]:
    """Shift of each panel on the face, and its distance from the nominal place.

    ``shift_um`` (x, y) and ``covariance_um2`` (2, 2) are those in the plane, ``distance_um`` and
    ``sigma_um`` the length of the whole translation and its standard uncertainty.
    """
    free = estimate.freedom.free
    n, f = len(panels), len(free)
    blocks = estimate.covariance.reshape(n, f, n, f)[np.arange(n), :, np.arange(n)]
    axes = np.stack([face["fast"], face["slow"]], axis=1)
    shifts = estimate.correction.values[:, :3]
    across = [free.index(0), free.index(1)]
    plane = blocks[:, across][:, :, across]
    along = [place for place, parameter in enumerate(free) if parameter < 3]
    moved = shifts[:, [free[place] for place in along]]
    found: list[View] = []
    for index, panel in enumerate(panels):
        turn = axes[index].T
        length = float(np.linalg.norm(moved[index]))
        own = blocks[index][np.ix_(along, along)]
        towards = (
            moved[index] / length if length > 0.0 else np.ones(len(along)) / np.sqrt(len(along))
        )
        found.append(
            {
                "panel": panel["panel"],
                "name": panel["name"],
                "status": panel["status"],
                "n_reflections": panel["n_reflections"],
                "shift_um": (1e3 * turn @ shifts[index, :2]).tolist(),
                "covariance_um2": (1e6 * turn @ plane[index] @ turn.T).tolist(),
                "distance_um": 1e3 * length,
                "sigma_um": 1e3 * float(np.sqrt(towards @ own @ towards)),
                "words": _panel_words(panel),
            }
        )
    return found


def _panel_words(panel: View) -> str:
    parameters = refined([panel])
    values = zip(parameters, cells(panel, parameters), strict=True)
    parts = [f"{one.name} {value} {one.shown_unit}" for one, value in values]
    return (
        f"Panel {panel['panel']} ({panel['name']}), {panel['status']}, "
        f"{panel['n_reflections']} reflections: {', '.join(parts)}"
    )


def worst_words(motions: Sequence[View]) -> str:
    """Which measured panel is farthest from its nominal place, and whether significantly."""
    measured = [one for one in motions if one["status"] == "measured"]
    if not measured:
        return "No panel is measured."
    worst = max(measured, key=lambda one: one["distance_um"])
    sigma = worst["sigma_um"]
    ratio = worst["distance_um"] / sigma if sigma > 0.0 else np.inf
    verdict = "significant" if ratio >= _CONFIDENCE else "not significant"
    return (
        f"Panel {worst['panel']} is farthest from its nominal place: "
        f"{fixed(worst['distance_um'], 1)} ± {fixed(sigma, 1)} um ({ratio:.1f} sigma: {verdict})."
    )


def shift_section(face: View, motions: Sequence[View], panels: Sequence[View]) -> Section:
    """Figure 1: the map of the panels with their shifts in the plane."""
    lengths = [float(np.hypot(*one["shift_um"])) for one in motions if one["status"] == "measured"]
    typical = f" Their median is {fixed(float(np.median(lengths)), 1)} um." if lengths else ""
    caption = (
        "Arrows show how far each panel lies from its nominal place in the plane of the detector; "
        "the ellipse at the tip contains the true place with 95 % confidence (none for panels "
        f"without data).{typical} "
        f"{worst_words(motions)} {_view_words(face)}"
    )
    parameters = refined(panels)
    table = Table(
        "Corrections of all panels (1 sigma in brackets)",
        ("panel", "name", "status", "reflections", *headings(parameters)),
        tuple(
            (
                str(panel["panel"]),
                panel["name"],
                panel["status"],
                str(panel["n_reflections"]),
                *cells(panel, parameters),
            )
            for panel in panels
        ),
        n_text=3,
    )
    figure = Figure(
        "panel_shifts",
        "Shifts of the panels in the plane",
        caption,
        {"face": face, "panels": motions},
    )
    return Section("shifts", figure.title, (figure, table), panel_data(panels))


def _view_words(face: View) -> str:
    if face["kind"] == "unrolled":
        return "The detector is curved, and is shown unrolled about its axis."
    return "The detector is shown as by an image viewer: x to the right, y downwards."


def normal_section(face: View, panels: Sequence[View]) -> Section:
    """Figure 2: shift along the normal and tilts, each with its uncertainty."""
    title = "Shift along the normal, and tilts"
    wanted = [one for one in refined(panels) if not one.in_plane]
    if not wanted:
        words = "Shift along the normal and tilts were fixed at nominal: there is nothing to show."
        return Section("normal", title, (Sentences("", (words,)),))
    rows = [
        [
            _map(
                one.name,
                f"{one.name} ({one.shown_unit})",
                [one.shown_factor * panel[one.key] for panel in panels],
                signed=True,
                digits=one.digits,
            ),
            _map(
                f"sigma-{one.name}",
                f"sigma of {one.name} ({one.shown_unit})",
                [_scaled(panel["sigma"][one.key], one.shown_factor) for panel in panels],
                digits=one.digits,
            ),
        ]
        for one in wanted
    ]
    largest = max(panels, key=lambda panel: _ratio(panel, wanted[0].key))
    ratio = _ratio(largest, wanted[0].key)
    named = "; ".join(f"{one.name} is the {one.words}" for one in wanted)
    caption = (
        f"{named}. Left: the values, blue below and brown above zero. Right: their standard "
        "uncertainty. "
        f"Along the normal, panel {largest['panel']} deviates most significantly: "
        f"{cells(largest, wanted[:1])[0]} um, {ratio:.1f} sigma."
    )
    figure = Figure("panel_maps", title, caption, {"face": face, "panels": panels, "rows": rows})
    return Section("normal", title, (figure, _rows_table(title, panels, rows)))


def _ratio(panel: View, key: str) -> float:
    sigma = panel["sigma"][key]
    return abs(panel[key]) / sigma if sigma else 0.0


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value


def _map(
    key: str,
    title: str,
    values: Sequence[float | None],
    *,
    signed: bool = False,
    logarithmic: bool = False,
    digits: int = 1,
) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "signed": signed,
        "logarithmic": logarithmic,
        "digits": digits,
        "values": list(values),
    }


def _rows_table(title: str, panels: Sequence[View], rows: Sequence[Sequence[View]]) -> Table:
    maps = [one for row in rows for one in row]
    return Table(
        title,
        ("panel", *(one["title"] for one in maps)),
        tuple(
            (str(panel["panel"]), *(fixed(one["values"][index], one["digits"]) for one in maps))
            for index, panel in enumerate(panels)
        ),
    )


def coverage_section(face: View, panels: Sequence[View]) -> Section:
    """Figure 9: reflections on each panel, and how well they determine its place."""
    title = "Coverage: what the data know of each panel"
    sigma: Callable[[str], list[float | None]] = lambda key: [  # noqa: E731
        _scaled(panel["sigma"][key], 1e3) for panel in panels
    ]
    rows = [
        [
            _map(
                "reflections",
                "reflections used",
                [panel["n_reflections"] for panel in panels],
                logarithmic=True,
                digits=0,
            ),
            _map("plane", "sigma in the plane (um)", _quadratic(sigma("dx_mm"), sigma("dy_mm"))),
        ]
    ]
    counted = [panel["n_reflections"] for panel in panels]
    least = int(np.argmin(counted))
    without = sum(count == 0 for count in counted)
    caption = (
        "Left: number of reflections on each panel (logarithmic). Right: standard uncertainty of "
        "its place in the plane, x and y added in quadrature. "
        + (
            f"{without} of {len(panels)} panels have no reflections."
            if without
            else f"Panel {panels[least]['panel']} has the fewest: {counted[least]}."
        )
    )
    figure = Figure("panel_maps", title, caption, {"face": face, "panels": panels, "rows": rows})
    return Section("coverage", title, (figure, _rows_table(title, panels, rows)))


def _quadratic(first: Sequence[float | None], second: Sequence[float | None]) -> list[float | None]:
    pairs = zip(first, second, strict=True)
    return [None if a is None or b is None else float(np.hypot(a, b)) for a, b in pairs]


def rmsd_section(panels: Sequence[View]) -> Section:
    """Figure 7: RMSD of each panel before and after the corrections."""
    title = "RMSD of each panel before and after the corrections"
    shown = [
        {"panel": panel["panel"], **{axis: _stages(panel, axis) for axis in "xy"}}
        for panel in panels
    ]
    for one, panel in zip(shown, panels, strict=True):
        one["words"] = _rmsd_words(one, panel)
    drawn = [one for one in shown if one["x"]["after"] is not None]
    if not drawn:
        words = "The record has no residuals of single panels, as of an imported calibration."
        return Section("rmsd", title, (Sentences("", (words,)),))
    better = sum(one[axis]["after"] <= one[axis]["before"] for one in drawn for axis in "xy")
    worst = max(drawn, key=lambda one: np.hypot(one["x"]["after"], one["y"]["after"]))
    caption = (
        f"The corrections reduce {better} of {2 * len(drawn)} RMSDs (x and y of {len(drawn)} "
        f"panels with reflections). Largest afterwards: panel {worst['panel']}, "
        f"{fixed(worst['x']['after'], 3)} px in x and {fixed(worst['y']['after'], 3)} px in y."
    )
    figure = Figure("panel_rmsd", title, caption, {"panels": drawn})
    table = Table(
        title,
        ("panel", "used", "x before", "x after", "x held out", "y before", "y after", "y held out",
         "median |x|", "median |y|"),
        tuple(
            (
                str(panel["panel"]),
                str(panel["n_reflections"]),
                *(fixed(one[axis][stage], 3) for axis in "xy" for stage in _STAGES),
                *_medians(panel),
            )
            for one, panel in zip(shown, panels, strict=True)
        ),
    )  # fmt: skip
    return Section("rmsd", title, (figure, table))


_STAGES = ("before", "after", "held_out")


def _stages(panel: View, axis: str) -> dict[str, float | None]:
    rmsd = panel["rmsd_px"]
    found = {stage: rmsd[stage]["used"] for stage in ("before", "after")}
    found["held_out"] = rmsd["after"]["held_out"]
    return {stage: None if one is None else one[axis] for stage, one in found.items()}


def _rmsd_words(one: View, panel: View) -> str:
    parts = [
        f"{axis} {fixed(one[axis]['before'], 3)} px before, {fixed(one[axis]['after'], 3)} px after"
        for axis in "xy"
    ]
    return f"Panel {panel['panel']}, {panel['n_reflections']} reflections: {', '.join(parts)}"


def _medians(panel: View) -> tuple[str, str]:
    middle = panel["median_abs_px"]["after"]["used"]
    return (NONE, NONE) if middle is None else (fixed(middle["x"], 3), fixed(middle["y"], 3))
