"""Bundles: what arrives is what was sent, it proves itself, and holds nothing unless adopted."""

from __future__ import annotations

import hashlib
import io
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.errors import CalibError, FileFormatError, InputError, LayoutError, NotFoundError
from calib.files.bundle_file import MAGIC, bundle_writer, read_bundle
from calib.model.bundle import Bundle, BundleEntry, _hashed
from calib.model.log import entry_id, rows_id
from calib.model.origin import Loaded
from calib.model.placement import BeamlinePlacement
from calib.model.record import CalibrationRecord
from calib.store.store import Store
from support import raw
from support.records import (
    DAY,
    NOON,
    SERIAL,
    application,
    calibration,
    certification,
    deed,
    detector,
    provenance,
    with_summaries,
)

OTHER = "24-0108"
BY_CLEO = deed(NOON + 9 * DAY, "cleo", "elsewhere")


@pytest.fixture(scope="module")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two calibrations of a detector, certified, one withdrawn, applied and moved."""
    place = tmp_path_factory.mktemp("home") / "home.sqlite"
    Store.create(place)
    with Store.open(place) as store:
        record, files = with_summaries(calibration())
        first, _ = store.add_calibration(
            record, (NOON, None), deed(), detector(), files, provenance()
        )
        second, _ = store.add_calibration(calibration(seed=1), (NOON, NOON), deed())
        wrong = store.certify(certification(second, NOON, NOON + DAY))
        store.withdraw(wrong.number, "a loose cable", deed())
        store.certify(certification(first, NOON, NOON + DAY))
        store.certify(certification(second, NOON + DAY))
        store.record_application(application(first))
        store.place_detector(BeamlinePlacement(0, SERIAL, "I04", NOON, "", deed()), deed())
    return place


@pytest.fixture
def home(filled_home: Path, tmp_path: Path) -> Iterator[Store]:
    """A copy of that store, open."""
    place = tmp_path / "home.sqlite"
    shutil.copy(filled_home, place)
    with Store.open(place) as store:
        yield store


def sent(bundle: Bundle, folder: Path) -> Path:
    path = folder / "some.calib-bundle"
    with path.open("wb") as file:
        bundle_writer(bundle)(file)
    return path


def moved(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle as it comes out of a file."""
    return read_bundle(sent(bundle, folder))


def everything(place: str) -> dict[str, list[tuple[object, ...]]]:
    return {table: raw.rows(place, table) for table in raw.TABLES}


def same(one: CalibrationRecord, other: CalibrationRecord) -> bool:
    return one.id == other.id and np.array_equal(one.estimate.covariance, other.estimate.covariance)


def test_what_arrives_is_what_was_sent_under_the_next_number(
    home: Store, store: Store, tmp_path: Path
) -> None:
    store.add_calibration(calibration(seed=7), (None, None), deed(), detector())
    loaded = store.load_bundle(moved(home.bundle(SERIAL), tmp_path), BY_CLEO)
    assert loaded.calibrations == ((f"{SERIAL}:2", 1, True), (f"{SERIAL}:3", 2, True))
    assert not loaded.registered
    for number in (1, 2):
        mine = home.calibration(f"{SERIAL}:{number}")
        found = store.calibration(mine.id)
        assert same(found.record, mine.record)
        assert (found.version, found.stored.actor) == (number + 1, "cleo")
        assert found.starts == mine.starts
        assert store.summaries(found) == home.summaries(mine)
        assert {one.version for one in store.origins(calibration_id=mine.id)} == {number}
    assert store.audit().findings == ()


def test_loading_twice_adds_nothing(home: Store, place: str, store: Store, tmp_path: Path) -> None:
    for with_usage in (False, True):
        bundle = moved(home.bundle(SERIAL, with_usage=with_usage), tmp_path)
        store.load_bundle(bundle, BY_CLEO, adopt=True)
        once = everything(place)
        again = store.load_bundle(bundle, BY_CLEO, adopt=True)
        assert (again.n_history, again.adopted, again.n_applications) == (0, (), 0)
        assert not any(new for _, _, new in again.calibrations)
        assert everything(place) == once


