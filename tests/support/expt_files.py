"""Experiment lists parsed from JSON, and their panels moved."""

from __future__ import annotations

from typing import Any

import numpy as np

from calib.files.dials.expt import ExperimentFile
from calib.model.detector.frames import rotation_from_vector
from calib.model.detector.layout import PanelFrames
from support.experiment_json import as_bytes

EXACT = 1e-12


def parsed(content: dict[str, Any]) -> ExperimentFile:
    return ExperimentFile.parse(as_bytes(content), "a.expt")


def moved_frames(frames: PanelFrames, seed: int = 0) -> PanelFrames:
    rng = np.random.default_rng(seed)
    turn = rotation_from_vector(rng.normal(scale=1e-3, size=(len(frames), 3)))
    return PanelFrames(
        frames.rotation @ turn, frames.origin_mm + rng.normal(scale=0.1, size=(len(frames), 3))
    )


def assert_same_frames(one: PanelFrames, other: PanelFrames, tolerance: float = EXACT) -> None:
    np.testing.assert_allclose(one.rotation, other.rotation, rtol=0, atol=tolerance)
    np.testing.assert_allclose(one.origin_mm, other.origin_mm, rtol=0, atol=1e3 * tolerance)
