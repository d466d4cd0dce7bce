"""Per-panel corrections: what they are, and what they do to a layout.

Panel p has a shift (dx, dy, dz) along its own nominal fast, slow and normal axes and a rotation
vector (rx, ry, rz) about them, turning about the panel's centre:

    v_root(u) = c_p + R_p (t_p + exp([r_p]x) u)

with the nominal rotation R_p (columns fast, slow, normal), the nominal centre c_p and u the point
on the panel relative to its centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Bools, Floats, Ints, frozen, frozen_floats
from calib.model.detector.frames import rotation_from_vector, vector_from_rotation
from calib.model.detector.layout import Layout, PanelFrames

PARAMETERS = ("dx", "dy", "dz", "rx", "ry", "rz")
"""The six parameters of a panel; shifts in mm, rotations in rad (shown in mrad)."""
SHOWN = ("dx_mm", "dy_mm", "dz_mm", "rx_mrad", "ry_mrad", "rz_mrad")
"""The same six as they are shown to people and scripts."""
SHOWN_PER_INTERNAL = np.array([1.0, 1.0, 1.0, 1e3, 1e3, 1e3])
"""Multiply internal values (mm, rad) by this to show them (mm, mrad)."""


class Freedom(StrEnum):
    """Which of a panel's six parameters are refined."""

    IN_PLANE = "in-plane"
    FULL = "full"

    @property
    def free(self) -> tuple[int, ...]:
        """The indices into ``PARAMETERS`` that are free."""
        return (0, 1, 5) if self is Freedom.IN_PLANE else (0, 1, 2, 3, 4, 5)


class PanelStatus(StrEnum):
    """What a panel's correction rests on."""

    MEASURED = "measured"
    """50 reflections or more, and of each parameter the data say more than the prior does."""
    SPARSE = "sparse"
    """At least one reflection, leaning on the prior."""
    UNMEASURED = "unmeasured"
    """No reflection: the prior alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """How far each panel of a layout stands from where it was drawn."""

    values: Floats
    """(n, 6) dx, dy, dz in mm and rx, ry, rz in rad, in each panel's nominal frame."""

    def __post_init__(self) -> None:
        values = frozen_floats(self.values, (len(self.values), 6), "correction")
        object.__setattr__(self, "values", values)

    @staticmethod
    def none(n_panels: int) -> Correction:
        """The correction that leaves every panel where it was drawn."""
        return Correction(np.zeros((n_panels, 6)))

    def frames(self, layout: Layout) -> PanelFrames:
        """The corrected frames of the panels relative to the detector's root frame."""
        if len(self.values) != len(layout):
            raise InputError(
                "bad-shape",
                f"correction of {len(self.values)} panels for a layout of {len(layout)}.",
            )
        nominal = layout.frames.rotation
        rotation = nominal @ rotation_from_vector(self.values[:, 3:])
        shift_root = np.einsum("nij,nj->ni", nominal, self.values[:, :3])
        half = np.pad(0.5 * layout.size_mm, ((0, 0), (0, 1)))
        origin = layout.centre_root_mm + shift_root - np.einsum("nij,nj->ni", rotation, half)
        return PanelFrames(rotation, origin)

    @staticmethod
    def between(layout: Layout, frames: PanelFrames) -> Correction:
        """The correction that carries ``layout`` to ``frames`` (relative to the root frame)."""
        nominal = layout.frames.rotation
        centre = frames.points(0.5 * layout.size_mm[:, None, :])[:, 0]
        shift = np.einsum("nij,ni->nj", nominal, centre - layout.centre_root_mm)
        turn = vector_from_rotation(nominal.transpose(0, 2, 1) @ frames.rotation)
        return Correction(np.concatenate([shift, turn], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class CorrectionEstimate:
    """A correction with what is known of its uncertainty."""

    correction: Correction
    """The most probable corrections; parameters that were held are 0."""
    freedom: Freedom
    """Which parameters were refined."""
    covariance: Floats
    """(n f, n f) covariance of the f free parameters of n panels, panel by panel; mm and rad."""
    status: tuple[PanelStatus, ...]
    """What each panel's correction rests on."""
    n_reflections: Ints
    """(n,) reflections used on each panel."""

    def __post_init__(self) -> None:
        n = len(self.correction.values)
        size = n * len(self.freedom.free)
        covariance = frozen_floats(self.covariance, (size, size), "covariance")
        object.__setattr__(self, "covariance", covariance)
        counts = frozen(self.n_reflections, np.int64, (n,), "n_reflections")
        object.__setattr__(self, "n_reflections", counts)
        if len(self.status) != n:
            raise InputError("bad-shape", f"{len(self.status)} panel states for {n} panels.")

    @property
    def sigma(self) -> Floats:
        """(n, 6) standard uncertainties in mm and rad; NaN for parameters that were held."""
        out = np.full(self.correction.values.shape, np.nan)
        out[:, self.freedom.free] = np.sqrt(np.diag(self.covariance)).reshape(len(out), -1)
        return out

    @property
    def measured(self) -> Bools:
        """(n,) which panels are measured."""
        return np.array([status is PanelStatus.MEASURED for status in self.status])

    def covariance_bytes(self) -> bytes:
        """The lower triangle of the covariance, row by row, little-endian float64."""
        packed = self.covariance[np.tril_indices(len(self.covariance))]
        return np.ascontiguousarray(packed, dtype="<f8").tobytes()

    def panel_rows(self, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """One mapping per panel as scripts see it: mm and mrad, null for what was held."""
        rows: list[dict[str, Any]] = []
        shown = self.correction.values * SHOWN_PER_INTERNAL
        sigma = self.sigma * SHOWN_PER_INTERNAL
        for index, name in enumerate(names):
            row: dict[str, Any] = {
                "panel": index,
                "name": name,
                "status": self.status[index].value,
                "n_reflections": int(self.n_reflections[index]),
            }
            row.update(zip(SHOWN, shown[index].tolist(), strict=True))
            row["sigma"] = {
                key: None if np.isnan(value) else float(value)
                for key, value in zip(SHOWN, sigma[index], strict=True)
            }
            rows.append(row)
        return rows


def covariance_from_bytes(packed: bytes, size: int) -> Floats:
    """The symmetric (size, size) matrix whose ``covariance_bytes`` these are."""
    values = np.frombuffer(packed, dtype="<f8")
    if len(values) != size * (size + 1) // 2:
        raise InputError("bad-shape", f"{len(values)} covariances, expected a triangle of {size}.")
    out = np.zeros((size, size))
    lower = np.tril_indices(size)
    out[lower] = values
    out.T[lower] = values
    return out
