"""Flags of a rigid refinement are simulated as dials.refine sets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.files.dials.dataset_write import write_dataset
from calib.files.reader import read_data
from calib.model.detector.families import known_layout
from calib.model.experiment.pose import facing_pose
from calib.model.experiment.reflections import Reflections
from calib.simulate.affected_scan import affected_scan
from calib.simulate.effects.flags import OUTLIER, RigidFlags
from calib.simulate.scan import ScanPlan
from calib.simulate.truth import Tolerance, random_correction
from support.dials import Dials

LAYOUT = known_layout("PILATUS 2M")
TRUTH = random_correction(np.random.default_rng(3), LAYOUT, Tolerance(0.07, 0.05, 1e-3))
POSE = facing_pose(LAYOUT, 250.0, beam_centre_mm=(1.5, -2.0))
PLAN = ScanPlan(
    4000,
    range_rad=np.radians(80.0),
    start_shift_mm=0.0,
    start_turn_rad=0.0,
    start_crystal_rad=0.0,
    start_cell_share=0.0,
    panel_identifier="PILATUS 2M, S/N 24-0999",
)


def by_passage(table: Reflections) -> dict[tuple[int, ...], bool]:
    """Whether each reflection has the flag, by Miller index and angle."""
    angle = np.round(100.0 * table.centroid_mm[:, 2]).astype(int)
    keys = np.column_stack([table.miller_index, angle]).tolist()
    return {tuple(key): bool(f) for key, f in zip(keys, table.flagged((OUTLIER,)), strict=True)}


def test_a_rigid_refinement_flags_the_reflections_that_dials_flags(
    dials: Dials, tmp_path: Path
) -> None:
    """DIALS draws its subsets at random and weighs them again, so a tenth may differ."""
    plain, flagged = (
        affected_scan(np.random.default_rng(1), LAYOUT, TRUTH, POSE, PLAN, "scan", effects).dataset
        for effects in ((), (RigidFlags(),))
    )
    write_dataset(plain, tmp_path)
    dials.run(
        "dials.refine", "scan.expt", "scan.refl", "scan_varying=False",
        "output.reflections=refined.refl", cwd=tmp_path,
    )  # fmt: skip
    (pair,) = read_data([tmp_path / "refined.expt", tmp_path / "refined.refl"])
    (refined,) = pair.loader()()
    mine, theirs = by_passage(flagged.reflections), by_passage(refined.reflections)
    both = sorted(set(mine) & set(theirs))
    assert len(both) > 0.98 * len(plain.reflections)
    share = [np.mean([of[key] for key in both]) for of in (mine, theirs)]
    assert 0.05 < share[1] < 0.5
    assert abs(share[0] - share[1]) < 0.05
    assert np.mean([mine[key] == theirs[key] for key in both]) > 0.9