def test_a_later_bundle_adds_what_is_new(home: Store, store: Store, tmp_path: Path) -> None:
    store.load_bundle(moved(home.bundle(SERIAL), tmp_path), BY_CLEO)
    third, _ = home.add_calibration(calibration(seed=2), (None, None), deed())
    home.certify(certification(third, NOON + 5 * DAY))
    loaded = store.load_bundle(moved(home.bundle(SERIAL), tmp_path), BY_CLEO)
    assert [new for _, _, new in loaded.calibrations] == [False, False, True]
    assert loaded.n_history == 2


def test_another_facilitys_word_holds_nothing_here(
    home: Store, store: Store, tmp_path: Path
) -> None:
    store.load_bundle(moved(home.bundle(SERIAL), tmp_path), BY_CLEO)
    assert store.certifications(SERIAL) == []
    with pytest.raises(NotFoundError):
        store.resolve(SERIAL, NOON + 2 * DAY, 150.0)
    told = store.origins(serial=SERIAL)
    assert [one.told.entry.hash for one in told] == [entry.hash for entry in home.log(SERIAL)]
    certified = [one for one in told if one.told.entry.kind == "certification"]
    assert [one.version for one in certified] == [2, 1, 2]
    assert certified[0].said["valid_from"] == NOON
    (taken_back,) = (one for one in told if one.told.entry.kind == "withdrawal")
    assert (taken_back.version, taken_back.said["reason"]) == (2, "a loose cable")


def test_adopted_certifications_hold_from_now_on(home: Store, store: Store, tmp_path: Path) -> None:
    store.add_detector(detector(), deed())
    before = store.moment()
    loaded = store.load_bundle(moved(home.bundle(SERIAL), tmp_path), BY_CLEO, adopt=True)
    assert len(loaded.adopted) == 2
    for days in (0.5, 3):
        theirs = home.resolve(SERIAL, NOON + days * DAY, 150.0).calibration
        ours = store.resolve(SERIAL, NOON + days * DAY, 150.0)
        assert ours.calibration.id == theirs.id
        assert ours.certification.recorded.actor == "cleo"
    with pytest.raises(NotFoundError):
        store.resolve(SERIAL, NOON + 3 * DAY, 150.0, as_known_at=before.position)


def test_adopting_obeys_the_law_of_overlaps_or_nothing_is_written(
    home: Store, place: str, store: Store, tmp_path: Path
) -> None:
    mine, _ = store.add_calibration(calibration(seed=7), (None, None), deed(), detector())
    store.certify(certification(mine, NOON, NOON + 2 * DAY))
    bundle, before = moved(home.bundle(SERIAL), tmp_path), everything(place)
    with pytest.raises(InputError) as caught:
        store.load_bundle(bundle, BY_CLEO, adopt=True)
    assert caught.value.code == "overlap"
    assert everything(place) == before
    store.load_bundle(bundle, BY_CLEO, adopt=True, supersede=True)
    assert store.resolve(SERIAL, NOON, 150.0).calibration.id != mine.id


def would_load(place: str, bundle: Bundle, **how: bool) -> Loaded | str:
    """What a dry run says, or the code of its refusal; it leaves everything as it is."""
    before = everything(place)
    with Store.open(place, read_only=True) as store:
        try:
            return store.load_bundle(bundle, BY_CLEO, dry_run=True, **how)
        except CalibError as error:
            return error.code
        finally:
            assert everything(place) == before


