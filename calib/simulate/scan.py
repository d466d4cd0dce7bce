"""Simulated rotation scans: indexed reflections with centroids, as data reduction gives them.

The forward model shares no code with the solver, so that each tests the other. Every Miller index
that crosses the Ewald sphere during the scan is traced to the panel that its ray hits with the
true geometry; the dataset contains the nominal geometry near the true pose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, rotation_from_vector
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
from calib.model.experiment.parallax import mm_from_px, px_from_mm
from calib.model.experiment.reflections import Reflections
from calib.simulate.aim import d_min, hits, perturbed_crystal, perturbed_pose

Seen = TypeVar("Seen")
_DRIFT_ROUNDS = 4
"""Fixed-point iterations for the angle, which depends on the drift at that angle; each reduces
the error about 1000 times."""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """Parameters of a simulated scan."""

    n_reflections: int = 20_000
    range_rad: float = 2.0 * np.pi
    image_rad: float = np.radians(0.1)
    wavelength_angstrom: float = 0.97625
    cell_angstrom: tuple[float, float, float] = (57.8, 57.8, 150.2)
    hall_symbol: str = " P 4nw 2abw"
    fall_off_angstrom2: float = 18.0
    """B in the density of observed reflections, exp(-B / (2 d^2))."""
    shadowed: tuple[tuple[int, int], ...] = ()
    """Shadowed panels, with the maximum number of reflections on each."""
    noise_px: float = 0.1
    noise_phi_images: float = 0.1
    """Standard deviation of the angle in units of one image."""
    outlier_share: float = 0.0
    outlier_px: float = 4.0
    """Standard deviation of outliers in the plane (in angle it is ten times the noise)."""
    drift_rad: float = 0.0
    """Amplitude of smooth changes of the orientation during the scan; .3 of it for the cell."""
    slip_rad: float = 0.0
    """Sudden rotation of the crystal in the middle of the scan, about an oblique axis."""
    start_shift_mm: float = 0.2
    start_turn_rad: float = 1e-3
    """Standard deviation of the starting pose from the true one."""
    start_crystal_rad: float = 5e-4
    start_cell_share: float = 5e-4
    """Standard deviation of the starting orientation and cell from the true ones."""
    epoch: float | None = None
    """Seconds of the first image: local time, stored as if it were UTC."""
    panel_identifier: str = ""
    sensor_mm: float = 0.0
    """Thickness of the silicon sensor; 0 for no parallax."""
    sensor_mu_per_mm: float = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedScan:
    """A simulated dataset and its true parameters."""

    dataset: Dataset
    true_pose: RigidMotion
    true_crystal: Crystal
    outlier: Ints
    """(n,) 1 for outliers."""


def simulated_scan(
    rng: np.random.Generator,
    layout: Layout,
    truth: Correction,
    true_pose: RigidMotion,
    plan: ScanPlan,
    name: str,
) -> SimulatedScan:
    """A rotation scan of one randomly oriented crystal on a detector with corrected panels.

    Raises ``InputError`` if fewer reflections than requested reach the detector.
    """
    beam = Beam(np.array([0.0, 0.0, 1.0]), plan.wavelength_angstrom)
    goniometer = Goniometer(np.array([1.0, 0.0, 0.0]), np.eye(3), np.eye(3))
    orientation = rotation_from_vector(rng.normal(size=3))
    real_space = np.diag(plan.cell_angstrom) @ orientation.T
    true_frames = truth.frames(layout).moved(true_pose)
    candidates = rarer_at_high_resolution(rng, real_space, plan, d_min(layout, true_pose, beam))
    hkl, phi, panel, mm = _measured(
        candidates, real_space, beam, goniometer, plan, true_frames, layout.size_mm
    )

    given = given_detector(rng, layout, true_pose, plan)
    true_detector = Detector(
        layout.panels, true_frames, true_pose, given.sensors, plan.panel_identifier
    )
    noise, scatter, outlier = scattered(rng, plan, len(hkl))
    px = px_from_mm(mm, panel, true_detector) + scatter[:, :2]
    pixel = np.array([shape.pixel_mm for shape in layout.panels])[panel]
    centroid = np.column_stack([mm_from_px(px, panel, given), phi + scatter[:, 2]])
    variance = np.column_stack([(plan.noise_px * pixel) ** 2, np.full(len(hkl), noise[2] ** 2)])
    given_crystal = perturbed_crystal(rng, orientation, plan)
    n_images = round(plan.range_rad / plan.image_rad)
    identifier = str(UUID(bytes=rng.bytes(16), version=4))
    models = ExperimentList(
        experiments=(Experiment(identifier, 0, 0, 0, 0, 0, 0),),
        beams=(beam,),
        detectors=(given,),
        goniometers=(goniometer,),
        scans=(Scan((1, n_images), 0.0, plan.image_rad, plan.epoch),),
        crystals=(given_crystal,),
    )
    reflections = Reflections(
        experiment=np.zeros(len(hkl), dtype=np.int64),
        panel=panel,
        miller_index=hkl,
        centroid_mm=centroid,
        variance_mm=variance,
        flags=np.full(len(hkl), 1 << 2 | 1 << 5),
    )
    dataset = Dataset(name, Source((), ()), models, given, reflections, plan.epoch)
    images = plan.image_rad * np.arange(n_images + 1.0)
    changing = _drift(images, plan) @ np.linalg.inv(real_space) if plan.drift_rad else None
    true_crystal = Crystal(real_space, plan.hall_symbol, changing)
    return SimulatedScan(dataset, true_pose, true_crystal, outlier.astype(np.int64))


def given_detector(
    rng: np.random.Generator, layout: Layout, true_pose: RigidMotion, plan: ScanPlan
) -> Detector:
    """The nominal detector near its true pose."""
    pose = perturbed_pose(rng, true_pose, plan.start_shift_mm, plan.start_turn_rad)
    sensors = sensors_of(len(layout), plan)
    return Detector(layout.panels, layout.frames.moved(pose), pose, sensors, plan.panel_identifier)


def scattered(rng: np.random.Generator, plan: ScanPlan, n: int) -> tuple[Floats, Floats, Bools]:
    """Standard deviations (3,) of centroids in px, px and rad, their errors (n, 3), and which of
    them (n,) are outliers."""
    noise = np.array([plan.noise_px, plan.noise_px, plan.noise_phi_images * plan.image_rad])
    outlier: Bools = rng.random(n) < plan.outlier_share
    scatter = rng.normal(size=(n, 3)) * noise
    wild = rng.normal(size=(n, 3)) * [plan.outlier_px, plan.outlier_px, 10.0 * noise[2]]
    scatter[outlier] += wild[outlier]
    return noise, scatter, outlier


def sensors_of(n: int, plan: ScanPlan) -> Sensors:
    """The sensitive layers of n panels, as the plan states them."""
    parallax = plan.sensor_mm > 0.0
    mu = plan.sensor_mu_per_mm if parallax else 0.0
    return Sensors(np.full(n, parallax), np.full(n, mu), np.full(n, plan.sensor_mm))


def rarer_at_high_resolution(
    rng: np.random.Generator, real_space: Floats, plan: ScanPlan, d_min: float
) -> Ints:
    """All Miller indices (n, 3) to ``d_min`` in random order, weighted towards low resolution."""
    limit = np.ceil(np.linalg.norm(real_space, axis=1) / d_min).astype(int)
    grid = np.meshgrid(*(np.arange(-m, m + 1) for m in limit), indexing="ij")
    hkl = np.stack([g.ravel() for g in grid], axis=1)
    inverse_d2 = ((hkl @ np.linalg.inv(real_space).T) ** 2).sum(axis=1)
    near = (inverse_d2 > 0.0) & (inverse_d2 <= d_min**-2.0)
    hkl, inverse_d2 = hkl[near], inverse_d2[near]
    # Sorting by Gumbel noise minus log weight is weighted sampling without replacement.
    key = 0.5 * plan.fall_off_angstrom2 * inverse_d2 - rng.gumbel(size=len(hkl))
    return np.asarray(hkl[np.argsort(key)])


def _measured(
    candidates: Ints,
    real_space: Floats,
    beam: Beam,
    goniometer: Goniometer,
    plan: ScanPlan,
    frames: PanelFrames,
    size_mm: Floats,
) -> tuple[Ints, Floats, Ints, Floats]:
    """The requested number of reflections: Miller indices, angles, panels, positions in mm.

    Raises ``InputError`` if fewer reach the detector.
    """

    def seen(part: Ints) -> tuple[Ints, tuple[Ints, Floats, Floats]]:
        hkl, phi, s1 = _diffracting(part, real_space, beam, goniometer, plan)
        panel, mm = hits(frames, size_mm, s1)
        return panel, (hkl, phi, mm)

    panel, (hkl, phi, mm), hit = first_hits(candidates, plan.n_reflections, plan, seen)
    return hkl[hit], phi[hit], panel[hit], mm[hit]


def first_hits(
    candidates: Ints, wanted: int, plan: ScanPlan, seen: Callable[[Ints], tuple[Ints, Seen]]
) -> tuple[Ints, Seen, Ints]:
    """What is ``seen`` of as many candidates as needed, and the places of the first ``wanted`` that
    are on a panel and not shadowed.

    ``seen`` returns the panels of some candidates (-1 for none), and anything else. Raises
    ``InputError`` if fewer than wanted reach the detector.
    """
    taken = wanted
    while True:
        panel, rest = seen(candidates[:taken])
        hit = np.flatnonzero(_lit(panel, plan))[:wanted]
        if len(hit) == wanted:
            return panel, rest, hit
        if taken >= len(candidates):
            raise InputError(
                "too-few-reflections",
                f"{len(hit)} reflections reach the detector, fewer than {wanted}.",
                remedy="a larger cell or a longer scan.",
            )
        taken *= 2


def _lit(panel: Ints, plan: ScanPlan) -> Bools:
    """(n,) which reflections are on a panel and not shadowed."""
    lit: Bools = np.asarray(panel >= 0)
    for index, most in plan.shadowed:
        lit[np.flatnonzero(panel == index)[most:]] = False
    return lit


def _diffracting(
    hkl: Ints, real_space: Floats, beam: Beam, goniometer: Goniometer, plan: ScanPlan
) -> tuple[Ints, Floats, Floats]:
    """Miller indices (n, 3), angles (n,) in rad and diffracted wave vectors (n, 3) of a scan."""
    r0 = hkl @ np.linalg.inv(real_space).T
    axis, s0 = goniometer.axis, beam.s0

    def crossings(r: Floats) -> tuple[Floats, Floats]:
        """Mean and half difference of the two angles at which r (n, 3) crosses the Ewald sphere."""
        flat = r - np.outer(r @ axis, axis)
        needed = -0.5 * (r**2).sum(axis=1) - (r @ axis) * (axis @ s0)
        a, b = flat @ s0, np.cross(axis, r) @ s0
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = needed / np.hypot(a, b)
        # Nearly tangential crossings have no sharp angle; data reduction excludes them, too.
        return np.arctan2(b, a), np.arccos(np.where(np.abs(ratio) < 0.999, ratio, np.nan))

    # Both crossings of an index are adjacent, so that truncating the list truncates indices.
    hkl, start = np.repeat(hkl, 2, axis=0), np.repeat(r0, 2, axis=0)
    side = np.tile([1.0, -1.0], len(r0))
    middle, half = crossings(start)
    phi, r0 = middle + side * half, start
    settled: Bools = np.ones(len(phi), dtype=np.bool_)
    if plan.drift_rad or plan.slip_rad:
        for _ in range(_DRIFT_ROUNDS):
            before = _slipped(phi, plan)
            r0 = np.einsum("nij,nj->ni", _drift(phi, plan), start)
            middle, half = crossings(r0)
            phi = middle + side * half
            settled = before == _slipped(phi, plan)
    phi = phi % (2.0 * np.pi)
    inside = np.isfinite(phi) & (phi < plan.range_rad) & settled
    phi, hkl, r0 = phi[inside], hkl[inside], r0[inside]
    along = np.outer(r0 @ axis, axis)
    turned = np.cos(phi)[:, None] * (r0 - along) + np.sin(phi)[:, None] * np.cross(axis, r0)
    return hkl, phi, along + turned + s0


def _slipped(phi: Floats, plan: ScanPlan) -> Bools:
    """(n,) which angles are in the second half of the scan."""
    return np.asarray(phi % (2.0 * np.pi) > 0.5 * plan.range_rad)


def _drift(phi: Floats, plan: ScanPlan) -> Floats:
    """(n, 3, 3) rotation and strain of the crystal at each angle: slow waves about each axis and
    in each length, of amplitude ``drift_rad``, and the slip."""
    turn = phi % (2.0 * np.pi)
    waves = [np.sin(turn), np.sin(2.0 * turn + 1.0), np.cos(1.5 * turn)]
    rotation = rotation_from_vector(plan.drift_rad * np.stack(waves, axis=1))
    swollen = np.eye(3) * (1.0 + 0.3 * plan.drift_rad * np.cos(turn))[:, None, None]
    slip = rotation_from_vector(plan.slip_rad * np.array([1.0, -2.0, 2.0]) / 3.0)
    turned = np.where(_slipped(phi, plan)[:, None, None], slip @ rotation, rotation)
    return np.asarray(turned @ swollen)
