"""New DIALS experiment lists, for simulated data.

An existing file is never written through this, since it knows only what the model knows: see
``ExperimentFile.with_frames``.
"""

from __future__ import annotations

import json
import math
from typing import Any

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import PanelFrames
from calib.model.experiment.experiment import (
    Beam,
    Crystal,
    Detector,
    Experiment,
    ExperimentList,
    Goniometer,
    Scan,
)

TRUSTED_RANGE = (-1.0, 1.0e6)
"""Counts, where nothing better is known."""


def experiments_bytes(
    experiments: ExperimentList,
    *,
    panel_identifier: str = "",
    imageset_template: str = "",
    trusted_range: tuple[float, float] = TRUSTED_RANGE,
) -> bytes:
    """An experiment list that DIALS reads.

    Panels stand in a root group at ``lab_from_root`` (the laboratory where it is None) and carry
    ``panel_identifier``, or else the detector's own identifier. ``imageset_template`` names the
    images of each imageset index (such as ``scan_{imageset}_####.cbf``); without it experiments
    have no imageset. Raises ``InputError`` where an imageset would have no scan.
    """
    content = {
        "__id__": "ExperimentList",
        "experiment": [_experiment(e, imageset_template) for e in experiments.experiments],
        "imageset": _imagesets(experiments, imageset_template),
        "beam": [_beam(beam) for beam in experiments.beams],
        "detector": [
            _detector(detector, panel_identifier, trusted_range)
            for detector in experiments.detectors
        ],
        "goniometer": [_goniometer(goniometer) for goniometer in experiments.goniometers],
        "scan": [_scan(scan) for scan in experiments.scans],
        "crystal": [_crystal(crystal) for crystal in experiments.crystals],
        "profile": [],
        "scaling_model": [],
    }
    return (json.dumps(content, indent=2) + "\n").encode("utf-8")


def _experiment(entry: Experiment, template: str) -> dict[str, Any]:
    out: dict[str, Any] = {"__id__": "Experiment", "identifier": entry.identifier}
    for key in ("beam", "detector", "goniometer", "scan", "crystal"):
        index = getattr(entry, key)
        if index is not None:
            out[key] = index
    if template and entry.imageset is not None:
        out["imageset"] = entry.imageset
    return out


def _imagesets(experiments: ExperimentList, template: str) -> list[dict[str, Any]]:
    if not template:
        return []
    used = [e for e in experiments.experiments if e.imageset is not None]
    if any(entry.scan is None for entry in used):
        raise InputError(
            "no-scan",
            "an imageset of stills cannot be written.",
            remedy="leave the template of the images out.",
        )
    count = max((entry.imageset or 0 for entry in used), default=-1) + 1
    return [
        {
            "__id__": "ImageSequence",
            "template": template.replace("{imageset}", str(index)),
            "mask": "",
            "gain": "",
            "pedestal": "",
            "dx": "",
            "dy": "",
            "params": {},
        }
        for index in range(count)
    ]


def _beam(beam: Beam) -> dict[str, Any]:
    out: dict[str, Any] = {
        "direction": beam.direction.tolist(),
        "wavelength": beam.wavelength_angstrom,
        "divergence": 0.0,
        "sigma_divergence": 0.0,
        "polarization_normal": [0.0, 1.0, 0.0],
        "polarization_fraction": 0.999,
        "flux": 0.0,
        "transmission": 1.0,
    }
    if beam.s0_at_scan_points is not None:
        out["s0_at_scan_points"] = beam.s0_at_scan_points.tolist()
    return out


def _goniometer(goniometer: Goniometer) -> dict[str, Any]:
    out = {
        "rotation_axis": goniometer.axis.tolist(),
        "fixed_rotation": goniometer.fixed.ravel().tolist(),
        "setting_rotation": goniometer.setting.ravel().tolist(),
    }
    if goniometer.setting_at_scan_points is not None:
        points = goniometer.setting_at_scan_points.reshape(-1, 9)
        out["setting_rotation_at_scan_points"] = points.tolist()
    return out


def _scan(scan: Scan) -> dict[str, Any]:
    epochs = [0.0] * scan.n_images
    epochs[0] = scan.epoch if scan.epoch and math.isfinite(scan.epoch) else 0.0
    return {
        "image_range": list(scan.image_range),
        "batch_offset": 0,
        "oscillation": [math.degrees(scan.start_rad), math.degrees(scan.width_rad)],
        "exposure_time": [0.0] * scan.n_images,
        "epochs": epochs,
        "valid_image_ranges": {},
    }


def _crystal(crystal: Crystal) -> dict[str, Any]:
    axes = {
        f"real_space_{name}": axis.tolist()
        for name, axis in zip("abc", crystal.real_space, strict=True)
    }
    out = {"__id__": "crystal", **axes, "space_group_hall_symbol": crystal.hall_symbol}
    if crystal.a_at_scan_points is not None:
        out["A_at_scan_points"] = crystal.a_at_scan_points.reshape(-1, 9).tolist()
    return out


def _detector(
    detector: Detector, panel_identifier: str, trusted_range: tuple[float, float]
) -> dict[str, Any]:
    root = detector.lab_from_root or RigidMotion.identity()
    local = detector.frames.moved(root.inverse())
    identifier = panel_identifier or detector.identifier
    panels = []
    for index, shape in enumerate(detector.panels):
        parallax = bool(detector.sensors.parallax[index])
        thickness = float(detector.sensors.thickness_mm[index])
        panels.append(
            {
                "name": shape.name,
                "type": "SENSOR_PAD",
                **_frame(local, index),
                "raw_image_offset": [0, 0],
                "image_size": list(shape.size_px),
                "pixel_size": list(shape.pixel_mm),
                "trusted_range": list(trusted_range),
                "thickness": thickness,
                "material": "Si" if thickness > 0.0 else "",
                "mu": float(detector.sensors.mu_per_mm[index]),
                "identifier": identifier,
                "mask": [],
                "gain": 1.0,
                "pedestal": 0.0,
                "px_mm_strategy": {"type": _STRATEGIES[parallax]},
            }
        )
    group = {
        "name": "root",
        "type": "",
        "fast_axis": root.rotation[:, 0].tolist(),
        "slow_axis": root.rotation[:, 1].tolist(),
        "origin": root.translation_mm.tolist(),
        "children": [{"panel": index} for index in range(len(panels))],
    }
    return {"panels": panels, "hierarchy": group}


_STRATEGIES = {True: "ParallaxCorrectedPxMmStrategy", False: "SimplePxMmStrategy"}


def _frame(frames: PanelFrames, index: int) -> dict[str, list[float]]:
    rotation: Floats = frames.rotation[index]
    return {
        "fast_axis": rotation[:, 0].tolist(),
        "slow_axis": rotation[:, 1].tolist(),
        "origin": frames.origin_mm[index].tolist(),
    }
