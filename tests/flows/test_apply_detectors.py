"""Applying to files with several detectors: one of them by its serial, and many alike."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from calib.files.dials.expt import ExperimentFile
from calib.files.dials.expt_write import experiments_bytes
from calib.files.writer import write_dataset
from calib.flows.apply import ApplyRequest, apply
from calib.flows.derive import DeriveRequest, derive
from calib.flows.detectors import register
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.store.store import Store
from support.simulated import DETECTOR, IDENTIFIER, LAYOUT, NIGHT_1, SERIAL, measured
from support.statements import taken_from

OTHER = "24-9999"
STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")


def content_of(n: int, other_first: bool = False) -> dict[str, Any]:
    """A list of n stills, each with a detector model of its own; with ``other_first`` the first is
    of another detector."""
    content: dict[str, Any] = json.loads(
        experiments_bytes(measured("one", 150.0, NIGHT_1, seed=1, n_reflections=200).experiments)
    )
    (entry,), (detector,) = content["experiment"], content["detector"]
    content["experiment"] = [{**entry, "identifier": f"still {k}", "detector": k} for k in range(n)]
    content["detector"] = [deepcopy(detector) for _ in range(n)]
    if other_first:
        for panel in content["detector"][0]["panels"]:
            panel["identifier"] = IDENTIFIER.replace(SERIAL, OTHER)
    return content


def written(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content))
    return path


def calibrated(store: Store, folder: Path) -> str:
    """A calibration of the detector, derived from one scan; its name."""
    folder.mkdir()
    files = write_dataset(measured("night", 150.0, NIGHT_1, seed=1, n_reflections=2000), folder)
    done = derive(DeriveRequest(files), store, STAMP)
    assert done.stored is not None
    return done.stored.name


def test_a_serial_chooses_one_of_several_detectors_in_every_command(
    store: Store, tmp_path: Path
) -> None:
    name = calibrated(store, tmp_path / "night")
    both = written(tmp_path / "both.expt", content_of(2, other_first=True))
    out = tmp_path / "out.expt"
    done = apply(ApplyRequest(both, out, serial=SERIAL, calibration=name), store, STAMP)
    assert [one.index for one in done.detectors] == [1]
    before, after = (json.loads(path.read_text())["detector"] for path in (both, out))
    assert before[0] == after[0]
    assert before[1] != after[1]
    stamp = {"time_zone": None, "description": "", "stamp": STAMP}
    added = register(store, OTHER, experiments=both, layout=None, **stamp)  # type: ignore[arg-type]
    assert added.record.serial == OTHER


def test_many_models_of_a_detector_are_looked_up_once(store: Store, tmp_path: Path) -> None:
    store.detectors.add(DetectorRecord(SERIAL, LAYOUT, "UTC", DETECTOR), STAMP)
    counts, texts = [], []
    for n in (2, 20):
        path = written(tmp_path / f"{n}.expt", content_of(n))
        request = ApplyRequest(path, tmp_path / f"out{n}.expt", nominal=True)
        with taken_from(store) as statements:
            done = apply(request, store, STAMP)
        counts.append(len(statements))
        texts.append(done.warnings)
    assert counts[0] == counts[1]
    assert texts == [(f"the panels had no correction ({n} times).",) for n in (2, 20)]


def test_the_root_frames_of_all_models_are_those_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "own.expt", content_of(3))
    file = ExperimentFile.read(path)
    new = file.root_frames(1)
    moved = type(new)(new.rotation, new.origin_mm + np.array([0.0, 0.0, 1.0]))
    changed = file.with_frames({1: moved})
    again = ExperimentFile.parse(changed.data, "own.expt")
    for k in range(3):
        np.testing.assert_array_equal(
            changed.root_frames(k).origin_mm, again.root_frames(k).origin_mm
        )
