"""The nuisance parameters of one dataset: its poses, its crystals and the tilt of the beam.

The parameters of panels are in ``calib.model.detector.correction``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import Crystal, Scan
from calib.solve.algebra.priors import complement
from calib.solve.dataset.symmetry import (
    allowed_strains,
    strain_matrix,
    symmetric_settings,
    turned_back_strains,
)

SHIFT_DEGREES = 3
"""Degrees, from 1 on, of the Legendre polynomials of time that describe how spots shift."""
CRYSTAL_COLUMNS = 9
"""Rotation (3) and strain (6, over ``symmetry.VOIGT``) of a crystal."""


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """Fixed models of one dataset of e experiments and c crystals; matrices are (3, 3, e)."""

    setting: Floats
    """(3, 3, e) S Q^T, from axes whose third is the rotation axis to the laboratory:
    r = S Q^T R(z, phi) Q F A h with Q e = z."""
    fixed: Floats
    """(3, 3, e) Q F, from the crystal at datum to these axes."""
    still: Bools
    """(e,) whether an experiment is a still, of which F, S and axis are not used."""
    crystal: Ints
    """(e,) index of the crystal of each experiment; 0, without meaning, where an experiment has no
    reflections."""
    pose: Ints
    """(e,) index of the pose of each experiment."""
    strains: tuple[Floats, ...]
    """Per crystal (6, k): the strains that its symmetry allows, in its initial orientation."""
    forbidden: tuple[Floats, ...]
    """Per crystal (6, 6 - k): the other strains if they are refined with a prior, else (6, 0)."""
    coefficients: tuple[int, ...]
    """Number of spline coefficients of each crystal; 1 if it is static."""
    order: int
    """How many of them each reflection depends on: 1 where all crystals are static, 2 where they
    change linearly, else 4."""
    range_rad: tuple[float, ...]
    """Range over which each crystal varies; 0 if it is static."""
    scan_rad: Floats
    """(2, e) the angles between which time goes from -1 to 1: start and end of each scan as in the
    file; 0 and 1 for stills."""
    shifting: Bools
    """(e,) in which experiments spots may shift with time."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A step of one dataset's nuisance parameters."""

    pose: Floats
    """(6,) step of the shared pose."""
    deviation: Floats
    """(p, 6) steps of the deviations of single experiments from it; zero if all share one pose."""
    crystal: tuple[Floats, ...]
    """Per crystal (k, 9): steps of its k spline coefficients."""
    beam_rad: float
    shift_mm: Floats | None = None
    """(e, d, 3) steps of the shift of spots in each experiment; None where it does not change."""


