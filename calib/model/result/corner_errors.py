"""Errors of panel corners compared with a known truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CornerErrors:
    """Root mean square distances of panel corners from the truth, in micrometres."""

    in_plane_um: float
    """In the plane of the detector."""
    normal_um: float
    """Along the normal of the detector."""
    seen_um: float
    """Projected along the rays from the sample to the plane: the error of spot positions."""
