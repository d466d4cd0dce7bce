"""Simulated scans with effects, and where an independent calculation puts their reflections.

Rotations are SciPy's and crossings solve three linear equations, as in ``support.forward``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.simulate.affected_scan import affected_scan
from calib.simulate.affected_stills import affected_stills
from calib.simulate.effects.effect import Effect
from calib.simulate.scan import ScanPlan, SimulatedScan
from calib.simulate.still import SimulatedStills, StillsPlan
from calib.simulate.truth import random_correction

PIXEL_MM = 0.172
SAME_MM = 1e-8
SAME_RAD = 1e-10
RANGE_RAD = np.radians(80.0)
LAYOUT = known_layout("PILATUS 300K")
POSE = facing_pose(LAYOUT, 120.0, beam_centre_mm=(2.0, -3.0), tilt_rad=(0.01, -0.02, 0.015))
TRUTH = random_correction(np.random.default_rng(4), LAYOUT)
EXACT: dict[str, Any] = {
    "noise_px": 1e-12,
    "noise_phi_images": 1e-12,
    "start_shift_mm": 0.0,
    "start_turn_rad": 0.0,
    "start_crystal_rad": 0.0,
    "start_cell_share": 0.0,
}


@cache
def scan(*effects: Effect, seed: int = 1, n: int = 600, **changes: Any) -> SimulatedScan:
    """A scan of 80 degrees with noise."""
    plan = replace(ScanPlan(n_reflections=n, range_rad=RANGE_RAD), **changes)
    return affected_scan(np.random.default_rng(seed), LAYOUT, TRUTH, POSE, plan, "scan", effects)


def plain() -> SimulatedScan:
    """The scan without noise and effects."""
    return exact()


def exact(*effects: Effect, **changes: Any) -> SimulatedScan:
    """A scan without noise, and with true starts."""
    return scan(*effects, **{**EXACT, **changes})


def exact_stills(*effects: Effect, n_crystals: int = 6) -> SimulatedStills:
    """Stills without noise."""
    plan = StillsPlan(n_crystals, 40, noise_px=1e-12, start_shift_mm=0.0, start_turn_rad=0.0)
    rng = np.random.default_rng(2)
    return affected_stills(rng, LAYOUT, TRUTH, POSE, plan, "stills", effects)


def share_of(found: SimulatedScan) -> Floats:
    """(n,) the elapsed fraction of the scan at each reflection."""
    return np.asarray(found.dataset.reflections.centroid_mm[:, 2] / RANGE_RAD)


def turned(vectors: Floats | Sequence[float]) -> Floats:
    """Rotation matrices (n, 3, 3) of rotation vectors (n, 3)."""
    return np.asarray(Rotation.from_rotvec(np.atleast_2d(vectors)).as_matrix())


def misses(found: SimulatedScan, **true: Any) -> tuple[float, float]:
    """How far reflections are from where true models put them: mm on the panel, and rad from the
    Ewald sphere.

    ``true`` gives any of ``s0``, ``axis`` (n, 3), ``after``, ``crystal`` (n, 3, 3), ``strain``
    (n, 3, 3) in crystal axes, ``sample_mm``, ``detector_mm`` (n, 3), ``detector_turn`` (n, 3, 3).
    """
    table = found.dataset.reflections
    n, phi = len(table), table.centroid_mm[:, 2]
    same, none = np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))
    s0 = np.broadcast_to(true.get("s0", [0.0, 0.0, -1.0 / 0.97625]), (n, 3))
    axis = np.broadcast_to(true.get("axis", [1.0, 0.0, 0.0]), (n, 3))
    basis = found.true_crystal.real_space
    cell = np.linalg.norm(basis, axis=1)
    orientation = (basis / cell[:, None]).T
    direct = np.einsum("nij,jk->nik", true.get("strain", same), np.diag(cell))
    lab = np.linalg.inv(np.einsum("ij,njk->nik", orientation, direct))
    datum = np.einsum("nji,nj->ni", lab, table.miller_index.astype(float))
    datum = np.einsum("nij,nj->ni", true.get("crystal", same), datum)
    r = np.einsum("nij,nj->ni", turned(axis * phi[:, None]), datum)
    r = np.einsum("nij,nj->ni", true.get("after", same), r)
    s1 = r + s0
    speed = np.abs((np.cross(axis, r) * s0).sum(axis=1))
    closure = np.abs((s1**2).sum(axis=1) - (s0**2).sum(axis=1)) / (2.0 * speed)
    frames = TRUTH.frames(LAYOUT).moved(POSE)
    centre = POSE.points(LAYOUT.centre_root_mm.mean(axis=0))
    turn = np.broadcast_to(true.get("detector_turn", np.eye(3)), (n, 3, 3))
    rotation = turn @ frames.rotation[table.panel]
    origin = np.einsum("nij,nj->ni", turn, frames.origin_mm[table.panel] - centre)
    origin = origin + centre + true.get("detector_mm", none)
    square = np.concatenate([rotation[:, :, :2], -s1[:, :, None]], axis=2)
    start = true.get("sample_mm", none) - origin
    crossing = np.linalg.solve(square, start[:, :, None])[:, :, 0]
    return float(np.abs(crossing[:, :2] - table.centroid_mm[:, :2]).max()), float(closure.max())


def fits(found: SimulatedScan, **true: Any) -> bool:
    """Whether all reflections are where true models put them."""
    mm, rad = misses(found, **true)
    return mm < SAME_MM and rad < SAME_RAD


def matched(
    one: SimulatedScan | SimulatedStills,
    other: SimulatedScan | SimulatedStills,
    least: float = 0.5,
) -> tuple[Ints, Ints]:
    """Indices of reflections of two datasets with the same experiment, Miller index, panel and
    passage through the sphere, which must be more than the fraction ``least`` of the first."""
    keys = []
    for found in (one, other):
        t = found.dataset.reflections
        sign = np.round(t.centroid_mm[:, 2] / 0.2)
        rows = np.column_stack([t.experiment, t.miller_index, t.panel, sign]).astype(int)
        keys.append({tuple(row): place for place, row in enumerate(rows.tolist())})
    both = sorted(set(keys[0]) & set(keys[1]))
    assert len(both) > least * len(keys[0])
    return np.array([keys[0][k] for k in both]), np.array([keys[1][k] for k in both])


def moved_px(effect: Effect, **changes: Any) -> tuple[Floats, Floats, Ints]:
    """(n, 2) shifts in px that an effect gives to reflections, and (n, 2) px and (n,) panel where
    they are without it."""
    off, ideal = exact(effect, **changes), exact(**changes)
    i, j = matched(ideal, off)
    one, other = ideal.dataset.reflections, off.dataset.reflections
    at = one.centroid_mm[i, :2] / PIXEL_MM
    return other.centroid_mm[j, :2] / PIXEL_MM - at, at, one.panel[i]
