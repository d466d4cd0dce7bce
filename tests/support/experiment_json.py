"""Experiment lists as JSON, for the tests of reading and editing them."""

from __future__ import annotations

import json
from typing import Any

IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


def panel(index: int, **changes: Any) -> dict[str, Any]:
    """A panel of 100 x 50 px at (20, 10) mm steps in its group."""
    return {
        "name": f"Panel{index}",
        "type": "SENSOR_PAD",
        "fast_axis": [1.0, 0.0, 0.0],
        "slow_axis": [0.0, 1.0, 0.0],
        "origin": [20.0 * (index % 2), 10.0 * (index // 2), 0.0],
        "raw_image_offset": [0, 0],
        "image_size": [100, 50],
        "pixel_size": [0.172, 0.172],
        "trusted_range": [-1.0, 388705.0],
        "thickness": 0.32,
        "material": "Si",
        "mu": 1.5,
        "identifier": "PILATUS, S/N 24-0107",
        "mask": [],
        "gain": 1.0,
        "pedestal": 0.0,
        "px_mm_strategy": {"type": "ParallaxCorrectedPxMmStrategy"},
        **changes,
    }


def group(children: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A group of panels or groups: turned about the beam and 200 mm away."""
    return {
        "name": "root",
        "fast_axis": [0.6, 0.8, 0.0],
        "slow_axis": [0.8, -0.6, 0.0],
        "origin": [-30.0, 25.0, -200.0],
        "children": children,
        **changes,
    }


def detector(n_panels: int = 4) -> dict[str, Any]:
    """A detector of n panels in one root group."""
    return {
        "panels": [panel(k) for k in range(n_panels)],
        "hierarchy": group([{"panel": k} for k in range(n_panels)]),
    }


def experiment_list(**changes: Any) -> dict[str, Any]:
    """A list of one rotation experiment, with keys that no reader knows."""
    return {
        "__id__": "ExperimentList",
        "experiment": [
            {
                "__id__": "Experiment",
                "identifier": "aaaa",
                "beam": 0,
                "detector": 0,
                "goniometer": 0,
                "scan": 0,
                "crystal": 0,
                "imageset": 0,
                "from the future": {"π": [1e-3, -0.0, 3, None, True, False]},
            }
        ],
        "imageset": [{"__id__": "ImageSweep", "template": "a_####.cbf"}],
        "beam": [{"direction": [0.0, 0.0, 1.0], "wavelength": 0.97}],
        "detector": [detector()],
        "goniometer": [
            {
                "rotation_axis": [1.0, 0.0, 0.0],
                "fixed_rotation": list(IDENTITY),
                "setting_rotation": list(IDENTITY),
            }
        ],
        "scan": [
            {
                "image_range": [1, 3],
                "oscillation": [10.0, 0.5],
                "exposure_time": [0.1, 0.1, 0.1],
                "epochs": [1372841397.0, 0.0, 0.0],
                "valid_image_ranges": {},
            }
        ],
        "crystal": [
            {
                "__id__": "crystal",
                "real_space_a": [50.0, 1.0, 0.0],
                "real_space_b": [0.0, 60.0, 2.0],
                "real_space_c": [3.0, 0.0, 70.0],
                "space_group_hall_symbol": " P 1",
            }
        ],
        "profile": [],
        **changes,
    }


def as_bytes(content: dict[str, Any], *, indent: int | None = 2) -> bytes:
    """The file of a list, as DIALS formats it."""
    return json.dumps(content, indent=indent, ensure_ascii=False).encode("utf-8")
