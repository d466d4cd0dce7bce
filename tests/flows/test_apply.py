"""Applying a calibration moves panels in files of all kinds, and changes nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calib.files.dials.expt import ExperimentFile
from calib.files.dials.expt_write import experiments_bytes
from calib.files.dials.refl import read_table
from calib.flows.apply import Applied, ApplyRequest, apply
from calib.flows.detectors import register
from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom, PanelStatus
from calib.model.detector.layout import Layout
from calib.model.experiment.experiment import Experiment, ExperimentList
from calib.model.experiment.parallax import mm_from_px
from calib.model.store.record import (
    CalibrationRecord,
    ChangeStamp,
    DetectorRecord,
    StoredCalibration,
)
from calib.simulate.truth import random_correction
from calib.store.store import Store
from support.records import calibration, certification
from support.simulated import DETECTOR, LAYOUT, NIGHT_1, SERIAL, measured

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")
NANOMETRE_MM = 1e-6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    location = tmp_path / "calib.sqlite"
    Store.create(location)
    with Store.open(location) as opened:
        yield opened


def record_of(detector: DetectorRecord, correction: Correction) -> CalibrationRecord:
    """A calibration that says just this."""
    n = len(detector.layout)
    estimate = CorrectionEstimate(
        correction,
        Freedom.FULL,
        1e-6 * np.eye(6 * n),
        (PanelStatus.MEASURED,) * n,
        np.full(n, 1000),
    )
    return replace(
        calibration(n_panels=n),
        serial=detector.serial,
        layout_id=detector.layout_id,
        panel_names=tuple(panel.name for panel in detector.layout.panels),
        estimate=estimate,
    )


def calibrated(store: Store, detector: DetectorRecord, seed: int) -> StoredCalibration:
    """A stored calibration of a detector, its panels anywhere within the tolerance."""
    correction = random_correction(np.random.default_rng(seed), detector.layout)
    record = record_of(detector, correction)
    starts = (None,) * len(record.report.datasets)
    stored, _ = store.calibrations.add(record, starts, STAMP, detector)
    return stored


def known(store: Store) -> DetectorRecord:
    record = DetectorRecord(SERIAL, LAYOUT, "UTC", DETECTOR)
    store.detectors.add(record, STAMP)
    return record


def applied(store: Store, source: Path, output: Path, name: str, **more: object) -> Applied:
    request = ApplyRequest(source, output, calibration=name, **more)  # type: ignore[arg-type]
    return apply(request, store, STAMP)


def correction_in(path: Path, layout: Layout, detector: int = 0) -> Correction:
    """The correction that a file's panels carry, seen in its own root frame."""
    file = ExperimentFile.read(path)
    return Correction.between(layout, file.root_frames(detector))


def test_a_file_without_a_hierarchy_gets_the_panels_at_its_own_pose(
    store: Store, tmp_path: Path
) -> None:
    found = calibrated(store, known(store), 1)
    content = json.loads(experiments_bytes(measured("flat", 150.0, NIGHT_1, seed=1).experiments))
    (detector,) = content["detector"]
    root = detector.pop("hierarchy")
    rotation = np.column_stack([root["fast_axis"], root["slow_axis"]])
    rotation = np.column_stack([rotation, np.cross(rotation[:, 0], rotation[:, 1])])
    for panel in detector["panels"]:
        panel["fast_axis"] = (rotation @ panel["fast_axis"]).tolist()
        panel["slow_axis"] = (rotation @ panel["slow_axis"]).tolist()
        panel["origin"] = (rotation @ panel["origin"] + root["origin"]).tolist()
    flat = tmp_path / "flat.expt"
    flat.write_text(json.dumps(content))
    once, twice = tmp_path / "once.expt", tmp_path / "twice.expt"
    applied(store, flat, once, found.name)
    applied(store, once, twice, found.name)
    assert once.read_bytes() == twice.read_bytes()
    lab = ExperimentFile.read(once).experiments.detectors[0].frames
    expected = found.record.estimate.correction.frames(LAYOUT).points(LAYOUT.corners_panel_mm())
    seen = (lab.points(LAYOUT.corners_panel_mm()) - root["origin"]) @ rotation
    assert np.abs(seen - expected).max() < NANOMETRE_MM


def test_only_the_numbers_of_panels_change(store: Store, tmp_path: Path) -> None:
    found = calibrated(store, known(store), 1)
    dataset = measured("one", 150.0, NIGHT_1, seed=1)
    content = json.loads(experiments_bytes(dataset.experiments))
    content["experiment"][0]["unheard-of"] = {"kept": [1.50, "µ"]}
    before, after = tmp_path / "before.expt", tmp_path / "after.expt"
    before.write_text(json.dumps(content, indent=1).replace("1.5,", "1.50e0,"))
    applied(store, before, after, found.name)
    old, new = before.read_text(), after.read_text()
    start, end = old.index('"panels"'), old.index('"hierarchy"')
    assert "1.50e0" in old
    assert new[:start] == old[:start]
    assert new[new.index('"hierarchy"') :] == old[end:]
    assert new[start:] != old[start:]


