"""Flags that an earlier refinement has set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Bools, Floats, Ints
from calib.simulate.effects.effect import Effect, Measured

OUTLIER = 17
"""The status bit of a centroid outlier."""
_LEAST = 20
"""Blocks with fewer reflections are not searched for outliers."""
_CUT = 9.348
"""97.5 % point of a chi-square of three degrees of freedom."""
_HALF_RATIO = 2.366
"""Median of the same chi-square."""
_STEPS = 20


@dataclass(frozen=True, slots=True)
class RigidFlags(Effect):
    """Bit 17 is set as ``dials.refine`` does with a rigid detector, which the tutorial has first.

    Pose and crystal are fitted with all panels at nominal positions. In blocks of the scan the
    residuals in x, y and phi are compared with their robust covariance over all panels together
    (minimum covariance determinant, Rousseeuw & Van Driessen 1999), as by the default of
    ``outlier.algorithm``. Displaced panels lose most of their reflections. Over nine reflections in
    ten have the flag that DIALS 3.12 gives them (``tests/interop``).
    """

    block_rad: float = 0.314
    """Length of a block (18 degrees)."""

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """The same reflections with flags.

        Raises ``InputError`` for stills.
        """
        if measured.rigid is None:
            raise InputError("not-for-stills", "rigid flags are simulated for rotation scans only.")
        pixel = np.array([shape.pixel_mm for shape in measured.layout.panels])[measured.panel]
        state, noise = measured.state, measured.noise
        observed = np.column_stack(
            [(measured.px + noise[:, :2]) * pixel, state.phi_rad + noise[:, 2]]
        )
        sigma = measured.sigma * np.column_stack([pixel, np.ones(len(pixel))])
        fitted = measured.rigid.fitted(
            measured.hkl, measured.panel, observed, sigma, state.sweep, measured.kept
        )
        outlier = np.zeros(len(observed), dtype=np.bool_)
        block = np.floor(state.phi_rad / self.block_rad).astype(np.int64)
        for sweep in np.unique(state.sweep):
            for number in np.unique(block):
                mine = np.flatnonzero((state.sweep == sweep) & (block == number) & measured.kept)
                if len(mine) >= _LEAST:
                    outlier[mine] = far_from_most(fitted[mine])
        return replace(measured, flags=_with_bit(measured.flags, outlier))


def far_from_most(residuals: Floats) -> Bools:
    """(n,) which residuals (n, 3) are outside the 97.5 % ellipsoid of the densest half."""
    scale = np.median(np.abs(residuals - np.median(residuals, axis=0)), axis=0)
    unit = (residuals - np.median(residuals, axis=0)) / np.maximum(scale, 1e-300)
    distance = (unit**2).sum(axis=1)
    half = len(unit) // 2
    for _ in range(_STEPS):
        core = unit[np.argsort(distance)[:half]]
        covariance = np.cov(core.T)
        off = unit - core.mean(axis=0)
        distance = np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off)
    # The densest half of a normal sample has distances up to the median of the chi-square.
    return np.asarray(distance * _HALF_RATIO / np.median(distance) > _CUT)


def _with_bit(flags: Ints, chosen: Bools) -> Ints:
    out = flags.copy()
    out[chosen] |= 1 << OUTLIER
    return out
