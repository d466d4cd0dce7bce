"""Layouts: the modules of known detectors, and experiments that were split into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.detector.known_detector import KnownDetector
from calib.model.detector.moved_counts import MovedCounts
from calib.report.blocks import NONE, Block, Facts, Table, View, fixed


def layout_view(detector: KnownDetector) -> dict[str, Any]:
    """A known detector without its modules."""
    return {
        "name": detector.name,
        "family": detector.family.name,
        "image_px": list(detector.modules.size_px),
        "pixel_mm": detector.pixel_mm,
        "module_px": list(detector.module_px),
        "gap_px": list(detector.gap_px or ()),
        "grid": list(detector.grid or ()),
        "n_panels": len(detector.modules),
        "roi_mode": detector.mode or None,
        "source": detector.family.source,
        "geometry_id": detector.layout().geometry_id,
    }


def module_views(detector: KnownDetector) -> list[dict[str, Any]]:
    """The panels of a detector with the part of the image that each takes."""
    modules = detector.modules
    return [
        {"panel": index, "name": name, "first_px": box[:2], "end_px": box[2:]}
        for index, (name, box) in enumerate(
            zip(modules.names, modules.boxes_px.tolist(), strict=True)
        )
    ]


def layout_table(views: Sequence[View]) -> Table:
    """Known detectors, one per line."""
    return Table(
        "",
        ("name", "source", "image px", "panels", "module px", "gap px", "pixel mm"),
        tuple(
            (
                view["name"],
                view["source"],
                _pair(view["image_px"]),
                str(view["n_panels"]),
                _pair(view["module_px"]),
                _pair(view["gap_px"]),
                fixed(view["pixel_mm"], 3),
            )
            for view in views
        ),
        n_text=2,
    )


def layout_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """A known detector; its modules if asked for."""
    grid = "not on a grid" if not view["grid"] else f"{_pair(view['grid'])} (fast x slow)"
    facts = Facts(
        (
            ("Layout", view["name"]),
            ("Family", view["family"]),
            ("Image", f"{_pair(view['image_px'])} px of {view['pixel_mm']:g} mm"),
            ("Panels", f"{view['n_panels']} of {_pair(view['module_px'])} px, {grid}"),
            ("Gaps", f"{_pair(view['gap_px'])} px" if view["gap_px"] else NONE),
            ("ROI mode", view["roi_mode"] or NONE),
            ("Source", view["source"]),
            ("Geometry", view["geometry_id"][:12]),
        )
    )
    if not all_panels:
        return [facts]
    rows = tuple(
        (str(one["panel"]), one["name"], *(str(px) for px in (*one["first_px"], *one["end_px"])))
        for one in view["panels"]
    )
    heads = ("panel", "name", "first fast px", "slow px", "end fast px", "slow px")
    return [facts, Table("Parts of the image", heads, rows, n_text=2)]


def _pair(pair: Sequence[int]) -> str:
    return NONE if not pair else f"{pair[0]} x {pair[1]}"


def conversion_view(
    inputs: Sequence[str],
    outputs: Sequence[str],
    detectors: Sequence[tuple[int, KnownDetector]],
    moved: MovedCounts | None,
    notices: Sequence[str],
    *,
    written: bool,
) -> dict[str, Any]:
    """What was converted."""
    return {
        "inputs": list(inputs),
        "outputs": list(outputs),
        "written": written,
        "detectors": [
            {
                "index": index,
                "layout": known.name,
                "n_panels": len(known.modules),
                "geometry_id": known.layout().geometry_id,
            }
            for index, known in detectors
        ],
        "reflections": None
        if moved is None
        else {
            "kept": moved.n_kept,
            "in_gaps": moved.n_in_gaps,
            "on_several_modules": moved.n_across,
            "shoeboxes_cut": moved.n_cut,
            "columns_left_out": list(moved.left_out),
        },
        "notices": list(notices),
    }


def conversion_blocks(view: View) -> list[Block]:
    """What was converted: layouts, and counts of reflections."""
    rows = [
        (f"Detector {one['index']}", f"{one['layout']}, {one['n_panels']} modules")
        for one in view["detectors"]
    ]
    counts = view["reflections"]
    if counts is not None:
        lost = counts["in_gaps"] + counts["on_several_modules"]
        rows.append(("Reflections", f"{counts['kept']}, {lost} left out"))
    return [Facts(tuple(rows))]
