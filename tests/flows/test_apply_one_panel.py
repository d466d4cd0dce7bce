"""apply to detectors of one panel: as modules, by positions, and taken off again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calib.errors import CalibError
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.refl import read_table
from calib.files.writer import ExportFormat
from calib.flows.apply import Applied, ApplyRequest, apply
from calib.flows.derive import DeriveRequest, derive
from calib.flows.exchange.export import export_geometry
from calib.flows.layouts.one_panel import OnePanel
from calib.flows.layouts.positions import ideal_position
from calib.flows.layouts.split import SplitRequest, split
from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import CorrectionEstimate, Freedom, PanelStatus
from calib.model.detector.families import built_in
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.experiment.experiment import Detector
from calib.model.experiment.parallax import mm_from_px
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.simulate.truth import random_correction
from calib.store.store import Store
from support.modules import PILATUS_300K, one_panel, spots, write_expt, write_table
from support.records import calibration
from support.simulated import DETECTOR, LAYOUT, SERIAL

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")
MODULES = built_in().get("PILATUS 300K").modules
CORRECTION = random_correction(np.random.default_rng(7), LAYOUT)
HUNDREDTH_PX = 0.01
PIXEL_MM = 0.172


@pytest.fixture
def store(store: Store) -> Store:
    """A store with a calibration of a PILATUS 300K."""
    detector = DetectorRecord(SERIAL, LAYOUT, "UTC", DETECTOR)
    store.detectors.add(detector, STAMP)
    n = len(LAYOUT)
    estimate = CorrectionEstimate(
        CORRECTION,
        Freedom.FULL,
        1e-6 * np.eye(6 * n),
        (PanelStatus.MEASURED,) * n,
        np.full(n, 1000),
    )
    record = replace(
        calibration(n_panels=n),
        serial=SERIAL,
        layout_id=detector.layout_id,
        panel_names=tuple(panel.name for panel in LAYOUT.panels),
        estimate=estimate,
    )
    store.calibrations.add(record, (None,) * len(record.report.datasets), STAMP, detector)
    return store


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A one-panel experiment of mini-CBF images, and 200 spots all over the image."""
    expt = write_expt(tmp_path / "whole.expt", one_panel())
    rng = np.random.default_rng(3)
    px = np.column_stack([rng.uniform(0.0, size, 200) for size in (*PILATUS_300K, 10)])
    detector = ExperimentFile.read(expt).experiments.detectors[0]
    mm = mm_from_px(px[:, :2], np.zeros(200, dtype=np.int64), detector)
    refl = write_table(tmp_path / "whole.refl", spots(px, np.column_stack([mm, px[:, 2]]), half=1))
    return expt, refl


def applied(
    store: Store,
    files: tuple[Path, Path],
    name: str,
    *,
    route: OnePanel | None = None,
    nominal: bool = False,
) -> Applied:
    request = ApplyRequest(
        files[0],
        files[0].with_name(f"{name}.expt"),
        files[1],
        serial=SERIAL,
        calibration=f"{SERIAL}:1",
        one_panel=route,
        nominal=nominal,
    )
    return apply(request, store, STAMP)


