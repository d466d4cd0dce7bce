"""Summaries that earlier versions recorded as HDF5, in stores and in bundles."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from calib.errors import FileFormatError, IntegrityError
from calib.files import hdf5_process
from calib.files.dials.dataset_write import write_dataset
from calib.files.native.bundle import bundle_writer
from calib.files.native.summary import summary_bytes, summary_from_bytes
from calib.files.native.summary_hdf5 import hdf5_bytes
from calib.files.writer import SummaryFormat
from calib.flows.bundle import load
from calib.flows.combine import CombineRequest, combine
from calib.flows.derive import DeriveRequest, derive
from calib.flows.summary import export_summaries, shown_summaries
from calib.model.result.summary import Summary, SummaryFile
from calib.solve.options import Crystals
from calib.store.store import Store
from support import raw
from support.records import SERIAL, calibration, detector, stamp, with_summaries
from support.simulated import NIGHT_1, measured
from support.summaries import CRASHING, HANGING, LIMIT_S, hostile, written


@pytest.fixture
def old(store: Store, tmp_path: Path) -> Store:
    """A store with a calibration whose summary is HDF5."""
    paths = write_dataset(measured("night1", 150.0, NIGHT_1, seed=1, n_reflections=2000), tmp_path)
    Store.create(tmp_path / "new.sqlite")
    with Store.open(tmp_path / "new.sqlite") as new:
        stored = derive(DeriveRequest(paths, crystals=Crystals.STATIC), new, stamp()).stored
        assert stored is not None
        (file,) = new.summaries.read(stored)
        assert file is not None
        content = hdf5_bytes(summary_from_bytes(file.content, ""))
        store.calibrations.add(
            stored.record,
            stored.starts,
            stamp(),
            new.detectors.get(stored.record.serial),
            summaries=(SummaryFile(file.id, content),),
        )
    return store


def summary_in(store: Store) -> tuple[Summary, bytes]:
    """The summary of the calibration, and its file."""
    (file,) = store.summaries.read(store.calibrations.get(f"{SERIAL}:1"))
    assert file is not None
    ((summary, size),) = shown_summaries(store, f"{SERIAL}:1")
    assert size == len(file.content)
    return summary, file.content


def test_they_are_combined_like_others(old: Store, tmp_path: Path) -> None:
    from_old = combine(CombineRequest((f"{SERIAL}:1",)), old, stamp(), dry_run=True)
    with Store.open(tmp_path / "new.sqlite") as new:
        from_new = combine(CombineRequest((f"{SERIAL}:1",)), new, stamp(), dry_run=True)
    assert from_old.record.id == from_new.record.id


def converted(store: Store) -> bytes | None:
    (file,) = store.summaries.read(store.calibrations.get(f"{SERIAL}:1"))
    assert file is not None
    return file.converted


def n_read() -> int:
    """How many HDF5 files were read."""
    return hdf5_process._WORKER._n_read


def test_they_are_converted_once_with_what_is_derived_from_them(old: Store) -> None:
    summary, recorded = summary_in(old)
    assert converted(old) is None
    combine(CombineRequest((f"{SERIAL}:1",)), old, stamp())
    assert converted(old) == summary_bytes(summary)
    kinds = [entry.kind for entry in old.log.entries()]
    assert kinds == ["calibration", "calibration"]
    before = n_read()
    again, content = summary_in(old)
    combine(CombineRequest((f"{SERIAL}:1", f"{SERIAL}:2")), old, stamp())
    assert (again.id, content, n_read()) == (summary.id, recorded, before)
    assert old.log.audit().findings == ()


def test_a_changed_conversion_is_found(old: Store, tmp_path: Path) -> None:
    combine(CombineRequest((f"{SERIAL}:1",)), old, stamp())
    raw.tamper(str(tmp_path / "calib.sqlite"), "UPDATE summary_content SET content = x'00'")
    with pytest.raises(IntegrityError):
        converted(old)


@pytest.mark.parametrize("file_format", [None, *SummaryFormat])
def test_they_are_exported_as_recorded_or_as_asked(
    old: Store, tmp_path: Path, file_format: SummaryFormat | None
) -> None:
    ((_, path),) = export_summaries(
        old, f"{SERIAL}:1", tmp_path, serial=None, datasets=(), file_format=file_format, force=False
    )
    summary, recorded = summary_in(old)
    new = file_format is SummaryFormat.NPZ
    assert path.name == ("night1.calib.npz" if new else "night1.calib.h5")
    assert path.read_bytes() == (summary_bytes(summary) if new else recorded)


def bundled(store: Store, folder: Path) -> Path:
    path = folder / "some.calib-bundle"
    with path.open("wb") as file:
        bundle_writer(store.bundles.export(SERIAL))(file)
    return path


def loaded_into(folder: Path, path: Path, *, dry_run: bool = False) -> Store:
    place = folder / "there.sqlite"
    Store.create(place)
    there = Store.open(place)
    try:
        load(there, path, stamp(), adopt=False, supersede=False, dry_run=dry_run)
    except FileFormatError:
        assert there.detectors.list() == []
        raise
    finally:
        there.close()
    return there


def test_they_travel_in_bundles(old: Store, tmp_path: Path) -> None:
    loaded_into(tmp_path, bundled(old, tmp_path))
    with Store.open(tmp_path / "there.sqlite") as there:
        assert summary_in(there)[1] == summary_in(old)[1]


def test_conversions_travel_in_bundles(old: Store, tmp_path: Path) -> None:
    combine(CombineRequest((f"{SERIAL}:1",)), old, stamp())
    loaded_into(tmp_path, bundled(old, tmp_path))
    with Store.open(tmp_path / "there.sqlite") as there:
        assert converted(there) == converted(old)
        assert there.log.audit().findings == ()


def test_a_bundle_with_a_wrong_conversion_is_not_recorded(
    old: Store, store: Store, tmp_path: Path
) -> None:
    stored = old.calibrations.get(f"{SERIAL}:1")
    (file,) = old.summaries.read(stored)
    assert file is not None
    Store.create(tmp_path / "forged.sqlite")
    with Store.open(tmp_path / "forged.sqlite") as forged:
        forged.calibrations.add(
            stored.record,
            stored.starts,
            stamp(),
            old.detectors.get(SERIAL),
            summaries=(replace(file, converted=written()),),
        )
        path = bundled(forged, tmp_path)
    with pytest.raises(FileFormatError, match="has another id"):
        loaded_into(tmp_path, path)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("changes", [HANGING, CRASHING, None], ids=["hangs", "crashes", "other"])
def test_a_bundle_with_a_summary_that_cannot_be_read_is_not_recorded(
    store: Store,
    tmp_path: Path,
    changes: dict[int, int] | None,
    dry_run: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hdf5_process, "SECONDS", 1.0)
    record, files = with_summaries(calibration())
    if changes is not None:
        files = tuple(file and SummaryFile(file.id, hostile(changes)) for file in files)
    store.calibrations.add(record, (None, None), stamp(), detector(), files)
    path = bundled(store, tmp_path)
    begun = time.monotonic()
    with pytest.raises(FileFormatError) as caught:
        loaded_into(tmp_path, path, dry_run=dry_run)
    assert time.monotonic() - begun < LIMIT_S
    assert (caught.value.code, caught.value.place) == ("broken-bundle", str(path))


def test_a_bundle_with_a_summary_of_another_id_is_not_recorded(
    old: Store, store: Store, tmp_path: Path
) -> None:
    _, content = summary_in(old)
    record, files = with_summaries(calibration(serial="24-0999"))
    files = tuple(file and SummaryFile(file.id, content) for file in files)
    Store.create(tmp_path / "forged.sqlite")
    with Store.open(tmp_path / "forged.sqlite") as forged:
        forged.calibrations.add(record, (None, None), stamp(), detector("24-0999"), files)
        path = tmp_path / "some.calib-bundle"
        with path.open("wb") as file:
            bundle_writer(forged.bundles.export("24-0999"))(file)
    with pytest.raises(FileFormatError, match="has another id"):
        loaded_into(tmp_path, path)
