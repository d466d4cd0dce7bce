"""Identified images and experiments: detector, calibration and geometry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from calib.model.experiment.image_header import ImageHeader
from calib.report.blocks import NONE, Block, Facts, Table, View, at_second, fixed, general
from calib.report.scalar import instant, number


class IdentifiedDetector(Protocol):
    """A detector of a file, as ``calib.flows.images.identify`` finds it."""

    @property
    def path(self) -> Path: ...
    @property
    def detector(self) -> int | None: ...
    @property
    def serial(self) -> str | None: ...
    @property
    def registered(self) -> bool: ...
    @property
    def layout(self) -> str | None: ...
    @property
    def layout_id(self) -> str | None: ...
    @property
    def header(self) -> ImageHeader | None: ...
    @property
    def distance_mm(self) -> float | None: ...
    @property
    def taken(self) -> datetime | None: ...
    @property
    def calibration(self) -> str | None: ...
    @property
    def why(self) -> str: ...
    @property
    def geometry(self) -> str: ...
    @property
    def residual_um(self) -> float: ...
    @property
    def notices(self) -> Sequence[str]: ...


def identified_view(found: IdentifiedDetector) -> dict[str, Any]:
    """A detector of a file."""
    return {
        "file": str(found.path),
        "detector": found.detector,
        "serial": found.serial,
        "registered": found.registered,
        "layout": found.layout,
        "geometry_id": found.layout_id,
        "taken": instant(found.taken),
        "distance_mm": number(found.distance_mm),
        "calibration": found.calibration,
        "why_none": found.why or None,
        "geometry": found.geometry,
        "residual_um": number(found.residual_um),
        "image": None if found.header is None else header_view(found.header),
        "notices": list(found.notices),
    }


def header_view(header: ImageHeader) -> dict[str, Any]:
    """What the header of an image states."""
    return {
        "model": header.model or None,
        "serial": header.serial,
        "size_px": _list(header.size_px),
        "pixel_mm": _list(header.pixel_mm),
        "distance_mm": number(header.distance_mm),
        "wavelength_angstrom": number(header.wavelength_angstrom),
        "taken": None if header.taken is None else header.taken.isoformat().replace("+00:00", "Z"),
        "sensor_material": header.material or None,
        "sensor_thickness_mm": number(header.thickness_mm),
        "beam_px": _list(header.beam_px),
        "roi_mode": header.roi_mode,
        "n_modules": None if header.modules is None else len(header.modules),
    }


def identified_blocks(views: Sequence[View]) -> list[Block]:
    """One detector as facts, several as a table, one per line."""
    if len(views) == 1:
        return [Facts(_facts(views[0]))]
    rows = tuple(
        (
            _name(view),
            view["serial"] or NONE,
            view["layout"] or NONE,
            at_second(view["taken"]),
            view["geometry"],
            view["calibration"] or NONE,
            fixed(view["distance_mm"], 2),
        )
        for view in views
    )
    columns = ("file", "serial", "layout", "taken", "geometry", "certified", "distance mm")
    return [Table("", columns, rows, n_text=6)]


def _facts(view: View) -> tuple[tuple[str, str], ...]:
    geometry = view["geometry"]
    if geometry == "other":
        geometry = f"other, up to {general(view['residual_um'])} um from every known geometry"
    rows = [
        ("File", _name(view)),
        ("Detector", view["serial"] or NONE),
        ("Layout", view["layout"] or NONE),
        ("Taken", at_second(view["taken"])),
        ("Distance", NONE if view["distance_mm"] is None else f"{view['distance_mm']:.2f} mm"),
        ("Geometry", geometry),
        ("Certified", view["calibration"] or f"none: {view['why_none']}"),
    ]
    image = view["image"]
    if image is not None:
        rows += _image_facts(image)
    return tuple(rows)


def _image_facts(image: View) -> list[tuple[str, str]]:
    sensor = [image["sensor_material"] or "", general(image["sensor_thickness_mm"]) + " mm"]
    beam, size, pixel = image["beam_px"], image["size_px"], image["pixel_mm"]
    wavelength = image["wavelength_angstrom"]
    return [
        ("Image of", image["model"] or NONE),
        ("Image time", image["taken"] or NONE),
        ("Size", NONE if not size else f"{size[0]} x {size[1]} px"),
        ("Pixel", NONE if not pixel else f"{pixel[0]:g} x {pixel[1]:g} mm"),
        ("Wavelength", NONE if wavelength is None else f"{wavelength:g} Angstrom"),
        ("Beam centre", NONE if not beam else f"{beam[0]:g}, {beam[1]:g} px"),
        ("Sensor", NONE if image["sensor_thickness_mm"] is None else " ".join(sensor).strip()),
        ("ROI mode", image["roi_mode"] or NONE),
    ]


def _name(view: View) -> str:
    where = "" if not view["detector"] else f" [detector {view['detector']}]"
    return f"{view['file']}{where}"


def _list(pair: Sequence[float] | None) -> list[float] | None:
    return None if pair is None else list(pair)
