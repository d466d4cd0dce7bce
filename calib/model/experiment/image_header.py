"""What the header of an image states about the detector that wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calib.model.detector.module_map import ModuleMap


@dataclass(frozen=True, slots=True, eq=False)
class ImageHeader:
    """The values of a header; None where it states none, or an impossible one."""

    model: str
    """What the image calls the detector, such as ``PILATUS3 6M, S/N 60-0119``; may be empty."""
    serial: str | None = None
    size_px: tuple[int, int] | None = None
    """(fast, slow) of the image in px."""
    pixel_mm: tuple[float, float] | None = None
    """(fast, slow) in mm."""
    distance_mm: float | None = None
    wavelength_angstrom: float | None = None
    taken: datetime | None = None
    """When the first image was taken: in UTC, or without a time zone the local time."""
    material: str = ""
    """Of the sensor, such as ``Si`` or ``CdTe``."""
    thickness_mm: float | None = None
    """Of the sensor."""
    beam_px: tuple[float, float] | None = None
    """(fast, slow) beam centre in px."""
    roi_mode: str | None = None
    """The ROI mode of the detector, such as ``4M`` or ``disabled``."""
    modules: ModuleMap | None = None
    """The modules, where the image describes them."""

    @property
    def epoch(self) -> float | None:
        """``taken`` as DIALS writes a local time, in seconds as if it were UTC; None where it is
        unknown, or already in UTC."""
        from datetime import UTC

        if self.taken is None or self.taken.tzinfo is not None:
            return None
        return self.taken.replace(tzinfo=UTC).timestamp()
