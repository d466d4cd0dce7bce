"""Simulated stills: many crystals, one image of each, as data reduction gives them.

A reflection of a still is observed although it is off the Ewald sphere by a small angle delta-psi.
Its ray starts at the point of the sphere that a rotation about q x s0 moves it to, where the angle
of q with s0 is acos(-|q| / 2 |s0|). The model shares no code with the solver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset, Source
from calib.model.experiment.experiment import (
    Beam,
    Crystal,
    Detector,
    Experiment,
    ExperimentList,
    Sensors,
)
from calib.model.experiment.reflections import Reflections
from calib.simulate.aim import d_min, hits, perturbed_crystal, perturbed_pose

BEYOND = 3.0
"""Reflections farther than this many standard deviations from the sphere are not observed."""


@dataclass(frozen=True, slots=True)
class StillsPlan:
    """Parameters of simulated stills."""

    n_crystals: int = 300
    n_reflections: int = 100
    """Reflections of each crystal."""
    wavelength_angstrom: float = 1.3
    cell_angstrom: tuple[float, float, float] = (60.0, 60.0, 90.0)
    hall_symbol: str = " P 4nw 2abw"
    fall_off_angstrom2: float = 10.0
    """B in the density of observed reflections, exp(-B / (2 d^2))."""
    mosaic_rad: float = 2e-3
    """Standard deviation of delta-psi."""
    noise_px: float = 0.3
    outlier_share: float = 0.0
    outlier_px: float = 4.0
    start_shift_mm: float = 0.2
    start_turn_rad: float = 5e-4
    """Standard deviation of the starting pose from the true one."""
    start_crystal_rad: float = 1e-3
    start_cell_share: float = 1e-3
    """Standard deviation of the starting orientations and cells from the true ones."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedStills:
    """A simulated dataset and its true parameters."""

    dataset: Dataset
    true_pose: RigidMotion
    true_crystals: tuple[Crystal, ...]
    delta_psi_rad: Floats
    """(n,) angle of each reflection from the sphere."""


def simulated_stills(
    rng: np.random.Generator,
    layout: Layout,
    truth: Correction,
    true_pose: RigidMotion,
    plan: StillsPlan,
    name: str,
) -> SimulatedStills:
    """One still of each of many randomly oriented crystals, all in one pose.

    Raises ``InputError`` if a crystal shows fewer reflections than requested.
    """
    beam = Beam(np.array([0.0, 0.0, 1.0]), plan.wavelength_angstrom)
    frames = truth.frames(layout).moved(true_pose)
    cell = np.diag(plan.cell_angstrom)
    candidates = indices_within(cell, d_min(layout, true_pose, beam))
    true_crystals, given, found = [], [], []
    for index in range(plan.n_crystals):
        orientation = rotation_from_vector(rng.normal(scale=2.0, size=3))
        crystal = Crystal(cell @ orientation.T, plan.hall_symbol)
        hkl, psi, s1 = _near_the_sphere(rng, *candidates, crystal, beam, plan)
        panel, mm = hits(frames, layout.size_mm, s1)
        hit = shown(panel, index, plan)
        found.append((hkl[hit], psi[hit], panel[hit], mm[hit]))
        true_crystals.append(crystal)
        given.append(perturbed_crystal(rng, orientation, plan))
    hkl, psi, panel, mm = (np.concatenate(part) for part in zip(*found, strict=True))
    models = still_models(rng, layout, true_pose, plan, beam, given)
    pixel = np.array([shape.pixel_mm for shape in layout.panels])[panel]
    scatter = scattered_px(rng, plan, len(mm))
    observed = mm + scatter * pixel
    reflections = Reflections(
        experiment=np.repeat(np.arange(plan.n_crystals), plan.n_reflections),
        panel=panel,
        miller_index=hkl,
        centroid_mm=np.column_stack([observed, np.zeros(len(mm))]),
        variance_mm=np.column_stack([(plan.noise_px * pixel) ** 2, np.zeros(len(mm))]),
        flags=np.full(len(mm), 1 << 2 | 1 << 5),
    )
    dataset = Dataset(name, Source((), ()), models, models.detectors[0], reflections, None)
    return SimulatedStills(dataset, true_pose, tuple(true_crystals), psi)


