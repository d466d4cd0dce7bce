"""A calibrated detector as SEGMENT blocks of XDS.INP.

XDS places pixel (IX, IY) of a segment, counted from 1.0 at the centre of the first pixel of the
image, at

    QX (IX - ORGXS) EDS1 + QY (IY - ORGYS) EDS2 + FS EDS3 - ORGX QX ED1 - ORGY QY ED2 + F ED3

with the axes EDS of the segment given relative to those of the detector, ED. The laboratory frame
of the file has the axes of the detector, so that ED are unit vectors along x, y and z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from calib.files.exchange.source import ExportSource
from calib.files.kinds import XDS_INPUT
from calib.model.base.arrays import Floats

_HALF_PX = 0.5
"""The edge of an image in its first pixel is at 0.5 in the coordinates of XDS."""


class XdsSegments:
    """Lines for XDS.INP: the detector and one SEGMENT for each panel."""

    kind = XDS_INPUT
    needs_like = ""

    def hint(self, source: ExportSource, output: Path) -> str:
        """How to use the file."""
        text = (
            f"Put the lines of {output} into XDS.INP in place of those with the same keywords, "
            "and keep it from refining segments: no REFINE_SEGMENT="
        )
        if source.like is None:
            text += (
                "; ORGX, ORGY and the axes are those of a detector that faces the beam: use "
                "--like for those of an experiment"
            )
        return f"{text}."

    def files(
        self, source: ExportSource, output: Path
    ) -> Sequence[tuple[Path, bytes | Callable[[BinaryIO], None]]]:
        """The content of the file."""
        return [(output, segment_text(source).encode())]


def segment_text(source: ExportSource) -> str:
    """Lines for XDS.INP with the detector and one SEGMENT for each panel."""
    detector = source.calibrated.detector
    offsets = source.offsets_px()
    pixel = np.array(detector.panels[0].pixel_mm)
    flat = source.flat_frame()
    local = detector.frames.moved(flat.inverse())
    corner = flat.rotation.T @ flat.translation_mm
    origin = _HALF_PX - corner[:2] / pixel
    beam = flat.rotation.T @ (-source.calibrated.beam.direction)
    size = (offsets + [panel.size_px for panel in detector.panels]).max(axis=0)
    lines = [
        f"! Geometry of {source.name}, written by calib.",
        "! The axes of the laboratory are those of the detector.",
        f"NX= {size[0]} NY= {size[1]} QX= {pixel[0]:.6g} QY= {pixel[1]:.6g}",
        "DIRECTION_OF_DETECTOR_X-AXIS= 1 0 0",
        "DIRECTION_OF_DETECTOR_Y-AXIS= 0 1 0",
        f"ORGX= {origin[0]:.6f} ORGY= {origin[1]:.6f}",
        f"DETECTOR_DISTANCE= {corner[2]:.6f}",
        f"INCIDENT_BEAM_DIRECTION= {_numbers(beam)}",
    ]
    axis = _rotation_axis(source)
    if axis is not None:
        lines.append(f"ROTATION_AXIS= {_numbers(flat.rotation.T @ axis)}")
    for k, panel in enumerate(detector.panels):
        (x, y), (width, height) = offsets[k], panel.size_px
        fast, slow, normal = local.rotation[k].T
        shifted = local.origin_mm[k] + np.append(_HALF_PX * pixel, 0.0)
        segment = offsets[k] + _HALF_PX - np.array([fast @ shifted, slow @ shifted]) / pixel
        lines += [
            f"! {panel.name}",
            f"SEGMENT= {x + 1} {x + width} {y + 1} {y + height}",
            f"DIRECTION_OF_SEGMENT_X-AXIS= {_numbers(fast)}",
            f"DIRECTION_OF_SEGMENT_Y-AXIS= {_numbers(slow)}",
            f"SEGMENT_DISTANCE= {normal @ shifted:.6f}",
            f"SEGMENT_ORGX= {segment[0]:.6f} SEGMENT_ORGY= {segment[1]:.6f}",
        ]
    return "\n".join(lines) + "\n"


def _numbers(values: Floats) -> str:
    return " ".join(f"{value + 0.0:.10f}" for value in values)


def _rotation_axis(source: ExportSource) -> Floats | None:
    """(3,) the axis of rotation in the laboratory, where the experiments have one."""
    if source.like is None:
        return None
    models = source.like.experiments
    index = models.experiments[0].goniometer
    if index is None:
        return None
    goniometer = models.goniometers[index]
    return np.asarray(goniometer.setting @ goniometer.axis)
