"""The face of a detector: a flat one as an image viewer shows it, a curved one unrolled."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.detector.layout import Layout, PanelFrames, PanelShape
from calib.report.page.face import face_view


def barrel(radius_mm: float, n_around: int, n_along: int, span_deg: float) -> Layout:
    """Modules of 80 mm x 30 mm on a cylinder, their fast axes along it."""
    angles = np.radians(np.linspace(-span_deg / 2.0, span_deg / 2.0, n_around))
    fast, slow, origin = [], [], []
    for angle in angles:
        around = np.array([0.0, np.cos(angle), -np.sin(angle)])
        out = np.array([0.0, np.sin(angle), np.cos(angle)])
        for row in range(n_along):
            fast.append([1.0, 0.0, 0.0])
            slow.append(around)
            centre = radius_mm * out + np.array([90.0 * row, 0.0, 0.0])
            origin.append(centre - 40.0 * np.array([1.0, 0.0, 0.0]) - 15.0 * around)
    frames = PanelFrames.from_axes(np.array(fast), np.array(slow), np.array(origin))
    return Layout((PanelShape("m", (800, 300), (0.1, 0.1)),) * len(fast), frames)


def test_a_curved_detector_is_unrolled_without_changing_its_panels() -> None:
    layout = barrel(250.0, 24, 3, 200.0)
    face = face_view(layout)
    outline = np.array(face["outline_mm"])
    assert face["kind"] == "unrolled"
    sides = np.linalg.norm(np.diff(outline, axis=1), axis=2)
    assert sides == pytest.approx(np.tile([80.0, 30.0, 80.0], (len(layout), 1)))
    centre = np.array(face["centre_mm"])
    step = np.radians(200.0 / 23.0) * 250.0
    assert np.ptp(centre[:, 0]) == pytest.approx(23.0 * step)
    assert np.ptp(centre[:, 1]) == pytest.approx(180.0)


def test_a_flat_detector_is_shown_as_it_is() -> None:
    frames = PanelFrames.from_axes(
        np.tile([1.0, 0.0, 0.0], (2, 1)),
        np.tile([0.0, 1.0, 0.0], (2, 1)),
        np.array([[0.0, 0.0, 0.0], [50.0, 5.0, 0.0]]),
    )
    face = face_view(Layout((PanelShape("m", (400, 300), (0.1, 0.1)),) * 2, frames))
    assert face["kind"] == "flat"
    assert np.array(face["outline_mm"])[1, 2] == pytest.approx([90.0, 35.0])
