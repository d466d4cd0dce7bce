"""Simulated stills with physical effects.

Without effects the stills are those of ``simulated_stills``, for the same seed. Time runs from the
first still to the last one; effects of a spindle do nothing, since it does not move.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset, Source
from calib.model.experiment.experiment import Beam, Crystal
from calib.simulate.affected_scan import INDEXED, WEAKEST, reflections_of
from calib.simulate.aim import d_min, perturbed_crystal
from calib.simulate.effects.effect import Effect, InstrumentState, Measured, combined
from calib.simulate.rays import (
    index_chance,
    on_panels,
    pose_centre,
    seen_from_detector,
    strained,
)
from calib.simulate.still import (
    BEYOND,
    SimulatedStills,
    StillsPlan,
    indices_within,
    scattered_px,
    shown,
    still_models,
)

_AXIS = np.array([1.0, 0.0, 0.0])


def affected_stills(
    rng: np.random.Generator,
    layout: Layout,
    truth: Correction,
    true_pose: RigidMotion,
    plan: StillsPlan,
    name: str,
    effects: Sequence[Effect] = (),
) -> SimulatedStills:
    """One still of each of many crystals on a detector with corrected panels.

    Raises ``InputError`` if a crystal shows fewer reflections than requested.
    """
    acting = combined(effects)
    beam = Beam(np.array([0.0, 0.0, 1.0]), plan.wavelength_angstrom)
    frames = acting.displaced(layout, truth).frames(layout).moved(true_pose)
    centre = pose_centre(layout, true_pose)
    cell = np.diag(plan.cell_angstrom)
    candidates = indices_within(cell, d_min(layout, true_pose, beam))
    true_crystals, given, found = [], [], []
    for index in range(plan.n_crystals):
        orientation = rotation_from_vector(rng.normal(scale=2.0, size=3))
        hkl, state, psi, s1 = _near_the_sphere(
            rng, candidates, cell, orientation, index, beam, acting, plan
        )
        start, ray = seen_from_detector(state, s1, centre)
        panel, mm, radial = on_panels(frames, layout, acting, start, ray)
        hit = shown(panel, index, plan)
        found.append((hkl[hit], psi[hit], panel[hit], mm[hit], radial[hit]))
        true_crystals.append(Crystal(cell @ orientation.T, plan.hall_symbol))
        given.append(perturbed_crystal(rng, orientation, plan))
    hkl, psi, panel, mm, radial = (np.concatenate(part) for part in zip(*found, strict=True))
    models = still_models(rng, layout, true_pose, plan, beam, given)
    (detector,) = models.detectors
    scatter = scattered_px(rng, plan, len(mm))
    pixel = np.array([shape.pixel_mm for shape in layout.panels])[panel]
    still = np.repeat(np.arange(plan.n_crystals), plan.n_reflections)
    measured = Measured(
        layout=layout,
        state=_state(hkl, still, beam, plan),
        panel=panel,
        hkl=hkl,
        px=mm / pixel,
        radial=radial,
        intensity=WEAKEST + rng.exponential(size=len(mm)),
        partiality=np.exp(-0.5 * (psi / plan.mosaic_rad) ** 2),
        noise=np.pad(scatter, ((0, 0), (0, 1))),
        sigma=np.column_stack([np.full(mm.shape, plan.noise_px), np.zeros(len(mm))]),
        flags=np.full(len(mm), INDEXED),
        kept=np.ones(len(mm), dtype=np.bool_),
        rigid=None,
    )
    measured = acting.read(rng, measured)
    dataset = Dataset(
        name, Source((), ()), models, detector, reflections_of(measured, detector), None
    )
    return SimulatedStills(dataset, true_pose, tuple(true_crystals), psi[measured.kept])


def _state(hkl: Ints, still: Ints, beam: Beam, plan: StillsPlan) -> InstrumentState:
    """The state without effects; time runs from the first still to the last one."""
    share = still / max(plan.n_crystals - 1, 1)
    return InstrumentState.of(np.zeros(len(hkl)), share, still, index_chance(hkl), beam.s0, _AXIS)


def _near_the_sphere(
    rng: np.random.Generator,
    candidates: tuple[Ints, Floats],
    cell: Floats,
    orientation: Floats,
    index: int,
    beam: Beam,
    acting: Effect,
    plan: StillsPlan,
) -> tuple[Ints, InstrumentState, Floats, Floats]:
    """Miller indices (m, 3), their state, delta-psi (m,) in rad and diffracted wave vectors (m, 3)
    of the observed reflections of one still, in random order."""
    hkl, length = candidates
    a_matrix = orientation @ np.linalg.inv(cell)
    wave = 1.0 / beam.wavelength_angstrom
    off = np.abs(hkl @ (a_matrix.T @ beam.s0) + 0.5 * length**2)
    near = np.flatnonzero(off < 2.0 * BEYOND * plan.mosaic_rad * length * wave)
    hkl = hkl[near]
    state = acting.at(_state(hkl, np.full(len(hkl), index), beam, plan))
    q = strained(state, a_matrix, orientation, hkl)
    length = np.linalg.norm(q, axis=1)
    psi = np.arccos((q * state.s0).sum(axis=1) / (length * wave)) - np.arccos(-0.5 * length / wave)
    seen = np.exp(-0.5 * (psi / plan.mosaic_rad) ** 2 - 0.25 * plan.fall_off_angstrom2 * length**2)
    chosen = rng.permutation(
        np.flatnonzero((rng.random(len(q)) < seen) & (np.abs(psi) < BEYOND * plan.mosaic_rad))
    )
    hkl, q, psi = hkl[chosen], q[chosen], psi[chosen]
    state = acting.at(_state(hkl, np.full(len(hkl), index), beam, plan))
    axis = np.cross(q, state.s0)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    turn = rotation_from_vector(axis * psi[:, None])
    return hkl, state, psi, np.einsum("nij,nj->ni", turn, q) + state.s0
