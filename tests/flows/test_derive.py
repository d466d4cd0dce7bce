"""Deriving from files: inputs, refusals, and stored records."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.errors import CalibError, InputError, LayoutError, SolveError
from calib.files.dials.dataset_write import write_dataset
from calib.files.dials.expt import ExperimentFile
from calib.flows.apply import ApplyRequest, apply
from calib.flows.derive import DeriveRequest, derive
from calib.flows.shared.results import Derived, solver_errors
from calib.model.detector.correction import Correction, Freedom
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import Detector
from calib.model.store.record import ChangeStamp, State
from calib.simulate.truth import random_correction
from calib.solve.options import Crystals
from calib.store.store import Store
from support.simulated import LAYOUT, NIGHT_1, NIGHT_2, SERIAL, measured

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")
TENTH_OF_SIGMA = 0.1
NANOMETRE_MM = 1e-6


def scan(name: str, distance_mm: float = 150.0, seed: int = 1, **more: Any) -> Dataset:
    taken = NIGHT_1 if name == "night1" else NIGHT_2
    return measured(name, distance_mm, taken, seed=seed, n_reflections=2000, **more)


def derived(store: Store, *paths: Path, dry_run: bool = False, **more: Any) -> Derived:
    request = DeriveRequest(tuple(paths), crystals=Crystals.STATIC, **more)
    return derive(request, store, STAMP, dry_run=dry_run)


def refused(store: Store, *paths: Path, **more: Any) -> CalibError:
    with pytest.raises(CalibError) as caught:
        derived(store, *paths, **more)
    assert store.calibrations.list() == []
    return caught.value


def in_sigma(one: Derived, other: Derived) -> float:
    a, b = one.record.estimate, other.record.estimate
    free = list(a.freedom.free)
    difference = (a.correction.values - b.correction.values)[:, free]
    return float(np.abs(difference / a.sigma[:, free]).max())


def carrying(folder: Path, expt: Path, correction: Correction, name: str) -> Path:
    """The experiments with panels that carry a correction within their root frame."""
    output = folder / name
    frames = {0: correction.frames(LAYOUT)}
    output.write_bytes(ExperimentFile.read(expt).with_frames(frames).data)
    return output


def test_the_order_of_files_does_not_change_a_bit(store: Store, tmp_path: Path) -> None:
    near, far = (
        write_dataset(d, tmp_path) for d in (scan("night1"), scan("night2", 265.0, seed=2))
    )
    one = derived(store, *near, *far)
    other = derived(store, far[1], near[0], near[1], far[0])
    assert one.record.id == other.record.id
    assert (one.new, other.new) == (True, False)
    assert other.stored is not None
    assert other.stored.version == 1
    assert len(store.calibrations.list()) == 1


def test_a_dry_run_derives_the_same_and_stores_nothing(store: Store, tmp_path: Path) -> None:
    files = write_dataset(scan("night1"), tmp_path)
    tried = derived(store, *files, dry_run=True)
    assert tried.stored is None
    assert store.calibrations.list() == []
    assert store.detectors.list() == []
    assert derived(store, *files).record.id == tried.record.id


@pytest.mark.parametrize(
    ("distances", "words"),
    [
        ((150.0,), "one distance only (150 mm): the prior restrains what it determines poorly"),
        ((150.0, 151.0), "one distance only (15"),
        ((150.0, 200.0), "distances of 150 and 200 mm"),
    ],
)
def test_all_parameters_are_free_at_any_distances_unless_held(
    store: Store, tmp_path: Path, distances: tuple[float, ...], words: str
) -> None:
    paths = [
        path
        for k, distance in enumerate(distances)
        for path in write_dataset(scan(f"night{k + 1}", distance, seed=k + 1), tmp_path)
    ]
    found = derived(store, *paths, dry_run=True)
    assert found.record.estimate.freedom is Freedom.FULL
    assert words in found.freedom_reason
    asked = derived(store, *paths, dry_run=True, freedom=Freedom.IN_PLANE)
    assert asked.record.estimate.freedom is Freedom.IN_PLANE
    assert asked.freedom_reason == "asked for with --freedom"


def test_panels_in_another_order_give_the_same_corrections(store: Store, tmp_path: Path) -> None:
    dataset = scan("night1")
    files = write_dataset(dataset, tmp_path)
    plain = derived(store, *files)
    order = [2, 0, 1]
    old = dataset.detector
    sensors = replace(
        old.sensors,
        parallax=old.sensors.parallax[order],
        mu_per_mm=old.sensors.mu_per_mm[order],
        thickness_mm=old.sensors.thickness_mm[order],
    )
    turned: Detector = replace(
        old,
        panels=tuple(old.panels[k] for k in order),
        frames=old.frames.taken(order),
        sensors=sensors,
    )
    number = np.argsort(order)
    shuffled = replace(
        dataset,
        name="shuffled",
        detector=turned,
        experiments=replace(dataset.experiments, detectors=(turned,)),
        reflections=replace(dataset.reflections, panel=number[dataset.reflections.panel]),
    )
    other = derived(store, *write_dataset(shuffled, tmp_path))
    assert other.record.panel_names == plain.record.panel_names
    assert in_sigma(plain, other) < 1e-6
    assert (
        other.record.estimate.n_reflections.tolist() == plain.record.estimate.n_reflections.tolist()
    )


def test_a_known_correction_is_removed_with_a_notice(store: Store, tmp_path: Path) -> None:
    expt, refl = write_dataset(scan("night1"), tmp_path)
    first = derived(store, expt, refl)
    assert first.stored is not None
    applied = tmp_path / "applied.expt"
    request = ApplyRequest(
        expt, applied, refl, tmp_path / "applied.refl", calibration=first.stored.name
    )
    apply(request, store, STAMP)
    again = derived(store, applied, tmp_path / "applied.refl")
    assert any(
        notice == f"applied: removed the correction {first.stored.name}, "
        "which its panels already had."
        for notice in again.notices
    )
    assert in_sigma(first, again) < TENTH_OF_SIGMA


def test_a_correction_that_cannot_be_removed_is_refused(store: Store, tmp_path: Path) -> None:
    expt, refl = write_dataset(scan("night1"), tmp_path)
    foreign = random_correction(np.random.default_rng(77), LAYOUT)
    moved = carrying(tmp_path, expt, foreign, "moved.expt")
    unknown = refused(store, moved, refl)
    assert isinstance(unknown, LayoutError)
    assert unknown.code == "already-corrected"
    assert "off the grid of a PILATUS 300K" in unknown.problem
    # The same where the detector is known.
    derived(store, expt, refl)
    with pytest.raises(LayoutError) as caught:
        derived(store, moved, refl)
    assert caught.value.code == "already-corrected"
    assert caught.value.place == "moved"
    assert "cannot be removed" in caught.value.problem
    assert len(store.calibrations.list()) == 1


def test_datasets_of_two_detectors_are_refused(store: Store, tmp_path: Path) -> None:
    one = write_dataset(scan("night1"), tmp_path)
    other = write_dataset(scan("night2", identifier="PILATUS 300K, S/N 24-0999", seed=2), tmp_path)
    error = refused(store, *one, *other)
    assert isinstance(error, InputError)
    assert error.code == "several-detectors"
    assert "24-0107 (night1)" in error.problem
    assert "24-0999 (night2)" in error.problem
    assert store.detectors.list() == []


def test_a_dataset_of_another_layout_is_refused(store: Store, tmp_path: Path) -> None:
    derived(store, *write_dataset(scan("night1"), tmp_path))
    other = measured(
        "wide",
        150.0,
        NIGHT_2,
        seed=3,
        n_reflections=2000,
        identifier=f"PILATUS, S/N {SERIAL}",
        layout_name="PILATUS 1M",
    )
    with pytest.raises(LayoutError) as caught:
        derived(store, *write_dataset(other, tmp_path))
    assert caught.value.place == "wide"
    assert "10 panels, expected 3" in caught.value.problem


def test_a_single_module_is_refused(store: Store, tmp_path: Path) -> None:
    expt, refl = write_dataset(scan("night1"), tmp_path)
    content = json.loads(expt.read_text())
    (detector,) = content["detector"]
    detector["panels"] = detector["panels"][:1]
    detector["hierarchy"]["children"] = [{"panel": 0}]
    expt.write_text(json.dumps(content))
    error = refused(store, expt, refl)
    assert error.code == "unknown-layout"
    assert "PILATUS 100K" in error.problem


def test_a_derivation_that_fails_acceptance_is_kept_as_a_draft(
    store: Store, tmp_path: Path
) -> None:
    nominal = Correction.none(len(LAYOUT))
    few = measured("night1", 150.0, NIGHT_1, seed=1, n_reflections=240, truth=nominal)
    found = derived(store, *write_dataset(few, tmp_path))
    assert not found.record.acceptance.accepted
    assert found.stored is not None
    assert found.stored.state is State.DRAFT
    assert found.new


def test_the_options_are_recorded(store: Store, tmp_path: Path) -> None:
    files = write_dataset(scan("night1"), tmp_path)
    found = derived(
        store,
        *files,
        space_group="P43212",
        free_beam=True,
        ignore_flags=True,
        pose_per_experiment=True,
    )
    parameters = found.record.parameters
    assert parameters["hall_symbol"].strip() == "P 4nw 2abw"
    assert parameters["free_beam"] is True
    assert parameters["ignore_flags"] is True
    assert parameters["pose"] == "per-experiment"
    assert parameters["prior_shift_um"] == pytest.approx(100.0)
    assert found.record.serial == SERIAL


def test_starts_are_when_the_data_were_taken(store: Store, tmp_path: Path) -> None:
    paths = [
        path
        for dataset in (scan("night1"), scan("night2", 265.0, seed=2))
        for path in write_dataset(dataset, tmp_path)
    ]
    found = derived(store, *paths)
    assert found.stored is not None
    assert found.stored.starts == (NIGHT_1, NIGHT_2)


def test_a_new_detector_is_registered_once(store: Store, tmp_path: Path) -> None:
    files = write_dataset(scan("night1"), tmp_path)
    first = derived(store, *files)
    assert first.registered is not None
    assert first.registered.serial == SERIAL
    second = derived(store, *write_dataset(scan("night2", 265.0, seed=2), tmp_path))
    assert second.registered is None
    assert [d.serial for d in store.detectors.list()] == [SERIAL]
    assert (
        np.abs(store.detectors.get(SERIAL).layout.frames.origin_mm - LAYOUT.frames.origin_mm).max()
        < NANOMETRE_MM
    )


def test_equations_that_cannot_be_solved_are_reported_as_an_error_of_the_data() -> None:
    with (
        pytest.raises(SolveError, match="these data cannot be solved"),
        solver_errors(),
    ):
        np.linalg.cholesky(-np.eye(2))
    with pytest.raises(SolveError, match="NaN or infinity"), solver_errors():
        Correction(np.full((3, 6), np.inf))
