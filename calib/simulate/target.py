"""An unseen target: spots without noise at another distance, predicted with a correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction, CorrectionEstimate
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.simulate.affected_scan import affected_scan
from calib.simulate.effects.effect import Effect
from calib.simulate.rigid import RigidModel
from calib.simulate.scan import ScanPlan

_SHELLS = 5
_NOISE_PX, _NOISE_IMAGES = 0.1, 0.1
"""The weights of the fit of pose and crystal, as for spots with this noise."""
_STEP = 1e-6
_WORSE_SHARE, _WORSE_PX = 0.05, 0.01
"""A shell is worse if its error grows by more than both."""
_CHANCE = 1e-5
"""Probability of a growth that the stated uncertainty does not allow."""


@dataclass(frozen=True, slots=True)
class ShellError:
    """Errors of predicted spots in one shell of resolution."""

    d_max_angstrom: float
    d_min_angstrom: float
    n: int
    before_px: tuple[float, float]
    """Root mean square in x and y with nominal panels, pose and crystal fitted."""
    after_px: tuple[float, float]
    """The same with the estimated correction."""
    allowed_px: tuple[float, float]
    """The root of the increase in mean square that the covariance of the estimate allows."""

    @property
    def worse(self) -> bool:
        """Whether an axis is worse by 5 %, by .01 px and by more than allowed."""
        return any(
            after > (1.0 + _WORSE_SHARE) * before
            and after > before + _WORSE_PX
            and after**2 - before**2 > allowed**2
            for before, after, allowed in zip(
                self.before_px, self.after_px, self.allowed_px, strict=True
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A scan of an unseen crystal without noise, on the true detector."""

    layout: Layout
    pose: RigidMotion
    model: RigidModel
    """With the nominal panels."""
    hkl: Ints
    panel: Ints
    observed: Floats
    """(n, 3) x, y in mm and phi in rad."""
    sigma: Floats
    """(n, 3) standard deviations that weigh them."""
    shell: Ints
    """(n,) number of the shell, of equal counts, from low to high resolution."""

    @property
    def pixel_mm(self) -> Floats:
        """(n, 2) size of the pixels."""
        return np.array([shape.pixel_mm for shape in self.layout.panels])[self.panel]

    def errors_px(self, correction: Correction) -> Floats:
        """(n, 2) errors of spots with corrected panels, after pose and crystal are fitted."""
        miss = self._model(correction).fitted(
            self.hkl, self.panel, self.observed, self.sigma, np.zeros(len(self.hkl), dtype=np.int64)
        )
        return np.asarray(miss[:, :2] / self.pixel_mm)

    def rms_px(self, correction: Correction) -> tuple[float, float]:
        """Root mean square errors in x and y over all spots."""
        x, y = np.sqrt((self.errors_px(correction) ** 2).mean(axis=0))
        return float(x), float(y)

    def shells(self, estimate: CorrectionEstimate, *, widened: float = 1.0) -> list[ShellError]:
        """The errors of each shell before and after, and what the covariance times ``widened``
        squared allows."""
        before = self.errors_px(Correction.none(len(self.layout)))
        after = self.errors_px(estimate.correction)
        slope = self._slope_px(estimate)
        covariance = estimate.covariance * widened**2
        length = np.linalg.norm(self.hkl @ np.linalg.inv(self.model.real_space).T, axis=1)
        out = []
        for number in range(_SHELLS):
            mine = self.shell == number
            allowed = [_allowed(slope[mine, side], covariance) for side in range(2)]
            out.append(
                ShellError(
                    d_max_angstrom=float(1.0 / length[mine].min()),
                    d_min_angstrom=float(1.0 / length[mine].max()),
                    n=int(mine.sum()),
                    before_px=_rms(before[mine]),
                    after_px=_rms(after[mine]),
                    allowed_px=(allowed[0], allowed[1]),
                )
            )
        return out

    def _model(self, correction: Correction) -> RigidModel:
        frames = correction.frames(self.layout).moved(self.pose)
        return replace(self.model, frames=frames)

    def _slope_px(self, estimate: CorrectionEstimate) -> Floats:
        """(n, 2, n_panels f) derivatives of the errors in px by the free parameters of the panels,
        pose and crystal being fitted anew."""
        free = list(estimate.freedom.free)
        n, count, f = len(self.hkl), len(self.layout), len(free)
        near, still = self.observed[:, 2], np.zeros(len(self.hkl), dtype=np.int64)
        none = np.zeros(11)
        whole = np.zeros((n, 3, count * f))
        for place, parameter in enumerate(free):
            found = []
            for step in (_STEP, -_STEP):
                values = estimate.correction.values.copy()
                values[:, parameter] += step
                model = self._model(Correction(values))
                found.append(model.predicted(none, self.hkl, self.panel, near, still))
            change = (found[0] - found[1]) / (2.0 * _STEP)
            whole[np.arange(n), :, self.panel * f + place] = change
        pose = self._model(estimate.correction).sensitivity(self.hkl, self.panel, near, still)
        weighted = (pose / self.sigma[:, :, None]).reshape(3 * n, -1)
        basis, _ = np.linalg.qr(weighted / np.linalg.norm(weighted, axis=0))
        flat = (whole / self.sigma[:, :, None]).reshape(3 * n, -1)
        flat -= basis @ (basis.T @ flat)
        errors = flat.reshape(n, 3, -1)[:, :2] * self.sigma[:, :2, None]
        return np.asarray(errors / self.pixel_mm[:, :, None])


