"""Certified geometry of a detector for all times and distances in one file, calib-geometry/1.

A JSON object with a hash of its content, for programs without access to the store, such as the
plugin of DIALS in ``plugin/``. Each panel is given relative to its nominal place: the fast and slow
axis and the origin (mm) of the corrected panel in the frame of the nominal one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.layout import Layout
from calib.model.store.record import Certification, DetectorRecord
from calib.model.store.validity import shown_instant

FORMAT = "calib-geometry/1"


def geometry_bytes(
    record: DetectorRecord,
    certified: Sequence[tuple[Certification, Correction]],
    *,
    position: int,
) -> bytes:
    """The content of the file; of several certifications for a time and distance the first one
    applies. ``position`` is that of the log when they were read."""
    layout = record.layout
    content: dict[str, Any] = {
        "format": FORMAT,
        "serial": record.serial,
        "time_zone": record.time_zone,
        "earlier_zones": [[shown_instant(end), zone] for end, zone in record.earlier_zones],
        "log_position": position,
        "panels": [
            {"name": one.name, "size_px": list(one.size_px), "pixel_mm": list(one.pixel_mm)}
            for one in layout.panels
        ],
        "normal": relative_normal(layout).tolist(),
        "centre_mm": relative_centre_mm(layout).tolist(),
        "calibrations": [
            {
                "calibration": f"{one.serial}:{one.version}",
                "calibration_id": one.calibration_id,
                "certification": one.number,
                "from": shown_instant(one.validity.start),
                "to": None if one.validity.end is None else shown_instant(one.validity.end),
                "distances_mm": [one.distances.minimum_mm, one.distances.maximum_mm],
                "panels": relative_frames(layout, correction),
            }
            for one, correction in certified
        ],
    }
    content["sha256"] = checksum(content)
    return (json.dumps(content, indent=1) + "\n").encode()


def checksum(content: dict[str, Any]) -> str:
    """SHA-256 of the JSON without its own hash, with sorted keys and no spaces."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def relative_frames(layout: Layout, correction: Correction) -> list[dict[str, list[float]]]:
    """Of each panel: the corrected frame in that of the nominal panel."""
    nominal, moved = layout.frames, correction.frames(layout)
    rotation = nominal.rotation.transpose(0, 2, 1) @ moved.rotation
    shift = np.einsum("nij,ni->nj", nominal.rotation, moved.origin_mm - nominal.origin_mm)
    return [
        {"fast": axes[:, 0].tolist(), "slow": axes[:, 1].tolist(), "origin_mm": origin.tolist()}
        for axes, origin in zip(rotation, shift, strict=True)
    ]


def relative_normal(layout: Layout) -> Floats:
    """(3,) the normal of the detector in the frame of its first panel."""
    return np.asarray(layout.frames.rotation[0].T @ layout.normal_root)


def relative_centre_mm(layout: Layout) -> Floats:
    """(3,) the mean of the centres of the panels in the frame of the first panel."""
    centre = layout.centre_root_mm.mean(axis=0) - layout.frames.origin_mm[0]
    return np.asarray(layout.frames.rotation[0].T @ centre)