@dataclass(frozen=True, slots=True, eq=False)
class NuisanceParameters:
    """The nuisance parameters of one dataset: p poses, c crystals, the beam."""

    rotation: Floats
    """(p, 3, 3) lab_from_root."""
    translation_mm: Floats
    """(p, 3) the root's origin in the laboratory."""
    a_matrix: Floats
    """(c, 3, 3) 1/Angstrom, the setting matrices."""
    turned: Floats
    """(c, 3, 3) rotation of each crystal, and of its symmetry axes, since the start."""
    s0: Floats
    """(3, e) 1/Angstrom, the incident wave vectors."""
    deviation: Floats
    """(p, 6) deviation of each pose from the shared one, in mm and rad."""
    strained: Floats
    """(c, 6) the strain of each crystal since the start, over ``symmetry.VOIGT``, in its frame at
    the start."""
    beam_rad: float
    """How far the beam has tilted since the start."""
    about_beam_rad: float
    """How far the shared pose has rotated about z of the laboratory since the start."""
    shift_mm: Floats
    """(e, d, 3) apparent motion of the detector during each experiment in mm: coefficients of the
    Legendre polynomials of degree 1 to d of time, along the laboratory's axes."""
    drift: Floats
    """(9, k) spline coefficients of all crystals, one crystal after the other: rotation in rad and
    strain (over ``symmetry.VOIGT``) relative to ``a_matrix``; zero for static crystals."""

    def pose(self, index: int = 0) -> RigidMotion:
        """One pose as a rigid motion."""
        return RigidMotion(self.rotation[index], self.translation_mm[index])

    def moved(self, step: Step, *, centre_lab_mm: Floats, spindle: Floats) -> NuisanceParameters:
        """Parameters after a step; poses rotate about ``centre_lab_mm`` (3,), and the beam tilts
        about ``spindle`` x s0, with ``spindle`` (3, e)."""
        pose_step = step.pose + step.deviation
        turn = rotation_from_vector(pose_step[:, 3:])
        arm = self.translation_mm - centre_lab_mm
        translation = centre_lab_mm + np.einsum("pij,pj->pi", turn, arm) + pose_step[:, :3]
        drift, a_matrix, turned = self.drift.copy(), self.a_matrix.copy(), self.turned.copy()
        strained = self.strained.copy()
        count = np.array([len(own) for own in step.crystal], dtype=np.int64)
        first = np.cumsum(count) - count
        still = np.flatnonzero(count == 1)
        if len(still):
            own = np.concatenate([step.crystal[index] for index in still.tolist()])
            by = rotation_from_vector(own[:, :3])
            strain = strain_matrix(own[:, 3:])
            a_matrix[still] = by @ (np.eye(3) + strain) @ a_matrix[still]
            strained[still] += turned_back_strains(strain, turned[still])
            turned[still] = by @ turned[still]
        for index in np.flatnonzero(count > 1).tolist():
            drift[:, first[index] : first[index] + count[index]] += step.crystal[index].T
        s0 = self.s0
        if step.beam_rad:
            about = tilt_axes(s0, spindle)
            s0 = np.einsum("eij,je->ie", rotation_from_vector(step.beam_rad * about.T), s0)
        return NuisanceParameters(
            rotation=turn @ self.rotation,
            translation_mm=translation,
            a_matrix=a_matrix,
            turned=turned,
            s0=s0,
            deviation=self.deviation + step.deviation,
            strained=strained,
            beam_rad=self.beam_rad + step.beam_rad,
            about_beam_rad=self.about_beam_rad + float(step.pose[5]),
            shift_mm=self.shift_mm if step.shift_mm is None else self.shift_mm + step.shift_mm,
            drift=drift,
        )


@dataclass(frozen=True, slots=True)
class Slip:
    """Where a crystal slipped, and how far."""

    experiment: int
    phi_rad: float
    turn_rad: tuple[float, float, float]
    """Rotation vector from the orientation before the slip to that after it, in the crystal's
    frame."""


def tilt_axes(s0: Floats, spindle: Floats) -> Floats:
    """Unit axes (3, e) about which the beam tilts towards the spindle or away: spindle x s0."""
    about = np.cross(spindle, s0, axis=0)
    return np.asarray(about / np.linalg.norm(about, axis=0))


def _rotation_to_z(axis: Floats) -> Floats:
    """Rotation matrix (3, 3) that maps the unit vector ``axis`` to z."""
    across = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    across /= np.linalg.norm(across)
    return np.stack([across, np.cross(axis, across), axis])


