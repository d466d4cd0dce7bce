"""Corrections of single panels: their parameters, and the corrected frames of a layout.

Panel p has a shift (dx, dy, dz) along its own nominal fast, slow and normal axes and a rotation
vector (rx, ry, rz) about these axes through the panel's centre:

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
from calib.model.base.bounds import ANGLE_RAD, LENGTH_MM
from calib.model.detector.frames import rotation_from_vector, vector_from_rotation
from calib.model.detector.layout import Layout, PanelFrames


class ParameterKind(StrEnum):
    """Whether a parameter moves a panel along an axis or rotates it about one."""

    TRANSLATION = "translation"
    ROTATION = "rotation"


@dataclass(frozen=True, slots=True)
class PanelParameter:
    """One parameter of a panel's correction: its names, units and description.

    ``PANEL_PARAMETERS`` is the only place where these are written down: solver, store, reports and
    the test of docs/reference/json.md read them there.
    """

    name: str
    """As stored: the column of the database, the array of a bundle, the key of JSON."""
    kind: ParameterKind
    axis: int
    """0, 1 or 2: along, or about, the panel's nominal fast, slow or normal axis."""
    words: str
    """What it is called in a sentence."""
    in_plane: bool
    """Whether it keeps the panel in its nominal plane; only these are refined with the freedom
    ``in-plane``."""
    unit: str
    """Of stored and computed values: mm or rad."""
    key_unit: str
    """Of values in JSON, as part of the key: mm or mrad."""
    key_factor: float
    """Multiply a stored value by this for JSON."""
    shown_unit: str
    """Of values in tables: um or mrad."""
    shown_factor: float
    """Multiply a value from JSON by this for tables."""
    digits: int
    """Decimal places in tables."""

    @property
    def key(self) -> str:
        """The key in JSON, such as ``dx_mm``."""
        return f"{self.name}_{self.key_unit}"

    @property
    def heading(self) -> str:
        """The head of a column, such as ``dx um``."""
        return f"{self.name} {self.shown_unit}"


def _translation(name: str, axis: int, words: str, *, in_plane: bool) -> PanelParameter:
    kind = ParameterKind.TRANSLATION
    return PanelParameter(
        name,
        kind,
        axis,
        words,
        in_plane,
        unit="mm",
        key_unit="mm",
        key_factor=1.0,
        shown_unit="um",
        shown_factor=1e3,
        digits=1,
    )


def _rotation(name: str, axis: int, words: str, *, in_plane: bool) -> PanelParameter:
    kind = ParameterKind.ROTATION
    return PanelParameter(
        name,
        kind,
        axis,
        words,
        in_plane,
        unit="rad",
        key_unit="mrad",
        key_factor=1e3,
        shown_unit="mrad",
        shown_factor=1.0,
        digits=3,
    )


PANEL_PARAMETERS = (
    _translation("dx", 0, "fast", in_plane=True),
    _translation("dy", 1, "slow", in_plane=True),
    _translation("dz", 2, "normal", in_plane=False),
    _rotation("rx", 0, "tilt about fast", in_plane=False),
    _rotation("ry", 1, "tilt about slow", in_plane=False),
    _rotation("rz", 2, "rotation about the normal", in_plane=True),
)
"""The parameters of a panel's correction, in the order of every array that holds them."""
PARAMETERS = tuple(one.name for one in PANEL_PARAMETERS)
"""Their names as stored."""
PARAMETER_KEYS = tuple(one.key for one in PANEL_PARAMETERS)
"""Their keys in JSON."""
KEY_FACTORS = np.array([one.key_factor for one in PANEL_PARAMETERS])
"""(6,) multiply stored values (mm, rad) by this for JSON (mm, mrad)."""
N_PARAMETERS = len(PANEL_PARAMETERS)
IN_PLANE = tuple(index for index, one in enumerate(PANEL_PARAMETERS) if one.in_plane)
"""Indices of the parameters that keep a panel in its nominal plane."""
TRANSLATIONS, ROTATIONS = slice(0, 3), slice(3, 6)
"""Of the parameters: the translations, and the components of the rotation vector."""


class Freedom(StrEnum):
    """Which of a panel's parameters are refined."""

    IN_PLANE = "in-plane"
    FULL = "full"

    @property
    def free(self) -> tuple[int, ...]:
        """The indices into ``PANEL_PARAMETERS`` that are free."""
        return IN_PLANE if self is Freedom.IN_PLANE else tuple(range(N_PARAMETERS))


