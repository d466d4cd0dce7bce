"""Rotation data from an independent forward model, for any goniometers, beams and crystals.

It shares no code with the solver or the library's simulator: the diffracting angle is found by
bisection and Newton steps, the crossing with the panel by solving three linear equations, and
rotations are SciPy's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout, PanelFrames
from calib.model.experiment.dataset import Dataset, Source
from calib.model.experiment.experiment import (
    Beam,
    Crystal,
    Detector,
    Experiment,
    ExperimentList,
    Goniometer,
    Scan,
    Sensors,
)
from calib.model.experiment.reflections import Reflections

_GRID = 61
_NEWTON_STEPS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """One rotation scan of one crystal."""

    scan: Scan
    crystal: int = 0
    beam: int = 0
    goniometer: int = 0
    n_reflections: int = 500


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The true models behind a dataset."""

    layout: Layout
    correction: Correction
    poses: tuple[RigidMotion, ...]
    """One for all sweeps, or one each."""
    beams: tuple[Beam, ...]
    goniometers: tuple[Goniometer, ...]
    crystals: tuple[Crystal, ...]
    sweeps: tuple[Sweep, ...]
    noise_px: float = 0.1
    noise_phi_rad: float = 1e-4
    d_min_angstrom: float = 2.0
    name: str = "scene"


def models_of(scene: Scene) -> ExperimentList:
    """The true models as a file would give them, with nominal panels."""
    n = len(scene.layout)
    detector = Detector(
        scene.layout.panels,
        scene.layout.frames.moved(scene.poses[0]),
        scene.poses[0],
        Sensors(np.zeros(n, dtype=np.bool_), np.zeros(n), np.zeros(n)),
        "",
    )
    return ExperimentList(
        experiments=tuple(
            Experiment(f"experiment-{k}", s.beam, 0, s.goniometer, k, s.crystal, None)
            for k, s in enumerate(scene.sweeps)
        ),
        beams=scene.beams,
        detectors=(detector,),
        goniometers=scene.goniometers,
        scans=tuple(s.scan for s in scene.sweeps),
        crystals=scene.crystals,
    )


def measured(scene: Scene, rng: np.random.Generator) -> Dataset:
    """The dataset of a scene: true models, drawn panels, noisy centroids."""
    models = models_of(scene)
    parts = [_sweep(scene, k, rng) for k in range(len(scene.sweeps))]
    experiment = np.concatenate([np.full(len(hkl), k) for k, (hkl, _, _) in enumerate(parts)])
    hkl, panel, centroid = (np.concatenate([part[i] for part in parts]) for i in range(3))
    pixel = np.array([p.pixel_mm for p in scene.layout.panels])[panel]
    sigma = np.column_stack([scene.noise_px * pixel, np.full(len(hkl), scene.noise_phi_rad)])
    centroid = centroid + sigma * rng.normal(size=sigma.shape)
    reflections = Reflections(experiment, panel, hkl, centroid, sigma**2, np.full(len(hkl), 1 << 2))
    return Dataset(scene.name, Source((), ()), models, models.detectors[0], reflections, epoch=None)


def traced(
    scene: Scene,
    index: int,
    hkl: Ints,
    panel: Ints,
    near_rad: Floats,
    *,
    newton_steps: int = _NEWTON_STEPS,
) -> Floats:
    """(n, 3) x, y in mm and phi in rad of reflections on given panels, near given angles."""
    sweep = scene.sweeps[index]
    phi = _angle(scene, sweep, hkl, near_rad, newton_steps)
    crossing = _crossing(scene, index, panel, _ray(scene, sweep, hkl, phi))
    return np.column_stack([crossing[:, :2], phi])


def _ray(scene: Scene, sweep: Sweep, hkl: Ints, phi: Floats) -> Floats:
    """(n, 3) s1 = r + s0."""
    return _reciprocal(scene, sweep, hkl, phi) + scene.beams[sweep.beam].s0


def _crossing(scene: Scene, index: int, panel: Ints, s1: Floats) -> Floats:
    """(n, 3) x, y and t with origin + x fast + y slow = t s1."""
    frames = _true_frames(scene, index)
    rotation, origin = frames.rotation[panel], frames.origin_mm[panel]
    square = np.concatenate([rotation[:, :, :2], -s1[:, :, None]], axis=2)
    return np.asarray(np.linalg.solve(square, -origin[:, :, None])[:, :, 0])


def _true_frames(scene: Scene, index: int) -> PanelFrames:
    pose = scene.poses[index if len(scene.poses) > 1 else 0]
    return scene.correction.frames(scene.layout).moved(pose)