def still_models(
    rng: np.random.Generator,
    layout: Layout,
    true_pose: RigidMotion,
    plan: StillsPlan,
    beam: Beam,
    crystals: Sequence[Crystal],
) -> ExperimentList:
    """The models as the file states them: one beam and detector, and a crystal of each still."""
    return ExperimentList(
        experiments=tuple(
            Experiment(str(UUID(bytes=rng.bytes(16), version=4)), 0, 0, None, None, index, None)
            for index in range(plan.n_crystals)
        ),
        beams=(beam,),
        detectors=(_given_detector(rng, layout, true_pose, plan),),
        goniometers=(),
        scans=(),
        crystals=tuple(crystals),
    )


def shown(panel: Ints, index: int, plan: StillsPlan) -> Ints:
    """The places of the first reflections of crystal ``index`` that are on a panel.

    Raises ``InputError`` if these are fewer than requested.
    """
    hit = np.flatnonzero(panel >= 0)[: plan.n_reflections]
    if len(hit) < plan.n_reflections:
        raise InputError(
            "too-few-reflections",
            f"crystal {index} shows {len(hit)} reflections, fewer than {plan.n_reflections}.",
            remedy="a larger cell or a larger mosaic spread.",
        )
    return hit


def scattered_px(rng: np.random.Generator, plan: StillsPlan, n: int) -> Floats:
    """Errors (n, 2) of centroids in px, some of them outliers."""
    scatter: Floats = plan.noise_px * rng.normal(size=(n, 2))
    outlier = rng.random(n) < plan.outlier_share
    scatter[outlier] += plan.outlier_px * rng.normal(size=(int(outlier.sum()), 2))
    return scatter


def _given_detector(
    rng: np.random.Generator, layout: Layout, true_pose: RigidMotion, plan: StillsPlan
) -> Detector:
    """The nominal detector near its true pose."""
    n = len(layout)
    pose = perturbed_pose(rng, true_pose, plan.start_shift_mm, plan.start_turn_rad)
    sensors = Sensors(np.zeros(n, dtype=np.bool_), np.zeros(n), np.zeros(n))
    return Detector(layout.panels, layout.frames.moved(pose), pose, sensors, "")


def indices_within(cell: Floats, limit_angstrom: float) -> tuple[Ints, Floats]:
    """(n, 3) all Miller indices to a resolution, and (n,) the lengths of their vectors."""
    most = np.ceil(np.diag(cell) / limit_angstrom).astype(int)
    grid = np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij")
    hkl = np.stack([g.ravel() for g in grid], axis=1)
    length = np.linalg.norm(hkl @ np.linalg.inv(cell).T, axis=1)
    inside = (length > 0.0) & (length <= 1.0 / limit_angstrom)
    return hkl[inside], length[inside]


def _near_the_sphere(
    rng: np.random.Generator,
    hkl: Ints,
    length: Floats,
    crystal: Crystal,
    beam: Beam,
    plan: StillsPlan,
) -> tuple[Ints, Floats, Floats]:
    """Miller indices (m, 3), delta-psi (m,) in rad and diffracted wave vectors (m, 3) of the
    observed reflections, in random order."""
    a_matrix, s0 = crystal.a_matrix, beam.s0
    wave = float(np.linalg.norm(s0))
    along = hkl @ (a_matrix.T @ s0)
    off = np.abs(along + 0.5 * length**2)
    near = np.flatnonzero(off < 2.0 * BEYOND * plan.mosaic_rad * length * wave)
    hkl, length = hkl[near], length[near]
    q = hkl @ a_matrix.T
    psi = np.arccos(q @ s0 / (length * wave)) - np.arccos(-0.5 * length / wave)
    seen = np.exp(-0.5 * (psi / plan.mosaic_rad) ** 2 - 0.25 * plan.fall_off_angstrom2 * length**2)
    chosen = rng.permutation(
        np.flatnonzero((rng.random(len(q)) < seen) & (np.abs(psi) < BEYOND * plan.mosaic_rad))
    )
    axis = np.cross(q[chosen], s0)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    turn = rotation_from_vector(axis * psi[chosen, None])
    return hkl[chosen], psi[chosen], np.einsum("nij,nj->ni", turn, q[chosen]) + s0