def test_a_dry_run_of_who_may_only_read_tells_what_loading_then_does(
    home: Store, place: str, store: Store, tmp_path: Path
) -> None:
    one = moved(home.bundle(SERIAL, home.calibration(f"{SERIAL}:1").id), tmp_path)
    whole = moved(home.bundle(SERIAL, with_usage=True), tmp_path)
    for turn, (bundle, how) in enumerate(
        (
            (one, {}),  # a detector that is new here
            (whole, {}),  # one that is known
            (whole, {"adopt": True}),
            (whole, {"adopt": True}),  # nothing is left to do
        )
    ):
        # Other detectors move the log on.
        store.add_calibration(calibration(OTHER, turn), (None, None), deed(), detector(OTHER))
        would = would_load(place, bundle, **how)
        assert isinstance(would, Loaded)
        loaded = store.load_bundle(bundle, BY_CLEO, **how)
        assert fields(would) == fields(loaded)
    mine, _ = store.add_calibration(calibration(seed=7), (None, None), deed())
    store.certify(certification(mine, NOON), supersede=True)
    third, _ = home.add_calibration(calibration(seed=8), (None, None), deed())
    home.certify(certification(third, NOON - DAY), supersede=True)
    whole = moved(home.bundle(SERIAL), tmp_path)
    assert would_load(place, whole, adopt=True) == "overlap"
    would = would_load(place, whole, adopt=True, supersede=True)
    assert isinstance(would, Loaded)
    loaded = store.load_bundle(whole, BY_CLEO, adopt=True, supersede=True)
    assert fields(would) == fields(loaded)


def fields(loaded: Loaded) -> tuple[object, ...]:
    return tuple(getattr(loaded, name) for name in Loaded.__slots__)


def test_there_and_back_again_changes_nothing_at_home(
    home: Store, store: Store, tmp_path: Path
) -> None:
    store.load_bundle(moved(home.bundle(SERIAL), tmp_path), BY_CLEO, adopt=True)
    back = home.load_bundle(moved(store.bundle(SERIAL), tmp_path), deed())
    assert not any(new for _, _, new in back.calibrations)
    assert [one.version for one in home.calibrations(SERIAL)] == [1, 2]
    own = {entry.hash for entry in home.log(SERIAL)}
    assert not own & {one.told.entry.hash for one in home.origins(serial=SERIAL)}
    assert home.audit().findings == ()
    assert store.audit().findings == ()


def test_names_and_paths_stay_at_home_unless_they_are_to_travel(
    home: Store, store: Store, tmp_path: Path
) -> None:
    secrets = (b'"ada"', b'"host":"beamline"', b"/data/night1.expt")
    packed = sent(home.bundle(SERIAL), tmp_path).read_bytes()
    text = zlib.decompress(packed[len(MAGIC) : -65])
    assert [word for word in secrets if word in text] == []
    packed = sent(home.bundle(SERIAL, with_usage=True), tmp_path).read_bytes()
    text = zlib.decompress(packed[len(MAGIC) : -65])
    assert [word for word in secrets if word in text] == list(secrets)
    loaded = store.load_bundle(read_bundle(tmp_path / "some.calib-bundle"), BY_CLEO)
    assert loaded.n_applications == 1
    assert store.applications(SERIAL) == home.applications(SERIAL)
    first = home.calibration(f"{SERIAL}:1")
    assert store.provenance(first.id) == provenance()
    assert store.origins(calibration_id=first.id)[0].told.entry.recorded.actor == "ada"


def test_one_calibration_travels_alone(home: Store, store: Store, tmp_path: Path) -> None:
    second = home.calibration(f"{SERIAL}:2")
    loaded = store.load_bundle(moved(home.bundle(SERIAL, second.id), tmp_path), BY_CLEO, adopt=True)
    assert loaded.calibrations == ((f"{SERIAL}:1", 2, True),)
    assert (loaded.registered, len(loaded.adopted)) == (True, 1)
    assert same(store.calibration(second.id).record, second.record)
    assert len(store.calibrations(SERIAL)) == 1
    assert store.audit().findings == ()


def test_a_detector_without_calibrations_travels(home: Store, store: Store, tmp_path: Path) -> None:
    home.add_detector(detector(OTHER), deed())
    loaded = store.load_bundle(moved(home.bundle(OTHER), tmp_path), BY_CLEO)
    assert (loaded.registered, loaded.calibrations) == (True, ())
    assert store.detector(OTHER).layout_id == detector(OTHER).layout_id


