"""The simulated datasets, true panels and unseen target of a case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.truth.cases import KAPPA, STILLS, Case
from benchmarks.truth.catalogue import KAPPA_RAD, SENSOR_MM, entry_of
from calib.errors import InputError
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.pose import facing_pose
from calib.simulate.affected_scan import affected_scan
from calib.simulate.affected_stills import affected_stills
from calib.simulate.effects.effect import Effect
from calib.simulate.effects.kappa import Kappa
from calib.simulate.gauge_free import true_correction
from calib.simulate.scan import ScanPlan
from calib.simulate.still import StillsPlan
from calib.simulate.target import Target, simulated_target
from calib.simulate.truth import Tolerance, random_correction

SERIAL = "60-0999"
_TOLERANCES = {7: Tolerance(0.007, 0.005, 1e-4), 70: Tolerance(0.07, 0.05, 1e-3)}
_STILLS_CELL = (78.0, 78.0, 120.0)
"""Large enough for every still to show what is asked for, also on three panels."""
_FEWEST = 1_000
"""Reflections of a scan below which a case is not simulated."""
_FALL_OFF = {"far": 18.0, "near": 3.0, "target": 8.0}


@dataclass(frozen=True)
class Size:
    """A detector of the campaign, and how much is measured with it."""

    layout: str
    far_mm: float
    near_mm: float
    target_mm: float
    n_far: int
    """Reflections of a scan of 80 degrees or more."""
    n_near: int
    n_target: int
    stills: tuple[int, int]
    """Crystals, and reflections of each."""


SIZES = {
    3: Size("PILATUS 300K", 150.0, 80.0, 110.0, 5_000, 4_000, 800, (80, 50)),
    24: Size("PILATUS 2M", 250.0, 120.0, 180.0, 30_000, 20_000, 2_000, (200, 80)),
    60: Size("PILATUS 6M", 400.0, 150.0, 265.0, 60_000, 40_000, 4_000, (200, 150)),
}


@dataclass(frozen=True, eq=False)
class Scene:
    """What a case is derived from and compared with."""

    layout: Layout
    datasets: tuple[Dataset, ...]
    truth: Correction
    """The best rigid fits of the true panels; after the move where one moves."""
    pose: RigidMotion
    target: Target


def scene_of(case: Case) -> Scene:
    """Simulate a case; the same for the same case."""
    rng = np.random.default_rng(case.seed)
    entry, size = entry_of(case.effect), SIZES[case.n_panels]
    layout = known_layout(size.layout)
    panels = random_correction(rng, layout, _TOLERANCES[case.panels_um])
    effects = entry.make(case.size, case.n_panels)
    own: tuple[Effect, ...] = effects if entry.detector else ()
    target = simulated_target(
        np.random.default_rng([case.seed, 1]),
        layout,
        panels,
        facing_pose(layout, size.target_mm, beam_centre_mm=(12.0, -7.0)),
        _plan(case, size.n_target, "target"),
        own,
    )
    distances = ("far", "near") if case.distances == "both" else (case.distances,)
    datasets = []
    for distance in distances:
        for epoch in range(2 if entry.later else 1):
            acting = () if entry.later and epoch == 0 else effects
            name = f"{distance}{epoch}" if entry.later else distance
            datasets.append(_dataset(rng, case, layout, panels, distance, name, acting))
    pose = facing_pose(layout, size.far_mm if "far" in distances else size.near_mm)
    return Scene(layout, tuple(datasets), true_correction(layout, panels, own), pose, target)


def _dataset(
    rng: np.random.Generator,
    case: Case,
    layout: Layout,
    panels: Correction,
    distance: str,
    name: str,
    effects: tuple[Effect, ...],
) -> Dataset:
    size, parts = SIZES[case.n_panels], 2 if entry_of(case.effect).later else 1
    distance_mm = size.far_mm if distance == "far" else size.near_mm
    tilt = rng.normal(scale=2e-3, size=3)
    pose = facing_pose(
        layout, distance_mm, beam_centre_mm=(1.5, -2.0), tilt_rad=(tilt[0], tilt[1], tilt[2])
    )
    if case.kind == STILLS:
        n_crystals, n_reflections = size.stills
        plan = StillsPlan(
            n_crystals // parts, n_reflections, cell_angstrom=_STILLS_CELL, noise_px=0.2
        )
        return affected_stills(rng, layout, panels, pose, plan, name, effects).dataset
    if case.kind == KAPPA and case.effect != "kappa":
        effects = (Kappa(KAPPA_RAD), *effects)
    n = (size.n_far if distance == "far" else size.n_near) // parts
    n = round(n * min(case.range_deg / 80.0, 1.0))
    while True:
        try:
            scan = _plan(case, n, distance)
            return affected_scan(rng, layout, panels, pose, scan, name, effects).dataset
        except InputError:  # a short scan, or a cell that shrinks, shows fewer
            if n < _FEWEST:
                raise
            n //= 2


def _plan(case: Case, n_reflections: int, distance: str) -> ScanPlan:
    target = distance == "target"
    return ScanPlan(
        n_reflections=n_reflections,
        range_rad=2.0 * np.pi if target else float(np.radians(case.range_deg)),
        fall_off_angstrom2=_FALL_OFF[distance],
        outlier_share=0.0 if target else 0.01,
        panel_identifier=f"PILATUS3 {case.n_panels}, S/N {SERIAL}",
        sensor_mm=SENSOR_MM if case.effect == "sensor" else 0.0,
    )
