"""Adding datasets to a calibration, leaving datasets out, and rejected datasets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.errors import InputError, NotFoundError, SolveError
from calib.files.dials.dataset_write import write_dataset
from calib.files.writer import SummaryFormat
from calib.flows.combine import CombineRequest, combine
from calib.flows.derive import DeriveRequest, derive
from calib.flows.shared.results import Derived
from calib.flows.summary import export_summaries
from calib.model.detector.correction import Freedom
from calib.model.experiment.dataset import Dataset
from calib.model.store.record import ChangeStamp
from calib.solve.options import Crystals
from calib.store.store import Store
from support.simulated import LATER, NIGHT_1, NIGHT_2, SERIAL, measured

STAMP = ChangeStamp(datetime(2026, 3, 6, tzinfo=UTC), "tester", "here")
DECIDED_ANEW = 0.25


def night(number: int, n_reflections: int = 2000) -> Dataset:
    distance, taken = {1: (150.0, NIGHT_1), 2: (265.0, NIGHT_2), 3: (200.0, LATER)}[number]
    return measured(f"night{number}", distance, taken, seed=number, n_reflections=n_reflections)


def files(folder: Path, *numbers: int) -> list[Path]:
    return [path for n in numbers for path in write_dataset(night(n), folder)]


def derived(store: Store, *paths: Path, dry_run: bool = False, **more: Any) -> Derived:
    request = DeriveRequest(tuple(paths), crystals=Crystals.STATIC, **more)
    return derive(request, store, STAMP, dry_run=dry_run)


def combined(store: Store, *sources: str, **more: Any) -> Derived:
    return combine(CombineRequest(sources, **more), store, STAMP)


def rms_sigma(one: Derived, other: Derived) -> float:
    difference = one.record.estimate.correction.values - other.record.estimate.correction.values
    return float(np.sqrt(np.nanmean((difference / other.record.estimate.sigma) ** 2)))


def names(done: Derived) -> list[str]:
    return sorted(use.name for use in done.record.report.datasets)


def test_a_dataset_is_added_without_reading_the_others(store: Store, tmp_path: Path) -> None:
    old = files(tmp_path, 1, 2)
    base = derived(store, *old)
    assert base.stored is not None
    new = files(tmp_path, 3)
    whole = derived(store, *old, *new, dry_run=True)
    for path in old:
        path.unlink()
    added = derived(store, *new, add=True)
    assert names(added) == ["night1", "night2", "night3"]
    assert rms_sigma(added, whole) < DECIDED_ANEW
    assert added.record.parameters["onto"] == base.stored.id
    assert added.stored is not None
    assert added.stored.starts == (NIGHT_1, NIGHT_2, LATER)
    assert added.record.distances_mm == pytest.approx((150.0, 200.0, 265.0), abs=0.1)
    assert len(store.summaries.read(added.stored)) == 3
    provenance = store.calibrations.provenance(added.stored.id)
    assert provenance is not None
    assert provenance.parent == base.stored.id


def test_a_second_distance_asks_to_read_the_first_again_whose_heights_were_held(
    store: Store, tmp_path: Path
) -> None:
    first = files(tmp_path, 1)
    derived(store, *first, freedom=Freedom.IN_PLANE)
    second = files(tmp_path, 2)
    added = derived(store, *second, add=True)
    assert added.record.estimate.freedom is Freedom.FULL
    assert any(
        notice.startswith("night1: the solution is beyond the linear range")
        and "--relinearise night1.expt night1.refl" in notice
        for notice in added.notices
    )
    again = derived(store, *first, relinearise=True)
    assert not any("linear range" in notice for notice in again.notices)
    whole = derived(store, *first, *second, dry_run=True)
    assert names(again) == ["night1", "night2"]
    assert rms_sigma(again, whole) < min(DECIDED_ANEW, rms_sigma(added, whole))


def test_a_dataset_is_not_added_twice(store: Store, tmp_path: Path) -> None:
    paths = files(tmp_path, 1)
    derived(store, *paths)
    with pytest.raises(InputError) as caught:
        derived(store, *paths, add=True)
    assert caught.value.code == "dataset-twice"
    assert "24-0107:1 already contains night1" in caught.value.problem


def test_without_a_calibration_there_is_nothing_to_add_to(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        derived(store, *files(tmp_path, 1), add=True)
    assert caught.value.code in ("no-base", "unknown-detector")
    assert store.detectors.list() == []


def test_combining_leaves_out_what_is_named(store: Store, tmp_path: Path) -> None:
    kept = files(tmp_path, 1, 3)
    derived(store, *kept, *files(tmp_path, 2))
    less = combined(store, f"{SERIAL}:1", without=("night2",))
    assert names(less) == ["night1", "night3"]
    again = derived(store, *kept, dry_run=True)
    assert rms_sigma(less, again) < DECIDED_ANEW  # linearised with the other one
    for without in (("night9",), ("night1", "night2", "night3")):
        with pytest.raises((NotFoundError, InputError)) as caught:
            combined(store, f"{SERIAL}:1", without=without)
        assert caught.value.code in ("unknown-dataset", "no-datasets")
    assert len(store.calibrations.list()) == 2


def test_summaries_in_files_give_the_same_result_as_those_in_the_store(
    store: Store, tmp_path: Path
) -> None:
    stored = derived(store, *files(tmp_path, 1, 2)).stored
    assert stored is not None
    from_store = combined(store, stored.name)
    for file_format, suffix in ((None, ".calib.npz"), (SummaryFormat.HDF5, ".calib.h5")):
        what: Any = {"serial": None, "datasets": (), "file_format": file_format}
        written = export_summaries(store, stored.name, tmp_path, **what, force=False)
        assert all(path.name.endswith(suffix) for _, path in written)
        from_files = combined(store, *(str(path) for _, path in written))
        assert from_files.record.panels_id == from_store.record.panels_id
        with pytest.raises(InputError):
            export_summaries(store, stored.name, tmp_path, **what, force=False)


def wrongly_indexed(number: int) -> Dataset:
    """A lattice row off for a third of the spots, and the crystal fitted to that; where more
    are, the files themselves are refused."""
    data = night(number)
    table, models = data.reflections, data.experiments
    half = np.random.default_rng(0).random(len(table)) < 0.35
    wrong = table.miller_index + half[:, None] * np.array([1, 0, 0])
    (crystal,) = models.crystals
    a = np.linalg.inv(crystal.real_space)
    fitted = np.linalg.lstsq(wrong, table.miller_index @ a.T, rcond=None)[0].T
    refitted = replace(crystal, real_space=np.linalg.inv(fitted))
    return replace(
        data,
        experiments=replace(models, crystals=(refitted,)),
        reflections=replace(table, miller_index=wrong),
    )


def test_a_wrongly_indexed_dataset_is_left_out_by_name(store: Store, tmp_path: Path) -> None:
    good = files(tmp_path, 1, 2)
    alone = derived(store, *good, dry_run=True)
    bad = write_dataset(wrongly_indexed(3), tmp_path)
    found = derived(store, *good, *bad)
    assert names(found) == ["night1", "night2"]
    assert found.record.panels_id == alone.record.panels_id
    (misfit,) = found.record.report.misfits
    assert misfit.name == "night3"
    assert any(
        notice.startswith("night3 was left out: it does not fit") for notice in found.notices
    )
    assert found.stored is not None
    assert found.stored.record.report.misfits == (misfit,)
    with pytest.raises(SolveError) as caught:
        derived(store, *bad, add=True)
    assert caught.value.code == "misfits"


def test_good_datasets_are_not_rejected(store: Store, tmp_path: Path) -> None:
    found = derived(store, *files(tmp_path, 1, 2, 3))
    assert found.record.report.misfits == ()
