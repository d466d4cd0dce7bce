"""One-panel experiments and tables with shoeboxes, for tests of split and merge."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.files.dials.refl import Column, Table, table_bytes

PILATUS_300K = (487, 619)
V3 = "vec3<double>"


def one_panel(
    size_px: Sequence[int] = PILATUS_300K,
    pixel_mm: float = 0.172,
    *,
    identifier: str = "",
    mask: list[list[int]] | None = None,
    imageset: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The JSON of an experiment list with one panel, tilted, with parallax."""
    cosine, sine = np.cos(0.3), np.sin(0.3)
    panel = {
        "name": "Panel",
        "type": "SENSOR_PAD",
        "fast_axis": [1.0, 0.0, 0.0],
        "slow_axis": [0.0, -cosine, -sine],
        "origin": [-41.3, 52.1, -150.0],
        "raw_image_offset": [0, 0],
        "image_size": list(size_px),
        "pixel_size": [pixel_mm, pixel_mm],
        "trusted_range": [-1.0, 1.0e6],
        "thickness": 0.45,
        "material": "Si",
        "mu": 3.5,
        "identifier": identifier,
        "mask": mask or [],
        "gain": 1.0,
        "pedestal": 0.0,
        "px_mm_strategy": {"type": "ParallaxCorrectedPxMmStrategy"},
    }
    group = {
        "name": "",
        "fast_axis": [1.0, 0.0, 0.0],
        "slow_axis": [0.0, 1.0, 0.0],
        "origin": [0.0, 0.0, 0.0],
        "children": [{"panel": 0}],
    }
    beam = {"direction": [0.0, 0.0, 1.0], "wavelength": 0.97}
    scan = {"image_range": [1, 10], "oscillation": [0.0, 0.1], "exposure_time": [0.0] * 10}
    gonio = {
        "rotation_axis": [1.0, 0.0, 0.0],
        "fixed_rotation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        "setting_rotation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    }
    images: dict[str, Any] = {
        "__id__": "ImageSequence",
        "template": "a_####.cbf",
        "mask": None,
        "params": {},
    }
    entry = {"identifier": "", "beam": 0, "detector": 0, "scan": 0, "goniometer": 0, "imageset": 0}
    return {
        "__id__": "ExperimentList",
        "experiment": [{"__id__": "Experiment", **entry}],
        "imageset": [images | (imageset or {})],
        "beam": [beam],
        "detector": [{"panels": [panel], "hierarchy": group}],
        "goniometer": [gonio],
        "scan": [scan | {"epochs": [0.0] * 10}],
        "crystal": [],
    }


def write_expt(path: Path, content: Any, **style: Any) -> Path:
    """Write an experiment list, indented as DIALS does unless a style is given."""
    path.write_text(json.dumps(content, **(style or {"indent": 2})))
    return path


def shoebox(bbox: Sequence[int], mask: NDArray[Any] | None, marker: int = 1) -> bytes:
    """A shoebox on panel 0; its data and background are made from its place."""
    head = struct.pack("<I6iB", 0, *bbox, marker)
    if mask is None:
        return head
    values = np.arange(mask.size, dtype="<f4") + bbox[0]
    kept = mask.astype("<i4" if marker == 1 else "u1")
    return head + values.tobytes() + kept.tobytes() + (-values).astype("<f4").tobytes()


def spots(
    px: NDArray[Any], mm: NDArray[Any], *, half: int = 2, marker: int = 1, mask: int = 1 | 8
) -> Table:
    """A table with a spot at each position, each with a shoebox of 2 half + 1 px."""
    n = len(px)
    corner = np.floor(px[:, :2]).astype(int)
    bbox = np.zeros((n, 6), dtype=np.int32)
    bbox[:, [0, 2]], bbox[:, [1, 3]] = corner - half, corner + half + 1
    bbox[:, 5] = 2
    side = 2 * half + 1
    boxes = [shoebox(box, np.full((2, side, side), mask), marker) for box in bbox.tolist()]
    columns = {
        "bbox": Column("int6", bbox),
        "flags": Column("std::size_t", np.arange(n, dtype=np.uint64)),
        "id": Column("int", np.zeros(n, dtype=np.int32)),
        "miller_index": Column("cctbx::miller::index<>", np.ones((n, 3), dtype=np.int32)),
        "panel": Column("std::size_t", np.zeros(n, dtype=np.uint64)),
        "shoebox": Column("Shoebox<>", b"".join(boxes)),
        "xyzcal.mm": Column(V3, mm + 1e-3),
        "xyzcal.px": Column(V3, px + 1e-3),
        "xyzobs.mm.value": Column(V3, mm),
        "xyzobs.mm.variance": Column(V3, np.full((n, 3), 1e-4)),
        "xyzobs.px.value": Column(V3, px),
        "xyzobs.px.variance": Column(V3, np.full((n, 3), 0.1)),
    }
    return Table(n, {0: ""} if n else {}, columns, version=2 if marker == 2 else 1)


def write_table(path: Path, table: Table) -> Path:
    """Write a table."""
    path.write_bytes(table_bytes(table))
    return path
