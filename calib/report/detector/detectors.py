"""Detectors and their panels in nominal geometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.detector.families import family_of
from calib.model.store.amendment import Retirement, retirement_in_force
from calib.model.store.record import DetectorRecord
from calib.report.blocks import (
    NONE,
    Block,
    Facts,
    Sentences,
    Table,
    View,
    at_second,
    fixed,
    moment_words,
)
from calib.report.calibration.listing import list_table
from calib.report.certifications import certification_table
from calib.report.detector.amendments import edit_table, in_force_view, retirement_table
from calib.report.detector.placements import placement_table
from calib.report.scalar import instant


def detector_view(record: DetectorRecord, retirements: Sequence[Retirement] = ()) -> dict[str, Any]:
    """A detector without its panels."""
    retirement = retirement_in_force(retirements)
    shapes = sorted({(panel.size_px, panel.pixel_mm) for panel in record.layout.panels})
    return {
        "serial": record.serial,
        "description": record.description,
        "family": family_of(record.layout),
        "layout_name": record.layout_name or None,
        "time_zone": record.time_zone,
        "earlier_time_zones": [
            {"to": instant(end), "time_zone": name} for end, name in record.earlier_zones
        ],
        "retired": None if retirement is None else in_force_view(retirement),
        "n_panels": len(record.layout),
        "panel_sizes": [
            {"size_px": list(size_px), "pixel_mm": list(pixel_mm)} for size_px, pixel_mm in shapes
        ],
        "layout_id": record.layout_id,
        "geometry_id": record.layout.geometry_id,
    }


def panel_frames_view(record: DetectorRecord) -> list[dict[str, Any]]:
    """Nominal panel geometry: origin in mm and unit axes, relative to the root frame."""
    layout = record.layout
    return [
        {
            "panel": index,
            "name": panel.name,
            "size_px": list(panel.size_px),
            "pixel_mm": list(panel.pixel_mm),
            "origin_mm": layout.frames.origin_mm[index].tolist(),
            "fast_axis": layout.frames.rotation[index, :, 0].tolist(),
            "slow_axis": layout.frames.rotation[index, :, 1].tolist(),
        }
        for index, panel in enumerate(layout.panels)
    ]


def detector_table(views: Sequence[View]) -> Table:
    """Detectors, one per line; a column for retirements if there are any."""
    retired = any(view["retired"] for view in views)
    return Table(
        "",
        (
            "serial",
            "model",
            "time zone",
            "description",
            *(("retired since",) if retired else ()),
            "panels",
        ),
        tuple(
            (
                view["serial"],
                view["layout_name"] or view["family"] or NONE,
                view["time_zone"],
                view["description"] or NONE,
                *((_retired_since(view),) if retired else ()),
                str(view["n_panels"]),
            )
            for view in views
        ),
        n_text=5 if retired else 4,
    )


def _retired_since(view: View) -> str:
    return at_second(view["retired"]["from"]) if view["retired"] else NONE


def detector_facts(view: View) -> Facts:
    """A detector without its panels."""
    retired = view["retired"]
    state = (
        ()
        if retired is None
        else (("Retired", f"since {at_second(retired['from'])}: {retired['reason']}"),)
    )
    sizes = ", ".join(
        f"{one['size_px'][0]} x {one['size_px'][1]} px of {_pixel_words(*one['pixel_mm'])}"
        for one in view["panel_sizes"]
    )
    return Facts(
        (
            ("Detector", view["serial"]),
            ("Description", view["description"] or NONE),
            ("Model", view["layout_name"] or view["family"] or "not a known model"),
            ("Panels", f"{view['n_panels']} of {sizes}"),
            ("Time zone", _zone_words(view)),
            ("Layout", view["layout_id"][:12]),
            *state,
        )
    )


def _zone_words(view: View) -> str:
    earlier = [
        f"{one['time_zone']} before {at_second(one['to'])}" for one in view["earlier_time_zones"]
    ]
    return "; ".join([view["time_zone"], *reversed(earlier)])


def _pixel_words(fast_mm: float, slow_mm: float) -> str:
    """The size of a pixel: one number where it is square."""
    return f"{fast_mm:g} mm" if fast_mm == slow_mm else f"{fast_mm:g} x {slow_mm:g} mm"


def detector_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """A detector with all that was recorded about it; panels if asked for."""
    known = ("As known at", moment_words(view["as_known_at"]))
    blocks: list[Block] = [Facts((*detector_facts(view).rows, known))]
    if all_panels:
        blocks.append(_panel_table(view["panels"]))
    calibrations, certified = view["calibrations"], view["certifications"]
    if calibrations:
        blocks.append(list_table(calibrations))
    else:
        blocks.append(Sentences("", ("No calibration yet.",)))
    if certified:
        blocks.append(certification_table(certified))
    if view["placements"]:
        blocks.append(placement_table(view["placements"]))
    if view["edits"]:
        blocks.append(edit_table(view["edits"]))
    if view["retirements"]:
        blocks.append(retirement_table(view["retirements"]))
    return blocks


def _panel_table(panels: Sequence[View]) -> Table:
    return Table(
        "Nominal panel geometry in the root frame",
        ("panel", "name", "fast px", "slow px", "origin x mm", "y mm", "z mm"),
        tuple(
            (
                str(panel["panel"]),
                panel["name"],
                *(str(size) for size in panel["size_px"]),
                *(fixed(value, 4) for value in panel["origin_mm"]),
            )
            for panel in panels
        ),
        n_text=2,
    )
