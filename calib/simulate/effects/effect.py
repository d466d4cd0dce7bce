"""The stages of a simulation that an effect can change.

An effect is a frozen value with a size in physical units. It overrides the stages that it concerns
and leaves the others as they are, so that effects can be combined in any order:

    sweeps      the scans of a file, and what the goniometer truly does
    displaced   where the panels truly are in this dataset
    inside      which pixel of a panel sees a point of it
    sensors     the sensitive layer as it truly is
    at          instrument and crystal at the moment at which each reflection diffracts
    read        centroids, variances, Miller indices and flags as data reduction writes them

A file states none of it: beam, spindle, crystal and panels are written as without effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.layout import Layout
from calib.model.experiment.experiment import Sensors
from calib.simulate.rigid import RigidModel

VERTICAL = np.array([0.0, 1.0, 0.0])
"""Upwards in the laboratory, where gravity pulls down."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """One rotation scan of the crystal of a file."""

    fixed: Floats
    """(3, 3) rotation before the scan axis as the file states it."""
    true_fixed: Floats
    """(3, 3) the same as it truly is."""


@dataclass(frozen=True, slots=True, eq=False)
class InstrumentState:
    """Instrument and crystal at the moments at which n reflections diffract.

    The reciprocal lattice vector of Miller index h in the laboratory is

        r = after @ R(axis, phi) @ fixed @ crystal @ U @ strain^-T @ B @ h

    with the orientation U and the unstrained orthogonal basis B of the crystal.
    """

    phi_rad: Floats
    """(n,) rotation since the start of the scan, as the goniometer reads it."""
    share: Floats
    """(n,) elapsed fraction of the exposure of the whole dataset, 0 to 1."""
    sweep: Ints
    """(n,) number of the scan, or of the still."""
    chance: Floats
    """(n,) a number in [0, 1) that depends on nothing but the Miller index."""
    s0: Floats
    """(n, 3) incident wave vector, 1/Angstrom."""
    axis: Floats
    """(n, 3) unit vector of the spindle."""
    after: Floats
    """(n, 3, 3) rotation after that about the spindle."""
    crystal: Floats
    """(n, 3, 3) rotation of the crystal from its orientation at the start, in the laboratory."""
    strain: Floats
    """(n, 3, 3) deformation of direct space, in the crystal's Cartesian axes (a along x)."""
    sample_mm: Floats
    """(n, 3) the diffracting point in the laboratory."""
    detector_turn_rad: Floats
    """(n, 3) rotation vector of the detector about its centre."""
    detector_shift_mm: Floats
    """(n, 3) shift of the detector in the laboratory."""

    @classmethod
    def of(
        cls, phi_rad: Floats, share: Floats, sweep: Ints, chance: Floats, s0: Floats, axis: Floats
    ) -> InstrumentState:
        """The state without effects, for one wave vector (3,) and one spindle (3,)."""
        n = len(phi_rad)
        same = np.broadcast_to(np.eye(3), (n, 3, 3))
        none = np.zeros((n, 3))
        return cls(
            phi_rad, share, sweep, chance, np.tile(s0, (n, 1)), np.tile(axis, (n, 1)),
            same, same, same, none, none, none,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """n reflections between the detector and the file."""

    layout: Layout
    state: InstrumentState
    panel: Ints
    """(n,)"""
    hkl: Ints
    """(n, 3) Miller indices as the file gives them."""
    px: Floats
    """(n, 2) positions in px without noise."""
    radial: Floats
    """(n, 2) unit vectors away from the direct beam, in the panel's axes."""
    intensity: Floats
    """(n,) integrated intensity relative to the mean of its resolution."""
    partiality: Floats
    """(n,) recorded fraction of the reflection."""
    noise: Floats
    """(n, 3) errors in px, px and rad."""
    sigma: Floats
    """(n, 3) claimed standard deviations in px, px and rad."""
    flags: Ints
    """(n,) DIALS status bits."""
    kept: Bools
    """(n,) the reflections that are written."""
    rigid: RigidModel | None
    """Predictions of a rigid detector; None for stills."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A physical effect; this one changes nothing."""

    def sweeps(self, sweeps: tuple[Sweep, ...]) -> tuple[Sweep, ...]:
        """The scans of a file."""
        return sweeps

    def displaced(self, layout: Layout, truth: Correction) -> Correction:
        """Where the panels truly are."""
        return truth

    def inside(self, layout: Layout, panel: Ints, mm: Floats) -> Floats:
        """(n, 3) mm: by how much the points ``mm`` (n, 2) of panels lie beside (fast, slow) and
        above (normal) the place at which a flat panel has the pixel that sees them."""
        return np.zeros((len(mm), 3))

    def sensors(self, stated: Sensors) -> Sensors:
        """The sensitive layer as it truly is."""
        return stated

    def at(self, state: InstrumentState) -> InstrumentState:
        """Instrument and crystal at given moments."""
        return state

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """What data reduction makes of the reflections."""
        return measured


@dataclass(frozen=True, slots=True)
class Combined(Effect):
    """Several effects, one after the other."""

    effects: tuple[Effect, ...] = field(default=())

    def sweeps(self, sweeps: tuple[Sweep, ...]) -> tuple[Sweep, ...]:
        """The scans after all effects."""
        for effect in self.effects:
            sweeps = effect.sweeps(sweeps)
        return sweeps

    def displaced(self, layout: Layout, truth: Correction) -> Correction:
        """Where the panels truly are."""
        for effect in self.effects:
            truth = effect.displaced(layout, truth)
        return truth

    def inside(self, layout: Layout, panel: Ints, mm: Floats) -> Floats:
        """The sum (n, 3) of all displacements, in mm."""
        total = np.zeros((len(mm), 3))
        for effect in self.effects:
            total += effect.inside(layout, panel, mm)
        return total

    def sensors(self, stated: Sensors) -> Sensors:
        """The sensitive layer as it truly is."""
        for effect in self.effects:
            stated = effect.sensors(stated)
        return stated

    def at(self, state: InstrumentState) -> InstrumentState:
        """The state after all effects."""
        for effect in self.effects:
            state = effect.at(state)
        return state

    def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
        """What data reduction makes of the reflections."""
        for effect in self.effects:
            measured = effect.read(rng, measured)
        return measured


def combined(effects: Sequence[Effect]) -> Combined:
    """All effects as one."""
    return Combined(tuple(effects))


def shifted(measured: Measured, shift_px: Floats) -> Measured:
    """The same reflections, with positions that are off by ``shift_px`` (n, 2)."""
    return replace(measured, px=measured.px + shift_px)