def simulated_target(
    rng: np.random.Generator,
    layout: Layout,
    truth: Correction,
    pose: RigidMotion,
    plan: ScanPlan,
    effects: Sequence[Effect] = (),
) -> Target:
    """The spots of a scan without noise.

    ``effects`` are those of the detector itself, such as chips, which the target has, too; those
    of crystals and instruments are left out by the caller.
    """
    exact = replace(
        plan,
        noise_px=1e-12,
        noise_phi_images=1e-12,
        outlier_share=0.0,
        start_shift_mm=0.0,
        start_turn_rad=0.0,
        start_crystal_rad=0.0,
        start_cell_share=0.0,
    )
    scan = affected_scan(rng, layout, truth, pose, exact, "target", effects)
    table, models = scan.dataset.reflections, scan.dataset.experiments
    real_space = scan.true_crystal.real_space
    length = np.linalg.norm(table.miller_index @ np.linalg.inv(real_space).T, axis=1)
    pixel = np.array([shape.pixel_mm for shape in layout.panels])[table.panel]
    phi = np.full((len(table), 1), _NOISE_IMAGES * plan.image_rad)
    return Target(
        layout=layout,
        pose=pose,
        model=RigidModel(
            real_space,
            np.eye(3)[None],
            models.goniometers[0].axis,
            models.beams[0].s0,
            layout.frames.moved(pose),
        ),
        hkl=table.miller_index,
        panel=table.panel,
        observed=table.centroid_mm,
        sigma=np.concatenate([_NOISE_PX * pixel, phi], axis=1),
        shell=np.argsort(np.argsort(length)) * _SHELLS // len(length),
    )


def _rms(errors: Floats) -> tuple[float, float]:
    x, y = np.sqrt((errors**2).mean(axis=0))
    return float(x), float(y)


def _allowed(slope: Floats, covariance: Floats) -> float:
    """The root of the mean square (in px) that errors with this covariance exceed once in 100 000
    times, for spots that depend on them by ``slope`` (m, n f).

    The mean square is a sum of squares of normal deviates; its distribution is approximated by a
    scaled chi-square of the same mean and variance (Satterthwaite 1946).
    """
    from scipy.special import chdtri  # only simulations that are compared with the truth need it

    product = covariance @ (slope.T @ slope) / len(slope)
    mean, variance = float(np.trace(product)), 2.0 * float((product * product.T).sum())
    if variance <= 0.0:
        return 0.0
    degrees = 2.0 * mean**2 / variance
    return float(np.sqrt(mean / degrees * chdtri(degrees, _CHANCE)))