def test_another_detector_of_the_same_serial_is_refused(
    home: Store, place: str, store: Store, tmp_path: Path
) -> None:
    store.add_detector(detector(SERIAL, seed=5), deed())
    before = everything(place)
    with pytest.raises(LayoutError):
        store.load_bundle(moved(home.bundle(SERIAL), tmp_path), BY_CLEO)
    assert everything(place) == before


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def assert_every_flip_is_found(bundle: Bundle, folder: Path, n_tried: int) -> None:
    path = sent(bundle, folder)
    data, rng = path.read_bytes(), np.random.default_rng(1)
    places = rng.choice(len(data), size=min(n_tried, len(data)), replace=False)
    for place in (0, len(MAGIC), len(data) - 1, len(data) - 65, *places.tolist()):
        path.write_bytes(flipped(data, place, int(rng.integers(8))))
        with pytest.raises(FileFormatError):
            read_bundle(path)
    for end in (0, 3, len(MAGIC), len(data) // 2, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(FileFormatError):
            read_bundle(path)
    path.write_bytes(data + b"\n")
    with pytest.raises(FileFormatError):
        read_bundle(path)


def test_any_flipped_byte_is_found(home: Store, tmp_path: Path) -> None:
    assert_every_flip_is_found(home.bundle(SERIAL), tmp_path, 200)


@pytest.mark.long
def test_every_single_byte_flipped_is_found(home: Store, tmp_path: Path) -> None:
    assert_every_flip_is_found(home.bundle(SERIAL), tmp_path, 10**9)


def resealed(bundle: Bundle, folder: Path, old: bytes, new: bytes) -> Path:
    """A bundle changed by somebody who can compute the hash at its end."""
    data = sent(bundle, folder).read_bytes()
    text = zlib.decompress(data[len(MAGIC) : -65])
    assert old in text
    body = MAGIC + zlib.compress(text.replace(old, new, 1))
    path = folder / "resealed.calib-bundle"
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode() + b"\n")
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"a loose cable", b"a loose table", "not what it was|not those that the log speaks of"),
        (b'"measured"', b'"sparse"', "not those that the log speaks of"),
        (b'"ordinal":3', b'"ordinal":4', "is not what it was"),
        (b'"kind":"entry"', b'"kind":"other"', "a line of the kind 'other'"),
        (b'"loose":false', b'"loose":true', "are missing"),
        (b'"recorded_at":{', b'"recorded_at":7,"x":{', "missing or misshapen"),
        (b'"serial":"24-0107"', b'"serial":"24-0108"', "does not follow"),
        (b'{"kind":"bundle"', b'[{"kind":"bundle"', "cannot be unpacked"),
    ],
)
def test_a_bundle_that_was_changed_and_sealed_again_does_not_prove_itself(
    home: Store, tmp_path: Path, old: bytes, new: bytes, told: str
) -> None:
    with pytest.raises(FileFormatError, match=told):
        read_bundle(resealed(home.bundle(SERIAL), tmp_path, old, new))


def test_rows_left_out_are_missed(home: Store) -> None:
    bundle = home.bundle(SERIAL)
    for index in range(len(bundle.rows)):
        left = replace(bundle, rows=bundle.rows[:index] + bundle.rows[index + 1 :])
        with pytest.raises(FileFormatError, match="are missing"):
            left.verify()
    for index in range(1, len(bundle.entries) - 1):
        left = replace(bundle, entries=bundle.entries[:index] + bundle.entries[index + 1 :])
        with pytest.raises(FileFormatError):
            left.verify()


