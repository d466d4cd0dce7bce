"""Files and experiments that disagree are left out by name; broken files are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calib.errors import CalibError
from calib.files.dials.dataset_write import write_dataset
from calib.flows.derive import DeriveRequest, derive
from calib.flows.rederive import rederive
from calib.flows.shared.results import Derived
from calib.model.detector.frames import rotation_from_vector
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.pose import facing_pose
from calib.model.result.report import Reason
from calib.model.store.record import ChangeStamp
from calib.report.blocks import Table
from calib.report.calibration.derived import derived_blocks, derived_view
from calib.simulate.scan import ScanPlan, simulated_scan
from calib.simulate.truth import random_correction
from calib.solve.options import Crystals
from calib.store.store import Store
from support.misindexed import misindexed, wedges
from support.simulated import IDENTIFIER, LAYOUT, NIGHT_1, NIGHT_2, TRUTH, measured

HALF_A_SIGMA = 0.5
"""Root mean square: which reflections are too near the spindle is decided where they start."""
STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")


def night(number: int) -> Dataset:
    taken = NIGHT_1 if number == 1 else NIGHT_2
    return measured(f"night{number}", 150.0, taken, seed=number, n_reflections=1500)


def astray(data: Dataset) -> Dataset:
    """An orientation that has nothing to do with the reflections."""
    (crystal,) = data.experiments.crystals
    turn = rotation_from_vector(np.array([0.4, -0.7, 0.5]))
    turned = replace(crystal, real_space=crystal.real_space @ turn.T)
    return replace(data, experiments=replace(data.experiments, crystals=(turned,)))


def derived(store: Store, *paths: Path, keep_all: bool = False, add: bool = False) -> Derived:
    request = DeriveRequest(tuple(paths), crystals=Crystals.STATIC, keep_all=keep_all, add=add)
    return derive(request, store, STAMP)


def refused(store: Store, *paths: Path, keep_all: bool = False, add: bool = False) -> CalibError:
    before = len(store.calibrations.list())
    with pytest.raises(CalibError) as caught:
        derived(store, *paths, keep_all=keep_all, add=add)
    assert len(store.calibrations.list()) == before
    return caught.value


def test_a_file_whose_reflections_do_not_match_is_left_out_by_name(
    store: Store, tmp_path: Path
) -> None:
    good = write_dataset(night(1), tmp_path)
    expt, refl = write_dataset(astray(night(2)), tmp_path)
    found = derived(store, *good, expt, refl)
    (misfit,) = found.record.report.misfits
    assert (misfit.name, misfit.reason, misfit.experiment) == ("night2", Reason.FAR, None)
    assert misfit.n_reflections == 1500
    assert misfit.off_share is not None
    assert misfit.off_share > 0.1
    assert [use.name for use in found.record.report.datasets] == ["night1"]
    (text,) = [notice for notice in found.notices if "night2" in notice]
    assert text.startswith("night2 was left out: it does not fit, as if indexed wrongly. Half of")
    assert text.endswith("To use it, give the .expt and .refl files that were written together.")
    assert found.record.panels_id == derived(store, *good).record.panels_id
    for error in (
        refused(store, expt, refl),
        refused(store, expt, refl, add=True),
        refused(store, *good, expt, refl, keep_all=True),
    ):
        assert error.code == "files-disagree"
        assert "night2.refl" in error.problem
        assert error.remedy


def test_a_start_that_is_wrong_by_millimetres_gives_the_same_panels(
    store: Store, tmp_path: Path
) -> None:
    near = ScanPlan(1500, image_rad=np.radians(0.5), panel_identifier=IDENTIFIER)
    off = replace(near, start_shift_mm=2.0, start_turn_rad=5e-3, start_crystal_rad=2e-3)
    pose = facing_pose(LAYOUT, 150.0, beam_centre_mm=(2.0, -3.0))
    found = []
    for name, plan in (("near", near), ("off", off)):
        rng = np.random.default_rng(4)
        data = simulated_scan(rng, LAYOUT, TRUTH, pose, plan, name).dataset
        found.append(derived(store, *write_dataset(data, tmp_path)).record)
    one, other = (record.estimate.correction.values for record in found)
    free = list(found[0].estimate.freedom.free)
    in_sigma = (one - other)[:, free] / found[0].estimate.sigma[:, free]
    assert np.sqrt(np.mean(in_sigma**2)) < HALF_A_SIGMA


def test_a_detector_is_not_registered_from_a_file_that_is_left_out(
    store: Store, tmp_path: Path
) -> None:
    wrong = astray(night(2))
    assert wrong.detector.lab_from_root is not None
    foreign = random_correction(np.random.default_rng(77), LAYOUT).frames(LAYOUT)
    moved = replace(wrong.detector, frames=foreign.moved(wrong.detector.lab_from_root))
    models = replace(wrong.experiments, detectors=(moved,))
    wrong = replace(wrong, name="a", detector=moved, experiments=models)
    found = derived(store, *write_dataset(wrong, tmp_path), *write_dataset(night(1), tmp_path))
    assert found.registered is not None
    difference = found.registered.layout.frames.origin_mm - LAYOUT.frames.origin_mm
    assert np.abs(difference).max() < 1e-6


def test_a_broken_file_is_refused_however_many_are_good(store: Store, tmp_path: Path) -> None:
    good = write_dataset(night(1), tmp_path)
    data = night(2)
    beyond = replace(
        data.reflections, centroid_mm=data.reflections.centroid_mm + np.array([500.0, 0.0, 0.0])
    )
    expt, refl = write_dataset(replace(data, reflections=beyond), tmp_path)
    assert refused(store, *good, expt, refl).code == "outside-panels"
    refl.write_bytes(refl.read_bytes()[:-1000])
    assert refused(store, *good, expt, refl).code != "files-disagree"


def twelve_wedges() -> Dataset:
    plan = ScanPlan(
        n_reflections=250,
        range_rad=np.radians(3.0),
        epoch=NIGHT_1.timestamp(),
        panel_identifier=IDENTIFIER,
    )
    pose = facing_pose(LAYOUT, 150.0, beam_centre_mm=(2.0, -3.0))
    return wedges(np.random.default_rng(8), LAYOUT, TRUTH, pose, plan, 12)


def test_datasets_rejected_in_the_derivation_are_read_when_derived_again(
    store: Store, tmp_path: Path
) -> None:
    spoilt = misindexed(twelve_wedges(), [2], ["cell"])
    paths: list[Path] = []
    for number in range(6):
        table = spoilt.reflections.where(spoilt.reflections.experiment == number)
        entry = spoilt.experiments.experiments[number]
        one = replace(
            spoilt,
            name=f"wedge{number}",
            experiments=replace(spoilt.experiments, experiments=(entry,)),
            reflections=replace(table, experiment=np.zeros(len(table), dtype=np.int64)),
        )
        paths += write_dataset(one, tmp_path)
    far = write_dataset(replace(astray(night(2)), name="far"), tmp_path)
    paths += far
    first = derived(store, *paths)
    assert [one.name for one in first.record.report.misfits] == ["far", "wedge2"]
    assert first.stored is not None
    for path in far:
        path.unlink()  # it never took part
    again = rederive(store, first.stored.name, [], STAMP, serial=None)
    assert again.identical
    assert [one.name for one in again.again.report.misfits] == ["wedge2"]


def test_rejected_experiments_of_a_file_are_named_in_notices_and_in_the_view(
    store: Store, tmp_path: Path
) -> None:
    many = twelve_wedges()
    found = derived(store, *write_dataset(misindexed(many, [3, 9]), tmp_path))
    report = found.record.report
    assert [one.experiment for one in report.misfits] == [3, 9]
    (text,) = [notice for notice in found.notices if "left out" in notice]
    assert text == (
        "wedges: 2 experiments were left out: they do not fit, as if indexed wrongly (3, 9). "
        "--keep-all keeps all."
    )
    assert found.stored is not None
    assert found.stored.record.report == report
    view = derived_view(
        found.record,
        found.stored,
        new=True,
        detector_registered=True,
        freedom_reason="",
        notices=(),
        seconds=0.0,
    )
    identifier = many.experiments.experiments[9].identifier
    assert view["misfits"][1]["experiment"] == 9
    assert view["misfits"][1]["identifier"] == identifier
    (table,) = [
        block
        for block in derived_blocks(view, all_panels=False)
        if isinstance(block, Table)
        and block.title == "Excluded because they do not fit the other data"
    ]
    assert [row[1] for row in table.rows][1] == f"9 ({identifier[:8]})"
    assert all(row[3].endswith(("px", "mrad")) for row in table.rows)