def outputs(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.expt", folder / f"{name}.refl"


def test_one_panel_of_mini_cbf_images_is_split_and_corrected(
    store: Store, files: tuple[Path, Path], tmp_path: Path
) -> None:
    done = applied(store, files, "one")
    assert done.warnings[0] == "one panel was split into the 3 modules of a PILATUS 300K."
    assert "are in gaps" in done.warnings[1]
    assert done.recorded
    split(SplitRequest(files[0], tmp_path / "parts.expt", files[1]))
    applied(store, outputs(tmp_path, "parts"), "two")
    for one, two in zip(outputs(tmp_path, "one"), outputs(tmp_path, "two"), strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_one_panel_whose_modules_dials_cannot_read_is_split_only_if_asked(
    store: Store, files: tuple[Path, Path]
) -> None:
    full_cbf = f"PILATUS3 300K, S/N {SERIAL}"
    write_expt(files[0], one_panel(identifier=full_cbf))
    with pytest.raises(CalibError) as caught:
        applied(store, files, "one")
    assert caught.value.code == "one-panel"
    assert "--as panels" in caught.value.remedy
    assert not files[0].with_name("one.expt").exists()
    applied(store, files, "one", route=OnePanel.PANELS)
    applied(store, files, "two", route=OnePanel.POSITIONS)


def test_positions_are_moved_once_and_can_be_restored(
    store: Store, files: tuple[Path, Path], tmp_path: Path
) -> None:
    done = applied(store, files, "moved", route=OnePanel.POSITIONS)
    assert "integration still predicts on uncorrected modules" in done.warnings[0]
    expt, refl = outputs(tmp_path, "moved")
    assert expt.read_bytes() == files[0].read_bytes()
    moved, old = read_table(refl), read_table(files[1])
    assert np.array_equal(moved.array("calib.observed.px"), old.array("xyzobs.px.value"))
    shift = moved.array("xyzobs.px.value") - old.array("xyzobs.px.value")
    on = MODULES.at(old.array("xyzobs.px.value")[:, :2]) >= 0
    assert (np.abs(shift[on, :2]).max(axis=1) > 0.0).all()
    assert not shift[~on].any()
    for again in (
        lambda: applied(store, (expt, refl), "twice", route=OnePanel.POSITIONS),
        lambda: applied(store, (expt, refl), "twice"),
        lambda: split(SplitRequest(expt, tmp_path / "twice.expt", refl)),
        lambda: derive(DeriveRequest((expt, refl), serial=SERIAL), store, STAMP),
    ):
        with pytest.raises(CalibError) as caught:
            again()
        assert caught.value.code == "positions-moved"
        assert caught.value.remedy == "restore them with calib apply --nominal."
    applied(store, (expt, refl), "back", nominal=True)
    for ours, given in zip(outputs(tmp_path, "back"), files, strict=True):
        assert ours.read_bytes() == given.read_bytes()


def test_a_correction_is_taken_off(store: Store, files: tuple[Path, Path], tmp_path: Path) -> None:
    split(SplitRequest(files[0], tmp_path / "parts.expt", files[1]))
    applied(store, outputs(tmp_path, "parts"), "on")
    done = applied(store, outputs(tmp_path, "on"), "off", nominal=True)
    assert done.warnings == (f"took off the correction {SERIAL}:1.",)
    assert (done.receipt, done.recorded) == (None, False)
    (expt, refl), (own, kept) = outputs(tmp_path, "off"), outputs(tmp_path, "parts")
    frames = [ExperimentFile.read(path).root_frames(0) for path in (expt, own)]
    assert np.allclose(frames[0].origin_mm, frames[1].origin_mm, atol=1e-9)
    back, mm = (read_table(path).array("xyzobs.mm.value") for path in (refl, kept))
    assert back == pytest.approx(mm, abs=1e-9)


def test_the_pose_of_an_export_is_that_of_one_panel(
    store: Store, files: tuple[Path, Path], tmp_path: Path
) -> None:
    split(SplitRequest(files[0], tmp_path / "parts.expt"))
    written = []
    for like in (files[0], tmp_path / "parts.expt"):
        output = tmp_path / f"like_{like.name}"
        export_geometry(
            store,
            f"{SERIAL}:1",
            form=ExportFormat.DIALS,
            serial=None,
            like=like,
            distance_mm=None,
            output=output,
        )
        written.append(output.read_bytes())
    assert written[0] == written[1]


def test_there_is_nothing_to_take_off_one_panel(store: Store, files: tuple[Path, Path]) -> None:
    with pytest.raises(CalibError) as caught:
        applied(store, files, "off", nominal=True)
    assert caught.value.code == "no-correction"


def test_positions_need_reflections(store: Store, files: tuple[Path, Path]) -> None:
    request = ApplyRequest(
        files[0],
        files[0].with_name("one.expt"),
        serial=SERIAL,
        calibration=f"{SERIAL}:1",
        one_panel=OnePanel.POSITIONS,
    )
    with pytest.raises(CalibError) as caught:
        apply(request, store, STAMP)
    assert caught.value.code == "no-reflections"


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0, 45.0])
def test_every_route_puts_a_spot_at_the_same_place_in_the_laboratory(tilt_deg: float) -> None:
    turned = one_panel()
    panel = turned["detector"][0]["panels"][0]
    tilt = rotation_from_vector(np.array([np.radians(tilt_deg), 0.0, 0.0]))
    for key in ("slow_axis", "origin"):
        panel[key] = (tilt @ np.array(panel[key])).tolist()
    file = ExperimentFile.parse(json.dumps(turned).encode(), "a.expt")
    whole = file.experiments.detectors[0]
    parts = file.split({0: MODULES}).experiments.detectors[0]
    root = RigidMotion(whole.frames.rotation[0], whole.frames.origin_mm[0])
    frames = CORRECTION.frames(LAYOUT).moved(root)
    rng = np.random.default_rng(5)
    px = np.column_stack([rng.uniform(0.0, size, 500) for size in PILATUS_300K])
    module = MODULES.at(px)
    px, module = px[module >= 0], module[module >= 0]
    ideal, _ = ideal_position(px, module, MODULES, parts, frames, whole)
    nothing = np.zeros(len(px), dtype=np.int64)
    seen = on_sphere(ideal, nothing, whole)
    own = on_sphere(px - MODULES.boxes_px[module, :2], module, replace(parts, frames=frames))
    distance = np.linalg.norm(lab(ideal, nothing, whole), axis=1)
    assert (np.linalg.norm(seen - own, axis=1) * distance).max() < HUNDREDTH_PX * PIXEL_MM
    uncorrected = on_sphere(px, nothing, whole)
    moved = np.linalg.norm(uncorrected - own, axis=1) * distance
    assert moved.max() > 5 * HUNDREDTH_PX * PIXEL_MM


def lab(px: Floats, panel: Ints, detector: Detector) -> Floats:
    """Positions (n, 3) in the laboratory of spots in px."""
    mm = mm_from_px(px, panel, detector)
    axes = detector.frames.rotation[panel][:, :, :2]
    return np.asarray(detector.frames.origin_mm[panel] + np.einsum("nij,nj->ni", axes, mm))


def on_sphere(px: Floats, panel: Ints, detector: Detector) -> Floats:
    """Their directions from the sample."""
    found = lab(px, panel, detector)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))
