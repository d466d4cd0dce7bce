"""Detectors as scripts see them."""

from __future__ import annotations

from typing import Any

from calib.model.detector.families import family_of
from calib.model.store.record import DetectorRecord


def detector_view(record: DetectorRecord) -> dict[str, Any]:
    """A detector without its panels."""
    shapes = sorted({(panel.size_px, panel.pixel_mm) for panel in record.layout.panels})
    return {
        "serial": record.serial,
        "description": record.description,
        "family": family_of(record.layout),
        "time_zone": record.time_zone,
        "n_panels": len(record.layout),
        "panel_sizes": [
            {"size_px": list(size_px), "pixel_mm": list(pixel_mm)} for size_px, pixel_mm in shapes
        ],
        "layout_id": record.layout_id,
    }


def panel_frames_view(record: DetectorRecord) -> list[dict[str, Any]]:
    """The panels as drawn, relative to the detector's root frame, in mm."""
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
