"""Detectors as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import NONE, Block, Facts, Sentences, Table, View, fixed, moment_words
from calib.report.calibration_blocks import list_table
from calib.report.certification_blocks import certification_table
from calib.report.placement_view import placement_table


def detector_table(views: Sequence[View]) -> Table:
    """Detectors, a line each."""
    return Table(
        "",
        ("serial", "kind", "time zone", "description", "panels"),
        tuple(
            (
                view["serial"],
                view["family"] or NONE,
                view["time_zone"],
                view["description"] or NONE,
                str(view["n_panels"]),
            )
            for view in views
        ),
        n_text=4,
    )


def detector_facts(view: View) -> Facts:
    """A detector without its panels."""
    sizes = ", ".join(
        f"{one['size_px'][0]} x {one['size_px'][1]} px of {one['pixel_mm'][0]:g} mm"
        for one in view["panel_sizes"]
    )
    return Facts(
        (
            ("Detector", view["serial"]),
            ("Description", view["description"] or NONE),
            ("Kind", view["family"] or "none that calib knows by name"),
            ("Panels", f"{view['n_panels']} of {sizes}"),
            ("Time zone", view["time_zone"]),
            ("Layout", view["layout_id"][:12]),
        )
    )


def detector_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """A detector with its panels as drawn, its calibrations and certifications."""
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
    return blocks


def _panel_table(panels: Sequence[View]) -> Table:
    return Table(
        "Panels as drawn, from the root frame",
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