def test_every_detector_of_a_file_gets_its_own_and_shared_ones_once(
    store: Store, tmp_path: Path
) -> None:
    first, second = known(store), DetectorRecord("24-0999", LAYOUT, "UTC", "")
    one, other = calibrated(store, first, 1), calibrated(store, second, 2)
    a = measured("a", 150.0, NIGHT_1, seed=1).experiments
    b = measured("b", 200.0, NIGHT_1, seed=2, identifier=f"{DETECTOR}, S/N 24-0999").experiments
    both = ExperimentList(
        experiments=(
            Experiment("x", 0, 0, 0, 0, None, None),
            Experiment("y", 0, 0, 0, 0, None, None),
            Experiment("z", 0, 1, 0, 0, None, None),
        ),
        beams=a.beams,
        detectors=(*a.detectors, *b.detectors),
        goniometers=a.goniometers,
        scans=a.scans,
        crystals=(),
    )
    source, output = tmp_path / "both.expt", tmp_path / "out.expt"
    source.write_bytes(experiments_bytes(both))
    for stored in (one, other):
        store.certifications.certify(certification(stored, NIGHT_1))
    done = apply(ApplyRequest(source, output), store, STAMP)
    assert [found.calibration for found in done.detectors] == [one.name, other.name]
    for index, stored in enumerate((one, other)):
        applied_values = correction_in(output, LAYOUT, index).values
        assert (
            np.abs(applied_values - stored.record.estimate.correction.values).max() < NANOMETRE_MM
        )


def test_panels_refined_elsewhere_get_a_fitted_pose_and_a_warning(
    store: Store, tmp_path: Path
) -> None:
    found = calibrated(store, known(store), 1)
    source = tmp_path / "elsewhere.expt"
    file = ExperimentFile.parse(
        experiments_bytes(measured("one", 150.0, NIGHT_1, seed=1).experiments), source.name
    )
    moved = random_correction(np.random.default_rng(9), LAYOUT)
    source.write_bytes(file.with_frames({0: moved.frames(LAYOUT)}).data)
    once, twice = tmp_path / "once.expt", tmp_path / "twice.expt"
    done = applied(store, source, once, found.name)
    assert any("rigid fit" in warning for warning in done.warnings)
    assert done.detectors[0].pose_residual_um > 10.0
    again = applied(store, once, twice, found.name)
    assert not any("rigid fit" in warning for warning in again.warnings)
    assert once.read_bytes() == twice.read_bytes()


def test_a_detector_of_three_levels_is_corrected_only_in_its_panels(
    store: Store, tmp_path: Path, real_data: Path
) -> None:
    source = real_data / "stills_cspad" / "multi_stills_combined.expt"
    register(
        store,
        "cspad",
        experiments=source,
        layout=None,
        time_zone=None,
        description="",
        stamp=STAMP,
    )
    detector = store.detectors.get("cspad")
    found = calibrated(store, detector, 1)
    once, twice = tmp_path / "once.expt", tmp_path / "twice.expt"
    applied(store, source, once, found.name, serial="cspad")
    applied(store, once, twice, found.name, serial="cspad")
    assert once.read_bytes() == twice.read_bytes()
    old, new = (json.loads(path.read_text())["detector"][0] for path in (source, once))
    assert old["hierarchy"] == new["hierarchy"]
    applied_values = correction_in(once, detector.layout).values
    assert np.abs(applied_values - found.record.estimate.correction.values).max() < NANOMETRE_MM


def test_positions_follow_the_panels_by_the_change_of_their_parallax(
    store: Store, tmp_path: Path, real_data: Path
) -> None:
    expt, refl = (real_data / "lcysteine_2M" / f"s20.{end}" for end in ("expt", "refl"))
    register(
        store, SERIAL, experiments=expt, layout=None, time_zone=None, description="", stamp=STAMP
    )
    found = calibrated(store, store.detectors.get(SERIAL), 1)
    output = tmp_path / "out.expt"
    applied(store, expt, output, found.name, reflections=refl)
    before, after = read_table(refl), read_table(tmp_path / "out.refl")
    old, new = (
        ExperimentFile.read(path).experiments.detectors[0].frames for path in (expt, output)
    )
    detector = ExperimentFile.read(expt).experiments.detectors[0]
    panel = before.array("panel").astype(np.int64)
    px = before.array("xyzobs.px.value")[:, :2]
    change = mm_from_px(px, panel, detector, new) - mm_from_px(px, panel, detector, old)
    moved = after.array("xyzobs.mm.value") - before.array("xyzobs.mm.value")
    assert np.abs(change).max() > 1e-5
    assert np.abs(moved[:, :2] - change).max() < 1e-12
    assert (moved[:, 2] == 0.0).all()
    for name in set(before.columns) - {"xyzobs.mm.value"}:
        assert np.array_equal(before.array(name), after.array(name))
