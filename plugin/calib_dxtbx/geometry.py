"""The file of certified geometry (calib-geometry/1), and its use for one image."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

FORMAT = "calib-geometry/1"
_MOST_BYTES = 200_000_000
_EARLIEST = 631152000.0
"""Seconds of 1990: epochs below count from the start of a scan and are no dates."""
_SAME_PIXEL = 1e-3


class GeometryError(Exception):
    """The geometry file cannot be used; the message says why."""


def geometry_path() -> str | None:
    """The file that ``CALIB_GEOMETRY`` names, or else that of the site, if there is one.

    The site's file is ``etc/calib/geometry.json`` below the prefix of Python.
    """
    named = os.environ.get("CALIB_GEOMETRY")
    if named is not None:
        return named or None
    site = os.path.join(sys.prefix, "etc", "calib", "geometry.json")
    return site if os.path.isfile(site) else None


def read_geometry(path: str) -> dict[str, Any]:
    """The content of a geometry file, verified. Raises ``GeometryError``."""
    try:
        status = os.stat(path)
        if status.st_size > _MOST_BYTES:
            raise GeometryError(f"{path} is too large for a geometry file")
        return _read(path, status.st_mtime_ns, status.st_size)
    except (OSError, ValueError, RecursionError) as error:
        raise GeometryError(f"{path}: {error}") from error


@functools.lru_cache(maxsize=4)
def _read(path: str, _changed: int, _size: int) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise GeometryError(f"{path} is not a file of calib publish geometry")
    rest = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    if content.get("sha256") != hashlib.sha256(text.encode()).hexdigest():
        raise GeometryError(f"{path} was changed after it was written")
    return content


def correct(detector: Any, content: dict[str, Any], serial: str, when: datetime | float) -> str:
    """Place the panels of a detector as certified; returns the calibration.

    ``when`` is a time with an offset, or an epoch that counts local time as if it were UTC. Raises
    ``GeometryError`` where the file says nothing about these data; the detector is then as before.
    """
    if serial != content["serial"]:
        raise GeometryError(
            f"the images are of detector {serial or '(unknown)'}, the geometry of "
            f"{content['serial']}: panels are at their nominal places"
        )
    panels = content["panels"]
    if len(panels) != len(detector) or not all(
        tuple(one["size_px"]) == tuple(panel.get_image_size())
        and all(
            abs(a / b - 1.0) < _SAME_PIXEL for a, b in zip(panel.get_pixel_size(), one["pixel_mm"])
        )
        for panel, one in zip(detector, panels)
    ):
        raise GeometryError("the panels are not those of the geometry file: they stay as they are")
    at, distance = _instant(content, when), _distance_mm(detector, content)
    for entry in content["calibrations"]:
        start, end = (_time(entry[key]) if entry[key] else None for key in ("from", "to"))
        low, high = entry["distances_mm"]
        if (
            start is not None
            and start <= at
            and (end is None or at < end)
            and low <= distance < high
        ):
            frames = [_moved(panel, one) for panel, one in zip(detector, entry["panels"])]
            if len(frames) != len(detector):
                raise GeometryError("a calibration in the file lacks panels")
            for panel, frame in zip(detector, frames):
                panel.set_local_frame(*frame)
            mark = f"calibration={entry['calibration']} {entry['calibration_id'][:16]}"
            for panel in detector:
                own = panel.get_identifier()
                panel.set_identifier(f"{own or 'S/N ' + serial}, {mark}")
            return mark
    raise GeometryError(
        f"no calibration is certified for {at:%Y-%m-%d %H:%M} UTC at {distance:.1f} mm: panels are "
        "at their nominal places"
    )


def _moved(panel: Any, one: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The local frame of a panel whose corrected frame is ``one`` in that of the nominal panel."""
    fast, slow = panel.get_local_fast_axis(), panel.get_local_slow_axis()
    normal = [
        fast[(k + 1) % 3] * slow[(k + 2) % 3] - fast[(k + 2) % 3] * slow[(k + 1) % 3]
        for k in range(3)
    ]
    axes = fast, slow, normal

    def turned(vector: Any) -> tuple[float, ...]:
        if len(vector) != 3:
            raise GeometryError("a vector in the geometry file has not three components")
        return tuple(sum(axis[k] * float(v) for axis, v in zip(axes, vector)) for k in range(3))

    shift = turned(one["origin_mm"])
    origin = tuple(a + b for a, b in zip(panel.get_local_origin(), shift))
    return turned(one["fast"]), turned(one["slow"]), origin


def _distance_mm(detector: Any, content: dict[str, Any]) -> float:
    """From the sample to the mean plane of the nominal detector, as calib defines it."""
    first = detector[0]
    axes = first.get_fast_axis(), first.get_slow_axis(), first.get_normal()
    normal, centre = (
        [sum(axis[k] * float(v) for axis, v in zip(axes, content[key])) for k in range(3)]
        for key in ("normal", "centre_mm")
    )
    origin = first.get_origin()
    return abs(sum(normal[k] * (origin[k] + centre[k]) for k in range(3)))


def _instant(content: dict[str, Any], when: datetime | float) -> datetime:
    if isinstance(when, datetime) and when.tzinfo is not None:
        return when.astimezone(timezone.utc)
    if not isinstance(when, datetime):
        if not when >= _EARLIEST:
            raise GeometryError(
                "the time of the images is unknown: panels are at their nominal places"
            )
        when = datetime.fromtimestamp(when, timezone.utc).replace(tzinfo=None)
    zone = content["time_zone"]
    for end, name in reversed(content["earlier_zones"]):
        if when.replace(tzinfo=ZoneInfo(name)).astimezone(timezone.utc) < _time(end):
            zone = name
    return when.replace(tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