class PanelStatus(StrEnum):
    """How far the data, rather than the prior, determine a panel's correction."""

    MEASURED = "measured"
    """At least 50 reflections, and the data constrain each parameter more than the prior does."""
    SPARSE = "sparse"
    """At least one reflection, but the prior matters."""
    UNMEASURED = "unmeasured"
    """No reflection: determined by the prior alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """Displacement and rotation of each panel of a layout from its nominal position."""

    values: Floats
    """(n, 6) dx, dy, dz in mm and rx, ry, rz in rad, in each panel's nominal frame."""

    def __post_init__(self) -> None:
        values = frozen_floats(self.values, (len(self.values), N_PARAMETERS), "correction")
        object.__setattr__(self, "values", values)

    @staticmethod
    def none(n_panels: int) -> Correction:
        """The correction that leaves every panel at its nominal position."""
        return Correction(np.zeros((n_panels, N_PARAMETERS)))

    @property
    def within_bounds(self) -> bool:
        """Whether every shift and rotation is within physical bounds."""
        shifts, rotations = self.values[:, TRANSLATIONS], self.values[:, ROTATIONS]
        return LENGTH_MM.all_in(shifts) and ANGLE_RAD.all_in(rotations)

    def frames(self, layout: Layout) -> PanelFrames:
        """The corrected frames of the panels relative to the detector's root frame."""
        if len(self.values) != len(layout):
            raise InputError(
                "bad-shape",
                f"correction of {len(self.values)} panels for a layout of {len(layout)}.",
            )
        nominal = layout.frames.rotation
        rotation = nominal @ rotation_from_vector(self.values[:, ROTATIONS])
        shift_root = np.einsum("nij,nj->ni", nominal, self.values[:, TRANSLATIONS])
        half = np.pad(0.5 * layout.size_mm, ((0, 0), (0, 1)))
        origin = layout.centre_root_mm + shift_root - np.einsum("nij,nj->ni", rotation, half)
        return PanelFrames(rotation, origin)

    @staticmethod
    def between(layout: Layout, frames: PanelFrames) -> Correction:
        """The correction that moves the panels of ``layout`` to ``frames`` (in the root frame)."""
        nominal = layout.frames.rotation
        centre = frames.points(0.5 * layout.size_mm[:, None, :])[:, 0]
        shift = np.einsum("nij,ni->nj", nominal, centre - layout.centre_root_mm)
        rotation = vector_from_rotation(nominal.transpose(0, 2, 1) @ frames.rotation)
        return Correction(np.concatenate([shift, rotation], axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class CorrectionEstimate:
    """A correction with its covariance, and the status of each panel."""

    correction: Correction
    """The most probable corrections; parameters fixed at nominal are 0."""
    freedom: Freedom
    """Which parameters were refined."""
    covariance: Floats
    """(n f, n f) covariance of the f free parameters of n panels, panel by panel; mm and rad."""
    status: tuple[PanelStatus, ...]
    """How far the data determine each panel's correction."""
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
        """(n, 6) standard uncertainties in mm and rad; NaN for fixed parameters."""
        out = np.full(self.correction.values.shape, np.nan)
        out[:, self.freedom.free] = np.sqrt(np.diag(self.covariance)).reshape(len(out), -1)
        return out

    @property
    def measured(self) -> Bools:
        """(n,) which panels are measured."""
        return np.array([status is PanelStatus.MEASURED for status in self.status])

    @property
    def is_partial(self) -> bool:
        """Whether less than half of the panels are measured."""
        return 2 * int(self.measured.sum()) < len(self.status)

    def covariance_bytes(self) -> bytes:
        """The lower triangle of the covariance, row by row, little-endian float64."""
        packed = self.covariance[np.tril_indices(len(self.covariance))]
        return np.ascontiguousarray(packed, dtype="<f8").tobytes()

    def panel_rows(self, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """One mapping per panel as in JSON: mm and mrad; sigma None for fixed parameters."""
        rows: list[dict[str, Any]] = []
        shown = self.correction.values * KEY_FACTORS
        sigma = self.sigma * KEY_FACTORS
        for index, name in enumerate(names):
            row: dict[str, Any] = {
                "panel": index,
                "name": name,
                "status": self.status[index].value,
                "n_reflections": int(self.n_reflections[index]),
            }
            row.update(zip(PARAMETER_KEYS, shown[index].tolist(), strict=True))
            row["sigma"] = {
                key: None if np.isnan(value) else float(value)
                for key, value in zip(PARAMETER_KEYS, sigma[index], strict=True)
            }
            rows.append(row)
        return rows


def covariance_from_bytes(packed: bytes, size: int) -> Floats:
    """The symmetric (size, size) matrix packed by ``covariance_bytes``."""
    values = np.frombuffer(packed, dtype="<f8")
    if len(values) != size * (size + 1) // 2:
        raise InputError("bad-shape", f"{len(values)} covariances, expected a triangle of {size}.")
    out = np.zeros((size, size))
    lower = np.tril_indices(size)
    out[lower] = values
    out.T[lower] = values
    return out
