"""Answers about identified files, with numbers that all differ."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from calib.flows.images.identify import Identified
from calib.model.experiment.image_header import ImageHeader
from calib.report.identification import identified_blocks, identified_view
from support.asymmetric.case import Case


def _image() -> Identified:
    return Identified(
        path=Path("images/th_0001.cbf"),
        detector=None,
        serial="60-0119",
        registered=True,
        layout="PILATUS 6M",
        layout_id="5c" * 32,
        header=ImageHeader(
            model="PILATUS3 6M, S/N 60-0119",
            serial="60-0119",
            size_px=(2463, 2527),
            pixel_mm=(0.172, 0.173),
            distance_mm=351.25,
            wavelength_angstrom=0.96859,
            taken=datetime(2019, 9, 11, 13, 20, 28, 989000),  # noqa: DTZ001 - as in the header
            material="Si",
            thickness_mm=0.45,
            beam_px=(1261.61, 1306.96),
            roi_mode="4M",
        ),
        distance_mm=351.25,
        taken=datetime(2019, 9, 11, 12, 20, 28, 989000, UTC),
        calibration="60-0119:7",
        why="",
        geometry="nominal",
        residual_um=0.0,
    )


def _experiments() -> Identified:
    return Identified(
        path=Path("between.expt"),
        detector=2,
        serial="24-0107",
        registered=True,
        layout="PILATUS 2M",
        layout_id="7d" * 32,
        header=None,
        distance_mm=159.87,
        taken=None,
        calibration=None,
        why="the time of the data is unknown",
        geometry="other",
        residual_um=37.4,
        notices=("an image was not used.",),
    )


def image() -> Case:
    """An image, with everything that a header can state."""
    view = identified_view(_image())
    return Case(view, identified_blocks([view]))


def experiments() -> Case:
    """Experiments without a time, whose panels are between known geometries."""
    view = identified_view(_experiments())
    return Case(view, identified_blocks([view]))


def several() -> Case:
    """Both."""
    views = [identified_view(one) for one in (_image(), _experiments())]
    return Case(None, identified_blocks(views))
