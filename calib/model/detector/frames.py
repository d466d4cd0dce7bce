"""Rotations and rigid motions.

A rotation is a 3x3 matrix whose columns are the axes of the inner frame in the outer one;
``lab_from_panel`` maps panel coordinates to laboratory coordinates. A rotation vector is the axis
times the angle in rad (Rodrigues).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Floats, frozen_floats

_SMALL_ANGLE_RAD = 1e-6
_LARGE_ANGLE_COSINE = -0.9


def skew(vectors: Floats) -> Floats:
    """The matrices K with K @ u = v x u, for vectors of shape (..., 3); shape (..., 3, 3)."""
    v = np.asarray(vectors, dtype=np.float64)
    out = np.zeros((*v.shape, 3))
    out[..., 0, 1], out[..., 0, 2] = -v[..., 2], v[..., 1]
    out[..., 1, 0], out[..., 1, 2] = v[..., 2], -v[..., 0]
    out[..., 2, 0], out[..., 2, 1] = -v[..., 1], v[..., 0]
    return out


def rotation_from_vector(vectors: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3) in rad.

    R = I + sin(t)/t K + (1 - cos t)/t^2 K^2 with K = skew(v), t = |v| (Rodrigues).
    """
    v = np.asarray(vectors, dtype=np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    k = skew(v)
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / 2 / np.pi) ** 2
    return np.asarray(np.eye(3) + first * k + second * (k @ k))


def vector_from_rotation(rotations: Floats) -> Floats:
    """Rotation vectors (..., 3) in rad of rotation matrices (..., 3, 3), angle up to pi.

    The axis n follows from R - R^T = 2 sin(t) skew(n) and, near t = pi, where the sine is lost to
    rounding, from R + R^T = 2 cos(t) + 2 (1 - cos(t)) n n^T.
    """
    r = np.asarray(rotations, dtype=np.float64)
    twice_axis_sin = np.stack(
        [
            r[..., 2, 1] - r[..., 1, 2],
            r[..., 0, 2] - r[..., 2, 0],
            r[..., 1, 0] - r[..., 0, 1],
        ],
        axis=-1,
    )
    sine = 0.5 * np.linalg.norm(twice_axis_sin, axis=-1)
    cosine = 0.5 * (np.trace(r, axis1=-2, axis2=-1) - 1.0)
    angle = np.arctan2(sine, cosine)
    factor = np.where(sine > _SMALL_ANGLE_RAD, angle / np.maximum(sine, 1e-300), 1.0)
    vectors = 0.5 * twice_axis_sin * factor[..., None]
    large = cosine < _LARGE_ANGLE_COSINE
    if large.any():
        symmetric = 0.5 * (r + np.swapaxes(r, -1, -2)) - cosine[..., None, None] * np.eye(3)
        longest = np.argmax(np.diagonal(symmetric, axis1=-2, axis2=-1), axis=-1)
        axis = np.take_along_axis(symmetric, longest[..., None, None], axis=-1)[..., 0]
        along = (axis * twice_axis_sin).sum(axis=-1, keepdims=True)
        axis = np.where(along < 0.0, -axis, axis)
        length = np.maximum(np.linalg.norm(axis, axis=-1), 1e-300)
        vectors = np.where(large[..., None], axis * (angle / length)[..., None], vectors)
    return np.asarray(vectors)


def right_jacobian(vectors: Floats) -> Floats:
    """J (..., 3, 3) with exp(v + dv) = exp(v) exp(J dv) to first order, v in rad.

    J = I - (1 - cos t)/t^2 K + (t - sin t)/t^3 K^2 (Chirikjian 2011, eq. 10.86).
    """
    v = np.asarray(vectors, dtype=np.float64)
    angle = np.linalg.norm(v, axis=-1)[..., None, None]
    k = skew(v)
    half = 0.5 * np.sinc(angle / 2 / np.pi) ** 2
    small = angle < 1e-3
    safe = np.where(small, 1.0, angle)
    third = np.where(small, (1.0 - angle**2 / 20.0) / 6.0, (safe - np.sin(safe)) / safe**3)
    return np.asarray(np.eye(3) - half * k + third * (k @ k))


def orthonormal(fast: Floats, slow: Floats) -> Floats:
    """Rotation matrices (..., 3, 3) with columns fast, slow, normal from two nearly
    perpendicular axes of shape (..., 3); the normal is fast x slow."""
    f = fast / np.linalg.norm(fast, axis=-1, keepdims=True)
    n = np.cross(f, slow)
    n = n / np.linalg.norm(n, axis=-1, keepdims=True)
    return np.stack([f, np.cross(n, f), n], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class RigidMotion:
    """v_outer = rotation @ v_inner + translation."""

    rotation: Floats
    """(3, 3); columns are the inner axes in the outer frame."""
    translation_mm: Floats
    """(3,) mm; the inner origin in the outer frame."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rotation", frozen_floats(self.rotation, (3, 3), "rotation"))
        object.__setattr__(
            self, "translation_mm", frozen_floats(self.translation_mm, (3,), "translation_mm")
        )

    @staticmethod
    def identity() -> RigidMotion:
        """The identity."""
        return RigidMotion(np.eye(3), np.zeros(3))

    def __matmul__(self, inner: RigidMotion) -> RigidMotion:
        """``outer_from_mid @ mid_from_inner`` is ``outer_from_inner``."""
        return RigidMotion(
            self.rotation @ inner.rotation,
            self.rotation @ inner.translation_mm + self.translation_mm,
        )

    def inverse(self) -> RigidMotion:
        """The inverse motion."""
        return RigidMotion(self.rotation.T, -self.rotation.T @ self.translation_mm)

    def points(self, inner_mm: Floats) -> Floats:
        """Points (..., 3) in mm of the inner frame, in the outer frame."""
        return np.asarray(inner_mm @ self.rotation.T + self.translation_mm)


def fit_rigid(inner_mm: Floats, outer_mm: Floats, weights: Floats) -> RigidMotion:
    """The rigid motion that best maps points ``inner_mm`` (n, 3) to ``outer_mm`` (n, 3).

    Minimises sum w |outer - (R inner + t)|^2 with ``weights`` (n,) (Kabsch 1976).
    """
    share = weights / weights.sum()
    inner_centre, outer_centre = share @ inner_mm, share @ outer_mm
    covariance = (outer_mm - outer_centre).T @ ((inner_mm - inner_centre) * share[:, None])
    if not np.isfinite(covariance).all():  # LAPACK may never return
        raise InputError("not-finite", "points to be fitted are too far apart.")
    u, _, vt = np.linalg.svd(covariance)
    u[:, -1] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = u @ vt
    return RigidMotion(rotation, outer_centre - rotation @ inner_centre)