def starting_point(
    dataset: Dataset,
    lab_from_root: RigidMotion,
    *,
    hall_symbol: str | None,
    pose_per_experiment: bool,
    free_strain: bool,
) -> tuple[Instrument, NuisanceParameters]:
    """Fixed models and initial nuisance parameters, from the models in the files.

    Raises ``InputError`` if a scan has no goniometer, or a cell does not have its symmetry.
    """
    models = dataset.experiments
    used = set(dataset.reflections.experiment.tolist())
    still = models.stills
    gonios, crystals = [], []
    for index, entry in enumerate(models.experiments):
        mine = index in used and entry.crystal is not None
        if mine and not still[index] and entry.goniometer is None:
            raise InputError(
                "no-goniometer",
                f"experiment {index} is a rotation scan without a goniometer.",
                place=dataset.name,
                remedy="import the images again with dials.import.",
            )
        turns = not still[index] and entry.goniometer is not None
        gonios.append(models.goniometers[entry.goniometer or 0] if turns else None)
        crystals.append(entry.crystal if mine else -1)
    chosen = sorted({c for c in crystals if c is not None and c >= 0})
    renumbered = {c: i for i, c in enumerate(chosen)}
    try:
        a_matrix, strains = _symmetric([models.crystals[c] for c in chosen], hall_symbol)
    except InputError as error:
        place = dataset.name
        raise InputError(error.code, error.problem, place=place, remedy=error.remedy) from error
    n = len(models.experiments)
    eye, entries = np.eye(3), list(enumerate(models.experiments))
    instrument = Instrument(
        setting=np.stack(
            [g.mean_setting @ _rotation_to_z(g.axis).T if g else eye for g in gonios], axis=-1
        ),
        fixed=np.stack([_rotation_to_z(g.axis) @ g.fixed if g else eye for g in gonios], axis=-1),
        still=still,
        crystal=np.array([renumbered.get(-1 if c is None else c, 0) for c in crystals]),
        pose=np.arange(n) if pose_per_experiment else np.zeros(n, dtype=np.int64),
        strains=strains,
        forbidden=tuple(complement(own) if free_strain else own[:, :0] for own in strains),
        coefficients=(1,) * len(strains),
        order=1,
        range_rad=(0.0,) * len(strains),
        scan_rad=np.array(
            [(0.0, 1.0) if still[k] else _angles(models.scans[e.scan or 0]) for k, e in entries]
        ).T,
        shifting=np.zeros(n, dtype=np.bool_),
    )
    n_poses = n if pose_per_experiment else 1
    nuisance = NuisanceParameters(
        rotation=np.repeat(lab_from_root.rotation[None], n_poses, axis=0),
        translation_mm=np.repeat(lab_from_root.translation_mm[None], n_poses, axis=0),
        a_matrix=a_matrix,
        turned=np.repeat(np.eye(3)[None], len(chosen), axis=0),
        s0=np.array([one.mean_s0 for one in models.beams]).T[:, [e.beam for _, e in entries]],
        deviation=np.zeros((n_poses, 6)),
        strained=np.zeros((len(chosen), 6)),
        beam_rad=0.0,
        about_beam_rad=0.0,
        shift_mm=np.zeros((n, SHIFT_DEGREES, 3)),
        drift=np.zeros((CRYSTAL_COLUMNS, len(strains))),
    )
    return instrument, nuisance


def legendre(instrument: Instrument, experiment: Ints, phi: Floats) -> Floats:
    """(d, n) the Legendre polynomials of degree 1 to d of the time of n reflections at angles
    ``phi`` (n,) of experiments (n,) or (1,)."""
    start, end = instrument.scan_rad[:, experiment]
    t = np.clip((2.0 * phi - start - end) / (end - start), -1.0, 1.0)
    return np.stack([t, 1.5 * t**2 - 0.5, 2.5 * t**3 - 1.5 * t])


def _angles(scan: Scan) -> tuple[float, float]:
    return scan.start_rad, scan.end_rad


def _symmetric(
    crystals: Sequence[Crystal], hall_symbol: str | None
) -> tuple[Floats, tuple[Floats, ...]]:
    """Setting matrices (c, 3, 3) with exact symmetry, and the allowed strains of each crystal."""
    given = np.array([crystal.mean_a_matrix for crystal in crystals]).reshape(-1, 3, 3)
    symbols = np.array([hall_symbol or crystal.hall_symbol for crystal in crystals])
    a_matrix = np.empty_like(given)
    strains: dict[int, Floats] = {}
    for symbol in dict.fromkeys(symbols.tolist()):
        mine = np.flatnonzero(symbols == symbol)
        a_matrix[mine] = symmetric_settings(given[mine], symbol)
        strains.update(zip(mine.tolist(), allowed_strains(a_matrix[mine], symbol), strict=True))
    return a_matrix, tuple(strains[index] for index in range(len(crystals)))
