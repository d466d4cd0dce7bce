"""The modules of detectors in experiments: recognised in one panel, and found in several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from calib.errors import LayoutError
from calib.files.reader import serial_from
from calib.model.detector.families import Registry
from calib.model.detector.known_detector import KnownDetector
from calib.model.experiment.experiment import Detector
from calib.model.experiment.pose import DetectorPose, layout_of, locate_detector


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A detector of an experiment list, and its modules."""

    index: int
    """Among the detectors of the list."""
    known: KnownDetector
    halves: bool = False
    """Whether each half of a module is a panel."""
    pose: DetectorPose | None = None
    """Where its panels are; None where it has one."""


def modules_of(
    registry: Registry,
    detector: Detector,
    index: int,
    *,
    layout: str | None = None,
    serial: str | None = None,
    halves: bool = False,
    place: str = "",
) -> Split:
    """The modules of a detector that is described as one panel.

    Recognised as ``Registry.recognise`` says, unless ``layout`` names it. Raises ``LayoutError``
    where it is not recognised, has another size, or is a single module.
    """
    panel = detector.panels[0]
    with _at(place):
        if layout is None:
            known = registry.recognise(
                panel.size_px,
                panel.pixel_mm,
                text=detector.identifier,
                serial=serial or serial_from(detector.identifier) or "",
            )
        else:
            known = registry.get(layout)
            _refuse_other_size(known, detector)
        if halves:
            known = known.in_halves()
        if len(known.modules) == 1:
            raise LayoutError(
                "one-module",
                f"a {known.name} is a single module, of which there is nothing to calibrate.",
                remedy="use the file as it is.",
            )
    return Split(index, known, halves)


def merged_pose(
    registry: Registry,
    detector: Detector,
    index: int,
    *,
    layout: str | None = None,
    drop_correction: bool = False,
    place: str = "",
) -> Split:
    """The layout and pose of a detector of several panels that are to become one.

    Raises ``LayoutError`` where they are not the modules of a known flat detector, or not at their
    nominal positions and ``drop_correction`` is not set.
    """
    with _at(place):
        if layout is None:
            known = registry.of_panels(layout_of(detector)[0], detector.identifier)
        else:
            known = registry.get(layout)
            if len(known.modules) == 2 * len(detector.panels):
                known = known.in_halves()
        if known is None:
            raise LayoutError(
                "unknown-layout",
                f"the {len(detector.panels)} panels are not the modules of a known flat detector.",
                remedy="describe its modules in a file for calib layout add "
                "(docs/reference/layouts.md), and name it with --layout.",
            )
        pose = locate_detector(known.layout(), detector, [])
        if pose.correction is None and not drop_correction:
            raise LayoutError(
                "corrected-panels",
                f"the panels are up to {1e3 * pose.residual_mm:.0f} um from their nominal "
                f"positions in a {known.name}, and one panel cannot keep this.",
                remedy="use --drop-correction to give it up.",
            )
    return Split(index, known, pose=pose)


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Name the file in a ``LayoutError``."""
    try:
        yield
    except LayoutError as error:
        raise LayoutError(error.code, error.problem, place=place, remedy=error.remedy) from error


def _refuse_other_size(known: KnownDetector, detector: Detector) -> None:
    panel, size = detector.panels[0], known.modules.size_px
    if panel.size_px == size and known.has_pixel(panel.pixel_mm):
        return
    raise LayoutError(
        "other-layout",
        f"the panel has {panel.size_px[0]} x {panel.size_px[1]} pixels of {panel.pixel_mm[0]:g} "
        f"mm, but a {known.name} has {size[0]} x {size[1]} of {known.pixel_mm:g} mm.",
        remedy="leave out --layout, or name another (calib layout list).",
    )