@pytest.mark.parametrize(
    ("text", "times"),
    [(bytes(2**20), 600), (b"{}," * 2**18, 6), (b"[]," * 2**18, 6), (b"1," * 2**18, 10)],
    ids=["nothing", "objects", "lists", "numbers"],
)
def test_a_file_that_would_burst_is_refused_in_time(
    tmp_path: Path, text: bytes, times: int
) -> None:
    packer, out = zlib.compressobj(9), io.BytesIO(b"")
    out.write(MAGIC)
    out.write(packer.compress(b'{"kind": ['))
    for _ in range(times):
        out.write(packer.compress(text))
    out.write(packer.flush())
    body = out.getvalue()
    assert len(body) < 2**20
    path = tmp_path / "bomb.calib-bundle"
    path.write_bytes(body + hashlib.sha256(body).hexdigest().encode() + b"\n")
    with pytest.raises(FileFormatError, match="would unpack to more than"):
        read_bundle(path)


def forged(bundle: Bundle, table: str, column: str, value: object) -> Bundle:
    """The bundle with another value (or none: ``...``) throughout a column, by somebody who writes
    the whole log again."""
    rows = []
    for one in bundle.rows:
        columns = dict(one.columns)
        if one.table == table:
            columns[column] = (value,) * len(columns[column])
            if value is ...:
                del columns[column]
        rows.append(replace(one, columns=columns))
    hashed = {(one.position, one.table): rows_id(_hashed(one.columns)) for one in rows}
    entries: list[BundleEntry] = []
    for told in bundle.entries:
        place = told.entry.position
        contents = {
            name: hashed.get((place, name), was) for name, was in told.entry.contents.items()
        }
        previous = entries[-1].entry.hash if entries else None
        entry = replace(told.entry, contents=contents, previous=previous)
        entry = replace(entry, hash=entry_id(entry, told.by))
        entries.append(replace(told, entry=entry))
    return replace(bundle, entries=tuple(entries), rows=tuple(rows))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("calibration", "report", True),
        ("calibration", "report", "{"),
        ("calibration", "report", "[true]"),
        ("calibration", "report", '{"overall": 7}'),
        ("calibration", "report", ...),
        ("calibration", "version", "first"),
        ("calibration", "distances_mm", "7"),
        ("calibration", "distances_mm", "[" * 5000 + "]" * 5000),
        ("calibration", "parameters", "[]"),
        ("calibration", "accepted", 2**70),
        ("calibration", "freedom", "none"),
        ("dataset", "name", None),
        ("dataset", "name", "a\0b"),
        ("dataset", "started", 7),
        ("panel", "n_reflections", 1.5),
        ("panel", "n_reflections", 2**63),
        ("panel", "dx", "left"),
        ("panel", "dx", True),
        ("detector", "layout", "{}"),
        ("detector", "layout", None),
        ("certification", "distance_max_mm", "far"),
        ("certification", "distance_max_mm", -1.0),
        ("certification", "valid_from", 0),
        ("placement", "beamline", 4),
        ("withdrawal", "reason", 4),
        ("withdrawal", "certification", 2**64),
        ("provenance", "environment", "[]"),
        ("provenance", "paths", "[7]"),
        ("provenance", "paths", '{"ab": 7}'),
        ("provenance", "environment", '{"python": 3}'),
        ("application", "output_names", "7"),
        ("application", "output_names", 7),
        ("artifact", "content", ...),
        ("artifact", "content", "text"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_forged_bundle_is_refused_whole_whoever_wrote_its_log(
    home: Store, place: str, store: Store, table: str, column: str, value: object
) -> None:
    bundle = forged(home.bundle(SERIAL, with_usage=True), table, column, value)
    before = everything(place)
    with pytest.raises(CalibError) as caught:
        store.load_bundle(bundle, BY_CLEO, adopt=True)
    assert caught.value.exit_code == 2
    assert everything(place) == before


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"PK\x03\x04", MAGIC, MAGIC + bytes(100)):
        path = tmp_path / "no.calib-bundle"
        path.write_bytes(data)
        with pytest.raises(FileFormatError) as caught:
            read_bundle(path)
        assert caught.value.code == "no-bundle"