def _reciprocal(scene: Scene, sweep: Sweep, hkl: Ints, phi: Floats) -> Floats:
    """(n, 3) r = S R(phi) F A h."""
    goniometer = scene.goniometers[sweep.goniometer]
    datum = hkl @ np.linalg.inv(scene.crystals[sweep.crystal].real_space).T @ goniometer.fixed.T
    same = np.ptp(phi) == 0.0
    angle = phi[:1] if same else phi
    turned = Rotation.from_rotvec(angle[:, None] * goniometer.axis).apply(datum)
    return np.asarray(turned @ goniometer.setting.T)


def _excess(scene: Scene, sweep: Sweep, hkl: Ints, phi: Floats) -> Floats:
    """How far a reflection is from the Ewald sphere: (|r + s0|^2 - |s0|^2) / |s0|^2."""
    s0 = scene.beams[sweep.beam].s0
    s1 = _reciprocal(scene, sweep, hkl, phi) + s0
    return np.asarray((s1**2).sum(axis=1) / (s0 @ s0) - 1.0)


def _angle(
    scene: Scene, sweep: Sweep, hkl: Ints, near_rad: Floats, newton_steps: int = _NEWTON_STEPS
) -> Floats:
    phi, step = near_rad.astype(np.float64), 1e-6
    for _ in range(newton_steps):
        slope = _excess(scene, sweep, hkl, phi + step) - _excess(scene, sweep, hkl, phi - step)
        phi = phi - 2.0 * step * _excess(scene, sweep, hkl, phi) / slope
    return phi


def _sweep(scene: Scene, index: int, rng: np.random.Generator) -> tuple[Ints, Ints, Floats]:
    """Miller indices, panels and exact centroids of one sweep."""
    sweep = scene.sweeps[index]
    basis = scene.crystals[sweep.crystal].real_space
    limit = np.ceil(np.linalg.norm(basis, axis=1) / scene.d_min_angstrom).astype(int)
    axes = [np.arange(-m, m + 1) for m in limit]
    hkl = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    length = np.linalg.norm(hkl @ np.linalg.inv(basis).T, axis=1)
    hkl = hkl[(length > 0.0) & (length < 1.0 / scene.d_min_angstrom)]
    hkl = hkl[rng.permutation(len(hkl))[: 30 * sweep.n_reflections]]
    hkl, phi = _crossings(scene, sweep, hkl)
    sine = _sharpness(scene, sweep, hkl, phi)
    hkl, phi = hkl[sine > 0.1], phi[sine > 0.1]
    s1 = _ray(scene, sweep, hkl, phi)
    picked = []
    for index_of_panel, size in enumerate(scene.layout.size_mm):
        found = _crossing(scene, index, np.full(len(hkl), index_of_panel), s1)
        on = (found >= 0.0).all(axis=1) & (found[:, :2] < size).all(axis=1)
        exact = np.column_stack([found[on, :2], phi[on]])
        picked.append((hkl[on], np.full(on.sum(), index_of_panel), exact))
    hkl, panel, exact = (np.concatenate([part[i] for part in picked]) for i in range(3))
    assert len(hkl) >= sweep.n_reflections, f"only {len(hkl)} reflections hit the detector"
    chosen = rng.permutation(len(hkl))[: sweep.n_reflections]
    return hkl[chosen], panel[chosen], exact[chosen]


def _crossings(scene: Scene, sweep: Sweep, hkl: Ints) -> tuple[Ints, Floats]:
    """Every passage of every index through the sphere during the scan, found by sign changes."""
    ends = np.linspace(sweep.scan.start_rad, sweep.scan.end_rad, _GRID)
    values = [_excess(scene, sweep, hkl, np.full(len(hkl), phi)) for phi in ends]
    found_hkl, found_phi = [], []
    for (a, b), (low, high) in zip(pairwise(values), pairwise(ends), strict=True):
        mine = (a < 0.0) != (b < 0.0)
        share = a[mine] / (a[mine] - b[mine])
        found_hkl.append(hkl[mine])
        found_phi.append(low + share * (high - low))
    near = np.concatenate(found_phi)
    hkl = np.concatenate(found_hkl)
    return hkl, _angle(scene, sweep, hkl, near)


def _sharpness(scene: Scene, sweep: Sweep, hkl: Ints, phi: Floats) -> Floats:
    """(n,) |(s1 x s0) . axis| of unit vectors: reflections near the spindle have a small one."""
    s0 = scene.beams[sweep.beam].s0
    s1 = _ray(scene, sweep, hkl, phi)
    goniometer = scene.goniometers[sweep.goniometer]
    across = np.cross(s1, s0) / (s0 @ s0)
    return np.asarray(np.abs(across @ (goniometer.setting @ goniometer.axis)))


def with_models(dataset: Dataset, models: ExperimentList) -> Dataset:
    """The same reflections with other models."""
    return replace(dataset, experiments=models, detector=models.detectors[0])
