"""The Cramer-Rao bound of a scan's panel corrections, from the true models and the true noise.

It shares no code with the solver: derivatives are differences of an independent forward model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout
from calib.model.experiment.experiment import Crystal
from calib.simulate.scan import ScanPlan, SimulatedScan
from support.forward import Scene, Sweep, traced

_STEP_MM, _STEP_RAD = 1e-3, 1e-5
_STEPS = np.array([_STEP_MM] * 3 + [_STEP_RAD] * 3)


@dataclass(frozen=True)
class Limit:
    """The smallest covariance that an estimate can have, all rigid motions taken out.

    Parameters (6 n) are in units of the prior's standard deviations.
    """

    prior_sigma: Floats
    """(6,)"""
    rigid: Floats
    """(6 n, 6) orthonormal: the rigid motions."""
    covariance: Floats
    """(6 n, 6 n)"""

    @property
    def degrees(self) -> int:
        """How many directions are not rigid motions."""
        return int(len(self.covariance) - self.rigid.shape[1])

    def error(self, found: Correction, truth: Correction) -> Floats:
        """(6 n,) an estimate's error without its rigid motion."""
        error = ((found.values - truth.values) / self.prior_sigma).ravel()
        return np.asarray(error - self.rigid @ (self.rigid.T @ error))

    def relative(self, error: Floats) -> Floats:
        """(6 n,) an error over the bound's standard deviations."""
        return np.asarray(error / np.sqrt(np.diag(self.covariance)))

    def chi_square(self, error: Floats) -> float:
        """An error against the whole bound."""
        return float(error @ np.linalg.pinv(self.covariance, rcond=1e-9, hermitian=True) @ error)


def limit_of(
    layout: Layout,
    truth: Correction,
    scans: Sequence[tuple[SimulatedScan, ScanPlan]],
    prior_sigma: Floats,
) -> Limit:
    """The bound for panels whose deviations were drawn with ``prior_sigma`` (6,), all six free,
    each scan with its own pose and crystal, as if no centroid were an outlier."""
    n = len(layout)
    information = np.zeros((6 * n, 6 * n))
    for scan, plan in scans:
        information += _reduced(layout, truth, scan, plan)
    scale = np.tile(prior_sigma, n)
    information *= np.outer(scale, scale)
    rigid, _ = np.linalg.qr(_rigid(layout, truth) / scale[:, None])
    # A tolerance speaks of panels against one another: along rigid motions it says nothing.
    information += np.eye(6 * n) - rigid @ rigid.T
    others = np.linalg.svd(rigid)[0][:, 6:]
    covariance = others @ np.linalg.inv(others.T @ information @ others) @ others.T
    return Limit(prior_sigma, rigid, covariance)


def _reduced(layout: Layout, truth: Correction, scan: SimulatedScan, plan: ScanPlan) -> Floats:
    """(6 n, 6 n) information on the panels with pose and crystal unknown."""
    models, table = scan.dataset.experiments, scan.dataset.reflections
    scene = Scene(
        layout,
        truth,
        (scan.true_pose,),
        models.beams,
        models.goniometers,
        (scan.true_crystal,),
        (Sweep(models.scans[0]),),
    )
    near = traced(scene, 0, table.miller_index, table.panel, table.centroid_mm[:, 2])[:, 2]
    pixel = np.array([shape.pixel_mm for shape in layout.panels])[table.panel]
    phi = np.full(len(near), plan.noise_phi_images * plan.image_rad)
    sigma = np.column_stack([plan.noise_px * pixel, phi])

    def derivative(changed: Callable[[float], Scene], step: float) -> Floats:
        ahead, behind = (
            traced(changed(by), 0, table.miller_index, table.panel, near, newton_steps=2)
            for by in (step, -step)
        )
        return np.asarray((ahead - behind) / (2.0 * step) / sigma)

    own = np.stack([derivative(_panels(scene, k), _STEPS[k]) for k in range(6)], axis=2)
    shared = [derivative(_pose(scene, k), _STEPS[k]) for k in range(6)]
    shared += [derivative(_crystal(scene, k), _STEP_RAD) for k in range(5)]
    common = np.stack(shared, axis=2)
    n = len(layout)
    information, coupling = np.zeros((6 * n, 6 * n)), np.zeros((6 * n, common.shape[2]))
    for panel in range(n):
        mine, rows = table.panel == panel, slice(6 * panel, 6 * panel + 6)
        a, b = own[mine].reshape(-1, 6), common[mine].reshape(-1, common.shape[2])
        information[rows, rows], coupling[rows] = a.T @ a, a.T @ b
    every = common.reshape(-1, common.shape[2])
    return np.asarray(information - coupling @ np.linalg.solve(every.T @ every, coupling.T))


def _panels(scene: Scene, index: int) -> Callable[[float], Scene]:
    """The scene with one parameter of every panel changed."""
    unit = np.eye(6)[index]
    return lambda by: replace(scene, correction=Correction(scene.correction.values + by * unit))


def _pose(scene: Scene, index: int) -> Callable[[float], Scene]:
    unit = np.eye(6)[index]
    (pose,) = scene.poses
    return lambda by: replace(scene, poses=(_moved(pose, by * unit),))


def _moved(pose: RigidMotion, by: Floats) -> RigidMotion:
    turn = rotation_from_vector(by[3:])
    return RigidMotion(turn @ pose.rotation, pose.translation_mm + by[:3])


def _crystal(scene: Scene, index: int) -> Callable[[float], Scene]:
    """The crystal turned about one of three axes, or its axes a and b, or c, made longer."""
    (given,) = scene.crystals

    def changed(by: float) -> Scene:
        basis = given.real_space
        if index < 3:
            basis = basis @ rotation_from_vector(by * np.eye(3)[index]).T
        else:
            basis = basis * (1.0 + by * np.array([[1, 1, 0], [0, 0, 1]])[index - 3])[:, None]
        return replace(scene, crystals=(Crystal(basis, given.hall_symbol),))

    return changed


def _rigid(layout: Layout, truth: Correction) -> Floats:
    """(6 n, 6) what small rigid motions of all panels do to their parameters."""
    out, frames = [], truth.frames(layout)
    for unit in np.eye(6):
        ahead, behind = (
            Correction.between(layout, frames.moved(_moved(RigidMotion.identity(), by)))
            for by in (unit * _STEPS, -unit * _STEPS)
        )
        out.append((ahead.values - behind.values).ravel())
    return np.stack(out, axis=1)
