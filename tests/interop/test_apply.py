"""Files written by ``calib apply``, read by real DIALS."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calib.files.dials.expt import ExperimentFile
from calib.flows.demo import DemoResult, demo
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion
from calib.model.store.record import ChangeStamp
from support.dials import Dials

LAYOUT = known_layout("PILATUS 6M")
TWO_PERCENT = 1.02
DISTANCE_MM = 0.2
MICROMETRE_MM = 1e-3


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    """Two distances derived jointly, certified, and applied to a target at a third."""
    stamp = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")
    return demo(tmp_path_factory.mktemp("demo"), stamp, seed=1)


def refined(dials: Dials, experiments: Path, reflections: Path, folder: Path) -> tuple[Path, float]:
    """Rigid refinement by DIALS: the refined experiments and the RMSD in px over x and y."""
    folder.mkdir()
    done = dials.run(
        "dials.refine",
        experiments,
        reflections,
        "scan_varying=False",
        "outlier.algorithm=null",
        cwd=folder,
    )
    table = done.stdout[done.stdout.rindex("RMSDs by experiment") :]
    row = re.search(r"\|\s+0 \|\s+\d+ \|\s+([\d.]+) \|\s+([\d.]+) \|", table)
    assert row is not None, table
    x, y = float(row.group(1)), float(row.group(2))
    return folder / "refined.expt", ((x * x + y * y) / 2.0) ** 0.5


def pose(path: Path) -> RigidMotion:
    found = ExperimentFile.read(path).experiments.detectors[0].lab_from_root
    assert found is not None
    return found


def test_rigid_refinement_is_as_good_as_with_the_true_panels_at_the_true_distance(
    dials: Dials, shown: DemoResult, tmp_path: Path
) -> None:
    expt, refl = shown.applied.outputs
    after, rmsd = refined(dials, expt, refl, tmp_path / "applied")
    true = tmp_path / "true.expt"
    truth = {0: shown.truth.frames(LAYOUT)}
    true.write_bytes(ExperimentFile.read(shown.folder / "target.expt").with_frames(truth).data)
    _, best = refined(dials, true, refl, tmp_path / "true")
    _, drawn = refined(dials, shown.folder / "target.expt", refl, tmp_path / "drawn")
    assert rmsd < TWO_PERCENT * best
    assert drawn > 2.0 * best
    assert abs(LAYOUT.distance_mm(pose(after)) - shown.distance_true_mm) < DISTANCE_MM


def test_the_pose_is_kept_and_dials_shows_the_panels_where_the_calibration_says(
    dials: Dials, shown: DemoResult, tmp_path: Path
) -> None:
    expt = shown.applied.outputs[0]
    before = shown.folder / "target.expt"
    assert (pose(expt).translation_mm == pose(before).translation_mm).all()
    assert (pose(expt).rotation == pose(before).rotation).all()
    printed = dials.run("dials.show", expt, cwd=tmp_path).stdout
    frames = ExperimentFile.read(expt).experiments.detectors[0].frames
    origins = re.findall(r"origin:\s*\{([-\d.e]+),([-\d.e]+),([-\d.e]+)\}", printed)
    assert len(origins) >= len(LAYOUT)
    for mine, shown_by_dials in zip(frames.origin_mm, origins[-len(LAYOUT) :], strict=True):
        assert [float(v) for v in shown_by_dials] == pytest.approx(mine, abs=MICROMETRE_MM)
