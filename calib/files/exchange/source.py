"""What an export is made from: a calibrated detector and the experiments it is placed like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from calib.errors import InputError
from calib.files.exchange.table_sign import TableSign
from calib.model.detector.frames import RigidMotion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from calib.model.base.arrays import Ints
    from calib.model.detector.known_detector import KnownDetector
    from calib.model.detector.layout import PanelFrames
    from calib.model.experiment.calibrated_detector import CalibratedDetector
    from calib.model.experiment.experiment import ExperimentList


class Placing(Protocol):
    """A file of experiments, by which a detector is placed."""

    @property
    def data(self) -> bytes:
        """The bytes of the file."""

    @property
    def experiments(self) -> ExperimentList:
        """The models in the file."""

    def with_frames(self, frames: Mapping[int, PanelFrames]) -> Placing:
        """The same file with other panel frames, by index of the detector."""


@dataclass(frozen=True, slots=True, eq=False)
class ExportSource:
    """A calibrated detector, and all that is known about it."""

    calibrated: CalibratedDetector
    name: str
    """Of the calibration, as files and messages give it: ``24-0107:3``."""
    recorded: datetime
    """When the calibration was recorded."""
    nominal: PanelFrames
    """The panels in the laboratory without the calibration."""
    like: Placing | None = None
    """Experiments whose first one gives the pose, with a detector of several panels; None where
    the pose is a nominal one."""
    was_split: bool = False
    """Whether the file of ``like`` describes the detector as one panel."""
    known: KnownDetector | None = None
    """The known detector with these panels, if any."""
    sign: TableSign = TableSign.PLUS
    """Of tables of displacements."""

    @property
    def multi_panel(self) -> bool:
        """Whether DIALS must read the images with ``multi_panel=True`` to see these panels."""
        if self.was_split or self.like is None:
            return True
        params = [one.get("params") for one in self._imagesets() if isinstance(one, dict)]
        if params:
            return any(isinstance(one, dict) and one.get("multi_panel") for one in params)
        return self.known is not None and self.known.family.dials_splits

    def offsets_px(self) -> Ints:
        """(n, 2) the column and row of the image at which each panel begins, in the order of the
        calibrated detector.

        Raises ``InputError`` where neither the experiments nor a known detector state this.
        """
        found = self._raw_offsets()
        n = len(self.calibrated.detector.panels)
        if found is not None and (n == 1 or found.any()):
            return found
        if self.known is not None and len(self.known.modules) == n:
            order = {name: k for k, name in enumerate(self.known.modules.names)}
            names = [panel.name for panel in self.calibrated.detector.panels]
            places = [order.get(name, k) for k, name in enumerate(names)]
            return np.asarray(self.known.modules.boxes_px[places, :2])
        raise InputError(
            "no-image-positions",
            "it is not known where in the image each panel is.",
            remedy="use --like with an experiment list imported from images that are read as "
            "one picture, or make the layout known with calib layout add.",
        )

    def flat_frame(self) -> RigidMotion:
        """The frame of the nominal image: the axes of its first panel, with the origin at the
        first corner of the image."""
        detector, offsets = self.calibrated.detector, self.offsets_px()
        along = offsets * np.array([panel.pixel_mm for panel in detector.panels])
        axes = self.nominal.rotation[0]
        corners = self.nominal.origin_mm - along @ axes[:, :2].T
        return RigidMotion(axes, np.median(corners, axis=0))

    def content(self) -> dict[str, Any]:
        """The JSON of the experiments; only where ``like`` is given."""
        import json

        if self.like is None:  # pragma: no cover - formats that need it are refused before
            raise InputError("no-experiments", "this format needs experiments.")
        return dict(json.loads(self.like.data))

    def _raw_offsets(self) -> Ints | None:
        if self.like is None:
            return None
        content = self.content()
        detector = content["detector"][content["experiment"][0]["detector"]]
        panels = detector if isinstance(detector, list) else detector["panels"]
        offsets = [panel.get("raw_image_offset") or [0, 0] for panel in panels]
        if not all(len(one) == 2 and all(type(x) is int for x in one) for one in offsets):
            return None
        return np.array(offsets, dtype=np.int64)

    def _imagesets(self) -> list[Any]:
        content = self.content()
        index = content["experiment"][0].get("imageset")
        found = content.get("imageset") or []
        return [one for k, one in enumerate(found) if k == index]
