"""Bundles: the content loaded is the content exported, and certifies nothing unless adopted."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from calib.errors import CalibError, InputError, LayoutError, NotFoundError
from calib.files.native.bundle import MAGIC, read_bundle
from calib.model.store.bundle import Bundle, Loaded
from calib.model.store.record import CalibrationRecord
from calib.store.store import Store
from support.bundles import moved, sent
from support.raw import everything
from support.records import (
    DAY,
    NOON,
    SERIAL,
    calibration,
    certification,
    detector,
    provenance,
    stamp,
)

OTHER = "24-0108"
BY_CLEO = stamp(NOON + 9 * DAY, "cleo", "elsewhere")


def same(one: CalibrationRecord, other: CalibrationRecord) -> bool:
    return one.id == other.id and np.array_equal(one.estimate.covariance, other.estimate.covariance)


def test_loaded_calibrations_are_those_exported_with_the_next_versions(
    home: Store, store: Store, tmp_path: Path
) -> None:
    store.calibrations.add(calibration(seed=7), (None, None), stamp(), detector())
    loaded = store.bundles.load(moved(home.bundles.export(SERIAL), tmp_path), BY_CLEO)
    assert loaded.calibrations == ((f"{SERIAL}:2", 1, True), (f"{SERIAL}:3", 2, True))
    assert not loaded.registered
    for number in (1, 2):
        mine = home.calibrations.get(f"{SERIAL}:{number}")
        found = store.calibrations.get(mine.id)
        assert same(found.record, mine.record)
        assert (found.version, found.stored.actor) == (number + 1, "cleo")
        assert found.starts == mine.starts
        assert store.summaries.read(found) == home.summaries.read(mine)
        assert {one.version for one in store.bundles.origins(calibration_id=mine.id)} == {number}
    assert store.log.audit().findings == ()


def test_loading_twice_adds_nothing(home: Store, place: str, store: Store, tmp_path: Path) -> None:
    for with_usage in (False, True):
        bundle = moved(home.bundles.export(SERIAL, with_usage=with_usage), tmp_path)
        store.bundles.load(bundle, BY_CLEO, adopt=True)
        once = everything(place)
        again = store.bundles.load(bundle, BY_CLEO, adopt=True)
        assert (again.n_history, again.adopted, again.n_applications) == (0, (), 0)
        assert not any(new for _, _, new in again.calibrations)
        assert everything(place) == once


def test_a_later_bundle_adds_what_is_new(home: Store, store: Store, tmp_path: Path) -> None:
    store.bundles.load(moved(home.bundles.export(SERIAL), tmp_path), BY_CLEO)
    third, _ = home.calibrations.add(calibration(seed=2), (None, None), stamp())
    home.certifications.certify(certification(third, NOON + 5 * DAY))
    loaded = store.bundles.load(moved(home.bundles.export(SERIAL), tmp_path), BY_CLEO)
    assert [new for _, _, new in loaded.calibrations] == [False, False, True]
    assert loaded.n_history == 2


def test_certifications_of_another_store_certify_nothing_here(
    home: Store, store: Store, tmp_path: Path
) -> None:
    store.bundles.load(moved(home.bundles.export(SERIAL), tmp_path), BY_CLEO)
    assert store.certifications.list(SERIAL) == []
    with pytest.raises(NotFoundError):
        store.resolve(SERIAL, NOON + 2 * DAY, 150.0)
    origins = store.bundles.origins(serial=SERIAL)
    assert [one.bundled.entry.hash for one in origins] == [
        entry.hash for entry in home.log.entries(SERIAL)
    ]
    certified = [one for one in origins if one.bundled.entry.kind == "certification"]
    assert [one.version for one in certified] == [2, 1, 2]
    assert certified[0].values["valid_from"] == NOON
    (withdrawal,) = (one for one in origins if one.bundled.entry.kind == "withdrawal")
    assert (withdrawal.version, withdrawal.values["reason"]) == (2, "a loose cable")


def test_adopted_certifications_apply_from_the_time_of_loading(
    home: Store, store: Store, tmp_path: Path
) -> None:
    store.detectors.add(detector(), stamp())
    before = store.log.moment()
    loaded = store.bundles.load(moved(home.bundles.export(SERIAL), tmp_path), BY_CLEO, adopt=True)
    assert len(loaded.adopted) == 2
    for days in (0.5, 3):
        theirs = home.resolve(SERIAL, NOON + days * DAY, 150.0).calibration
        ours = store.resolve(SERIAL, NOON + days * DAY, 150.0)
        assert ours.calibration.id == theirs.id
        assert ours.certification.recorded.actor == "cleo"
    with pytest.raises(NotFoundError):
        store.resolve(SERIAL, NOON + 3 * DAY, 150.0, as_known_at=before.position)


def test_adopting_is_refused_for_an_overlap_and_nothing_is_written(
    home: Store, place: str, store: Store, tmp_path: Path
) -> None:
    mine, _ = store.calibrations.add(calibration(seed=7), (None, None), stamp(), detector())
    store.certifications.certify(certification(mine, NOON, NOON + 2 * DAY))
    bundle, before = moved(home.bundles.export(SERIAL), tmp_path), everything(place)
    with pytest.raises(InputError) as caught:
        store.bundles.load(bundle, BY_CLEO, adopt=True)
    assert caught.value.code == "overlap"
    assert everything(place) == before
    store.bundles.load(bundle, BY_CLEO, adopt=True, supersede=True)
    assert store.resolve(SERIAL, NOON, 150.0).calibration.id != mine.id


def would_load(place: str, bundle: Bundle, **how: bool) -> Loaded | str:
    """The preview of a load, or the code of its error; it changes nothing."""
    before = everything(place)
    with Store.open(place, read_only=True) as store:
        try:
            return store.bundles.preview_load(bundle, BY_CLEO, **how)
        except CalibError as error:
            return error.code
        finally:
            assert everything(place) == before


def test_a_preview_without_write_access_returns_what_loading_then_returns(
    home: Store, place: str, store: Store, tmp_path: Path
) -> None:
    one = moved(home.bundles.export(SERIAL, home.calibrations.get(f"{SERIAL}:1").id), tmp_path)
    whole = moved(home.bundles.export(SERIAL, with_usage=True), tmp_path)
    for turn, (bundle, how) in enumerate(
        (
            (one, {}),  # of a new detector
            (whole, {}),  # of a known detector
            (whole, {"adopt": True}),
            (whole, {"adopt": True}),  # nothing is new
        )
    ):
        # Changes of other detectors increase the position of the log.
        store.calibrations.add(calibration(OTHER, turn), (None, None), stamp(), detector(OTHER))
        would = would_load(place, bundle, **how)
        assert isinstance(would, Loaded)
        loaded = store.bundles.load(bundle, BY_CLEO, **how)
        assert fields(would) == fields(loaded)
    mine, _ = store.calibrations.add(calibration(seed=7), (None, None), stamp())
    store.certifications.certify(certification(mine, NOON), supersede=True)
    third, _ = home.calibrations.add(calibration(seed=8), (None, None), stamp())
    home.certifications.certify(certification(third, NOON - DAY), supersede=True)
    whole = moved(home.bundles.export(SERIAL), tmp_path)
    assert would_load(place, whole, adopt=True) == "overlap"
    would = would_load(place, whole, adopt=True, supersede=True)
    assert isinstance(would, Loaded)
    loaded = store.bundles.load(whole, BY_CLEO, adopt=True, supersede=True)
    assert fields(would) == fields(loaded)


def fields(loaded: Loaded) -> tuple[object, ...]:
    return tuple(getattr(loaded, name) for name in Loaded.__slots__)


def test_a_bundle_that_returns_changes_nothing_in_its_store(
    home: Store, store: Store, tmp_path: Path
) -> None:
    store.bundles.load(moved(home.bundles.export(SERIAL), tmp_path), BY_CLEO, adopt=True)
    back = home.bundles.load(moved(store.bundles.export(SERIAL), tmp_path), stamp())
    assert not any(new for _, _, new in back.calibrations)
    assert [one.version for one in home.calibrations.list(SERIAL)] == [1, 2]
    own = {entry.hash for entry in home.log.entries(SERIAL)}
    assert not own & {one.bundled.entry.hash for one in home.bundles.origins(serial=SERIAL)}
    assert home.log.audit().findings == ()
    assert store.log.audit().findings == ()


def test_names_and_paths_are_exported_only_with_usage(
    home: Store, store: Store, tmp_path: Path
) -> None:
    secrets = (b'"ada"', b'"host":"beamline"', b"/data/night1.expt")
    packed = sent(home.bundles.export(SERIAL), tmp_path).read_bytes()
    text = zlib.decompress(packed[len(MAGIC) : -65])
    assert [word for word in secrets if word in text] == []
    packed = sent(home.bundles.export(SERIAL, with_usage=True), tmp_path).read_bytes()
    text = zlib.decompress(packed[len(MAGIC) : -65])
    assert [word for word in secrets if word in text] == list(secrets)
    loaded = store.bundles.load(read_bundle(tmp_path / "some.calib-bundle"), BY_CLEO)
    assert loaded.n_applications == 1
    assert store.applications.list(SERIAL) == home.applications.list(SERIAL)
    first = home.calibrations.get(f"{SERIAL}:1")
    assert store.calibrations.provenance(first.id) == provenance()
    assert store.bundles.origins(calibration_id=first.id)[0].bundled.entry.recorded.actor == "ada"


def test_one_calibration_can_be_exported_alone(home: Store, store: Store, tmp_path: Path) -> None:
    second = home.calibrations.get(f"{SERIAL}:2")
    loaded = store.bundles.load(
        moved(home.bundles.export(SERIAL, second.id), tmp_path), BY_CLEO, adopt=True
    )
    assert loaded.calibrations == ((f"{SERIAL}:1", 2, True),)
    assert (loaded.registered, len(loaded.adopted)) == (True, 1)
    assert same(store.calibrations.get(second.id).record, second.record)
    assert len(store.calibrations.list(SERIAL)) == 1
    assert store.log.audit().findings == ()


def test_a_detector_without_calibrations_can_be_exported(
    home: Store, store: Store, tmp_path: Path
) -> None:
    home.detectors.add(detector(OTHER), stamp())
    loaded = store.bundles.load(moved(home.bundles.export(OTHER), tmp_path), BY_CLEO)
    assert (loaded.registered, loaded.calibrations) == (True, ())
    assert store.detectors.get(OTHER).layout_id == detector(OTHER).layout_id


def test_another_detector_of_the_same_serial_is_refused(
    home: Store, place: str, store: Store, tmp_path: Path
) -> None:
    store.detectors.add(detector(SERIAL, seed=5), stamp())
    before = everything(place)
    with pytest.raises(LayoutError):
        store.bundles.load(moved(home.bundles.export(SERIAL), tmp_path), BY_CLEO)
    assert everything(place) == before
