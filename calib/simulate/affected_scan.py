"""Simulated rotation scans with physical effects.

Without effects the scan is that of ``simulated_scan``, for the same seed. Effects change what truly
happens; the file states the same models as without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
    Goniometer,
    Scan,
)
from calib.model.experiment.parallax import mm_from_px, px_from_mm
from calib.model.experiment.reflections import Reflections
from calib.simulate.aim import d_min, perturbed_crystal
from calib.simulate.effects.effect import Effect, InstrumentState, Measured, Sweep, combined
from calib.simulate.rays import (
    ROUNDS,
    SETTLED_RAD,
    crossings,
    index_chance,
    on_panels,
    pose_centre,
    seen_from_detector,
    strained,
)
from calib.simulate.rigid import RigidModel
from calib.simulate.scan import (
    ScanPlan,
    SimulatedScan,
    first_hits,
    given_detector,
    rarer_at_high_resolution,
    scattered,
)

MOSAIC_RAD = np.radians(0.15)
"""Width of the rocking curve, for the recorded fraction of reflections at the ends of a scan."""
WEAKEST = 0.05
"""Added to intensities (mean 1), since data reduction keeps no reflection without any."""
INDEXED = 1 << 2 | 1 << 5
"""Flags of a strong, indexed reflection."""


def affected_scan(
    rng: np.random.Generator,
    layout: Layout,
    truth: Correction,
    true_pose: RigidMotion,
    plan: ScanPlan,
    name: str,
    effects: Sequence[Effect] = (),
) -> SimulatedScan:
    """A rotation scan, or several with one crystal, on a detector with corrected panels.

    ``truth`` are the panels without the effects that displace them.

    Raises ``InputError`` if fewer reflections than requested reach the detector, or if the plan
    has a drift or slip of its own.
    """
    if plan.drift_rad or plan.slip_rad:
        raise InputError(
            "bad-plan", "drift and slip are effects here.", remedy="add CrystalDrift or Slip."
        )
    acting = combined(effects)
    beam = Beam(np.array([0.0, 0.0, 1.0]), plan.wavelength_angstrom)
    axis = np.array([1.0, 0.0, 0.0])
    orientation = rotation_from_vector(rng.normal(size=3))
    real_space = np.diag(plan.cell_angstrom) @ orientation.T
    sweeps = acting.sweeps((Sweep(np.eye(3), np.eye(3)),))
    candidates = rarer_at_high_resolution(rng, real_space, plan, d_min(layout, true_pose, beam))
    scene = _Scene(
        layout, acting, sweeps, true_pose, truth, real_space, orientation, beam.s0, axis, plan
    )
    parts = [scene.measured(candidates, number) for number in range(len(sweeps))]
    hkl, phi, panel, mm, radial = (np.concatenate([p[i] for p in parts]) for i in range(5))
    sweep = np.repeat(np.arange(len(sweeps)), [len(part[1]) for part in parts])

    given = given_detector(rng, layout, true_pose, plan)
    true_detector = Detector(
        layout.panels,
        scene.frames,
        true_pose,
        acting.sensors(given.sensors),
        plan.panel_identifier,
    )
    noise, scatter, outlier = scattered(rng, plan, len(hkl))
    given_crystal = perturbed_crystal(rng, orientation, plan)
    models = _models(rng, plan, beam, axis, sweeps, given, given_crystal)
    measured = Measured(
        layout=layout,
        state=scene.state(phi, sweep, hkl),
        panel=panel,
        hkl=hkl,
        px=px_from_mm(mm, panel, true_detector),
        radial=radial,
        intensity=WEAKEST + rng.exponential(size=len(hkl)),
        partiality=_recorded(phi, plan.range_rad),
        noise=scatter,
        sigma=np.tile(noise, (len(hkl), 1)),
        flags=np.full(len(hkl), INDEXED),
        kept=np.ones(len(hkl), dtype=np.bool_),
        rigid=RigidModel(
            real_space,
            np.stack([one.fixed for one in sweeps]),
            axis,
            beam.s0,
            layout.frames.moved(true_pose),
        ),
    )
    measured = acting.read(rng, measured)
    dataset = Dataset(
        name, Source((), ()), models, given, reflections_of(measured, given), plan.epoch
    )
    return SimulatedScan(
        dataset,
        true_pose,
        Crystal(real_space, plan.hall_symbol),
        outlier.astype(np.int64)[measured.kept],
    )


def reflections_of(measured: Measured, given: Detector) -> Reflections:
    """The kept reflections as a file has them, in mm of the detector ``given`` in it."""
    kept, panel = measured.kept, measured.panel
    px = measured.px + measured.noise[:, :2]
    pixel = np.array([shape.pixel_mm for shape in measured.layout.panels])[panel]
    scan = measured.rigid is not None
    phi = measured.state.phi_rad + measured.noise[:, 2] if scan else np.zeros(len(px))
    sigma = measured.sigma * np.column_stack([pixel, np.full(len(px), float(scan))])
    return Reflections(
        experiment=measured.state.sweep[kept],
        panel=panel[kept],
        miller_index=measured.hkl[kept],
        centroid_mm=np.column_stack([mm_from_px(px, panel, given), phi])[kept],
        variance_mm=sigma[kept] ** 2,
        flags=measured.flags[kept],
    )


class _Scene:
    """True models of a file, and the reflections that they give."""

    def __init__(
        self,
        layout: Layout,
        acting: Effect,
        sweeps: tuple[Sweep, ...],
        pose: RigidMotion,
        truth: Correction,
        real_space: Floats,
        orientation: Floats,
        s0: Floats,
        axis: Floats,
        plan: ScanPlan,
    ) -> None:
        self.layout, self.acting, self.sweeps = layout, acting, sweeps
        self.frames = acting.displaced(layout, truth).frames(layout).moved(pose)
        self.a_matrix: Floats = np.asarray(np.linalg.inv(real_space), dtype=np.float64)
        self.orientation = orientation
        self.s0, self.axis, self.plan = s0, axis, plan
        self.centre = pose_centre(layout, pose)

    def state(self, phi: Floats, sweep: Ints, hkl: Ints) -> InstrumentState:
        """The state at angles ``phi`` (n,) of scans ``sweep`` (n,)."""
        share = (sweep + phi / self.plan.range_rad) / len(self.sweeps)
        return self.acting.at(
            InstrumentState.of(phi, share, sweep, index_chance(hkl), self.s0, self.axis)
        )

    def measured(self, candidates: Ints, number: int) -> tuple[Ints, Floats, Ints, Floats, Floats]:
        """Miller indices, angles, panels, positions in mm and radial directions in one scan.

        Raises ``InputError`` if fewer than requested reach the detector.
        """
        wanted = self.plan.n_reflections // len(self.sweeps)

        def seen(part: Ints) -> tuple[Ints, tuple[Ints, Floats, Floats, Floats]]:
            hkl, phi, start, ray = self._diffracting(part, number)
            panel, mm, radial = on_panels(self.frames, self.layout, self.acting, start, ray)
            return panel, (hkl, phi, mm, radial)

        panel, (hkl, phi, mm, radial), hit = first_hits(candidates, wanted, self.plan, seen)
        return hkl[hit], phi[hit], panel[hit], mm[hit], radial[hit]

    def _diffracting(self, indices: Ints, number: int) -> tuple[Ints, Floats, Floats, Floats]:
        """Miller indices (n, 3), angles (n,) in rad, and start and direction (n, 3) of the rays as
        the detector sees them."""
        hkl = np.repeat(indices, 2, axis=0)
        side = np.tile([1.0, -1.0], len(indices))
        sweep = np.full(len(hkl), number)
        phi: Floats = np.zeros(len(hkl))
        for _ in range(ROUNDS):
            state = self.state(phi, sweep, hkl)
            datum = strained(state, self.a_matrix, self.orientation, hkl)
            found, lab = crossings(datum @ self.sweeps[number].true_fixed.T, side, state)
            found = found % (2.0 * np.pi)
            settled = np.abs(found - phi) < SETTLED_RAD
            phi = np.where(np.isfinite(found), found, 0.0)
        inside = np.isfinite(found) & settled & (phi < self.plan.range_rad)
        hkl, phi, sweep, lab = hkl[inside], phi[inside], sweep[inside], lab[inside]
        state = self.state(phi, sweep, hkl)
        return hkl, phi, *seen_from_detector(state, lab + state.s0, self.centre)


def _recorded(phi: Floats, range_rad: float) -> Floats:
    """The fraction of a rocking curve (a logistic one) that lies inside the scan."""
    rise = 1.0 / (1.0 + np.exp(-1.702 * phi / MOSAIC_RAD))
    fall = 1.0 / (1.0 + np.exp(-1.702 * (range_rad - phi) / MOSAIC_RAD))
    return np.asarray(rise + fall - 1.0)


def _models(
    rng: np.random.Generator,
    plan: ScanPlan,
    beam: Beam,
    axis: Floats,
    sweeps: tuple[Sweep, ...],
    given: Detector,
    crystal: Crystal,
) -> ExperimentList:
    """The models as the file states them: one crystal, beam and detector, and the scans."""
    n_images = round(plan.range_rad / plan.image_rad)
    scan = Scan((1, n_images), 0.0, plan.image_rad, plan.epoch)
    numbers = range(len(sweeps))
    return ExperimentList(
        experiments=tuple(
            Experiment(str(UUID(bytes=rng.bytes(16), version=4)), 0, 0, k, k, 0, k) for k in numbers
        ),
        beams=(beam,),
        detectors=(given,),
        goniometers=tuple(Goniometer(axis, one.fixed, np.eye(3)) for one in sweeps),
        scans=tuple(replace(scan) for _ in numbers),
        crystals=(crystal,),
    )
