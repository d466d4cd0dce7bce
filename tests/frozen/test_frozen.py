"""Files written by an earlier program are read as they were, and verify.

What they hold and which program wrote them say ``make.py`` and ``files/commit.txt``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.store.api import maintenance
from calib.store.schema import revision as schema
from calib.store.store import Store
from support import raw
from support.commands import calib, done

FILES = Path(__file__).parent / "files"
FIXTURES = Path(__file__).parents[2] / "fixtures"
SERIAL = "3-0999"
REVISION = "0013"
"""The revision of the frozen store."""
IDS = {
    1: "a5c8ad27f535c8550f9e74acb293f42db3a3460986718cd1151d1b8d2c5c04ae",
    2: "25de02150f232bfa203c709efe65e765840a31b6a97465051a8c8072f1629b1a",
    3: "36fbab451776da704eac52dfd140c83a3ecff91d64afe134f0a08e646ed56482",
    4: "0e9462f186b407056ea9242b6378ae7da5c69dca7dd018538ec289dea2c709b4",
    5: "ba75c838d147f859632aaec83bbbd2a218496f3a219014bb503ea37c2c43f3fe",
    6: "4cd64f85de8984220f43eee394e6d44910a0ed8f505b1705db19417e82635a4f",
    7: "911d83c174da0f67dfb35bce7fc85a0e7ceeb6e8f6d28f6166a26fa96f834100",
}
"""Version -> id."""
SUMMARIES = {
    "small_far": "fc6c677eb1451f63a96d96d28dbe2b3dc66677e2dbcbcdc6bd24346d31fe47fd",
    "small_near": "84bd77bb467222a14b8037c6856e5f4cb4630751f9b00ad928a0055a29912f21",
}
"""Dataset -> id of its summary."""
PROSE = ("notes", "lost", "warnings", "problem", "remedy")
"""Keys of sentences that the program writes when it is asked; all other values were stored or
follow from what was stored."""
COMPUTED = ("history", "diff")
"""Commands whose numbers come from linear algebra, the last bits of which vary by machine."""
RELATIVE = 1e-6
EVERYTHING = [json.loads(line) for line in (FILES / "answers.jsonl").read_text().splitlines()]
BUNDLES = {
    "detector": (1, 2, 3, 4, 5, 6, 7),
    "calibration": (1,),
    "elsewhere": (4,),
}
"""Bundle -> versions in the frozen store of the calibrations it carries."""

ADDED = {
    "sigma_um", "repeatability_um", "comparisons", "still", "n_readmitted", "n_outliers_kept",
    "limited_panels", "disputed_panels", "layout_name", "earlier_time_zones", "retired", "edits",
    "retirements", "edit", "retirement", "relabelling", "relabelled", "replaces", "log_head",
    "method", "compared_head", "prior", "structure", "repeatability", "what_if",
    "n_edits", "n_retirements", "n_relabellings",
}  # fmt: skip
"""Keys that later versions added."""
REPEATING, NOISE_ONLY = {"diff", "history"}, ("--repeat-um", "0")
"""Commands that count the repeatability of detectors now, and how they do not."""


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all files as the current folder, with the frozen store as CALIB_STORE."""
    folder = tmp_path / "frozen"
    shutil.copytree(FILES, folder)
    for path in FIXTURES.glob("small_*"):
        shutil.copy(path, folder)
    store = folder / "store.db"
    store.write_bytes(gzip.decompress((folder / "store.db.gz").read_bytes()))
    maintenance.upgrade(str(store))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CALIB_STORE", str(store))
    monkeypatch.setenv("CALIB_ACTOR", "bob")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "settings"))
    return folder


def without_prose(content: Any) -> Any:
    """The content without added keys, with sentences of the program replaced by how many there
    are."""
    if isinstance(content, dict):
        return {
            key: _count(value) if key in PROSE else without_prose(value)
            for key, value in content.items()
            if key not in ADDED
        }
    return [without_prose(item) for item in content] if isinstance(content, list) else content


def _count(value: Any) -> Any:
    return len(value) if isinstance(value, list) else type(value).__name__


def assert_same(found: Any, expected: Any, relative: float, path: str = "$") -> None:
    """Equal in kinds, keys, their order and values; floats within a relative difference."""
    assert type(found) is type(expected), path
    if isinstance(expected, dict):
        assert list(found) == list(expected), path
        for key, value in expected.items():
            assert_same(found[key], value, relative, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for index, value in enumerate(expected):
            assert_same(found[index], value, relative, f"{path}[{index}]")
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=relative), (path, found, expected)
    else:
        assert found == expected, path


def numbers(answer: Any, key: str) -> np.ndarray[Any, Any]:
    """(n, 6) of all panels; NaN where a parameter was held."""
    shown = [panel[key] if key == "sigma" else panel for panel in answer["panels"]]
    names = ("dx_mm", "dy_mm", "dz_mm", "rx_mrad", "ry_mrad", "rz_mrad")
    return np.array([[panel[name] for name in names] for panel in shown], dtype=float)


def assert_same_corrections(found: Any, expected: Any) -> None:
    """Within a millionth of a sigma, and the sigmas to a millionth."""
    sigma = numbers(expected, "sigma")
    held = np.isnan(sigma) | (sigma == 0.0)
    difference = np.abs(numbers(found, "correction") - numbers(expected, "correction"))
    assert not difference[held].any()
    assert (difference[~held] / sigma[~held]).max() < 1e-6
    assert np.allclose(numbers(found, "sigma"), sigma, rtol=1e-6, atol=0.0, equal_nan=True)


def shown(version: int) -> Any:
    """What a calibration of the frozen store is shown as."""
    return done("show", f"{SERIAL}:{version}", "--json").json


def test_the_store_is_upgraded_from_its_revision(frozen: Path) -> None:
    frozen_store = frozen / "frozen.db"
    frozen_store.write_bytes(gzip.decompress((frozen / "store.db.gz").read_bytes()))
    upgraded = done("db", "upgrade", "--store", frozen_store, "--json").json
    assert (upgraded["before"], upgraded["after"]) == (REVISION, schema.HEAD)
    assert done("db", "current", "--json").json["current"]
    done("db", "check")


@pytest.mark.parametrize("asked", EVERYTHING, ids=lambda asked: " ".join(asked["command"]))
def test_an_answer_stays_the_same(frozen: Path, asked: dict[str, Any]) -> None:
    """In its keys and their order, and in all that was stored or follows from it."""
    noise_only = NOISE_ONLY if asked["command"][0] in REPEATING else ()
    answer = calib(*asked["command"], *noise_only, "--json")
    found = answer.json if answer.stdout else {"error": answer.error}
    assert answer.code == asked["code"]
    exact = asked["command"][0] not in COMPUTED
    if asked["command"][0] == "show" and found.get("acceptance"):
        assert found.pop("warnings") == []  # added later
    if asked["command"][0] in ("show", "detector"):
        for one in found if isinstance(found, list) else [found]:
            assert len(one.pop("geometry_id", "a" * 64)) == 64  # added later
    expected = without_prose(asked["answer"])
    assert_same(without_prose(found), expected, 0.0 if exact else RELATIVE)


def test_every_calibration_is_named_as_it_was(frozen: Path) -> None:
    listed = done("list", "--json").json
    assert {one["version"]: one["id"] for one in listed} == IDS
    for version, name in IDS.items():
        assert shown(version)["calibration"]["id"] == name
        assert done("show", name[:8], "--json").json["calibration"]["version"] == version


def test_ids_follow_from_what_is_read(frozen: Path) -> None:
    """The id of what was read and made into a record again, not the one that was stored."""
    with Store.open(str(frozen / "store.db"), read_only=True) as store:
        found = {
            version: store.calibrations.get(f"{SERIAL}:{version}").record.id for version in IDS
        }
        applications = store.applications.list()
    assert found == IDS
    receipts = [json.loads(path.read_text()) for path in frozen.glob("*.calib.json")]
    named = {one["id"] for receipt in receipts for one in receipt["applications"]}
    assert {application.id for application in applications} == named
    assert len(named) == 3


@pytest.mark.parametrize(
    ("at", "distance", "version"),
    [
        ("2026-03-15", 60, 1),
        ("2026-03-15", 40, 1),
        ("2026-03-15", 400, None),
        ("2026-04-15", 60, 2),
        ("2026-04-15", 150, 1),
        ("2026-02-15", 150, 4),
        ("2025-01-15", 60, 3),
        ("2025-03-15", 60, None),
    ],
)
def test_the_calibration_for_a_time_and_distance_stays_the_same(
    frozen: Path, at: str, distance: int, version: int | None
) -> None:
    answer = calib("resolve", SERIAL, "--at", at, "--distance", distance, "--json")
    if version is None:
        assert (answer.code, answer.error["code"]) == (1, "not-certified")
    else:
        assert answer.json["calibration_id"] == IDS[version]


def test_a_frozen_row_that_is_changed_is_found(frozen: Path) -> None:
    done("audit", "verify")
    raw.tamper(str(frozen / "store.db"), "UPDATE placement SET beamline = 'I05' WHERE position = 3")
    assert calib("audit", "verify").code == 1


def test_the_checkpoint_holds_for_its_store_alone(frozen: Path) -> None:
    verify = "audit", "verify", "--checkpoint", "checkpoint.json", "--public-key", "test.pem.pub"
    assert done(*verify, "--json").json["verified"]
    done("init", "--store", "there.sqlite")
    done("bundle", "load", "detector.calib-bundle", "--store", "there.sqlite")
    assert not calib(*verify, "--json", "--store", "there.sqlite").json["verified"]
    path = frozen / "checkpoint.json"
    content = json.loads(path.read_text())
    content["heads"][-1]["position"] += 1
    path.write_text(json.dumps(content))
    assert calib(*verify, "--json").error["code"] == "checkpoint-forged"


def test_the_store_can_be_written_on(frozen: Path) -> None:
    """The log goes on from the frozen entries, and the frozen checkpoint still holds."""
    done("certify", f"{SERIAL}:6", "--from", "2027-01-01", "--reason", "both", "--supersede")
    done("withdraw", f"{SERIAL}:2", "--reason", "an error")
    done("detector", "place", SERIAL, "--beamline", "I24", "--from", "2027-01-01")
    done("db", "set", "demand-actor", "no")
    done("derive", "small_far.expt", "small_far.refl", "--freedom", "full")
    done("audit", "verify", "--checkpoint", "checkpoint.json", "--public-key", "test.pem.pub")
    answer = done("resolve", SERIAL, "--at", "2026-04-15", "--distance", "60", "--json").json
    assert answer["calibration_id"] == IDS[1]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_a_bundle_is_loaded_into_an_empty_store(frozen: Path, bundle: str) -> None:
    there = ("--store", "there.sqlite")
    done("init", *there)
    file = f"{bundle}.calib-bundle"
    done("bundle", "load", file, "--adopt", "--supersede", *there)
    listed = done("list", "--json", *there).json
    assert [one["id"] for one in listed] == [IDS[version] for version in BUNDLES[bundle]]
    done("audit", "verify", *there)
    again = done("bundle", "load", file, "--json", *there).json
    assert (again["n_history"], [one["new"] for one in again["calibrations"]]) == (
        0,
        [False] * len(listed),
    )


@pytest.mark.parametrize("bundle", BUNDLES)
@pytest.mark.parametrize("code", ["no-bundle", "broken-bundle"])
def test_a_bundle_that_was_changed_is_refused(frozen: Path, bundle: str, code: str) -> None:
    """By the hash at its end; where that was made anew, by the log that it carries."""
    path = frozen / f"{bundle}.calib-bundle"
    content, end = path.read_bytes()[:-65], path.read_bytes()[-65:]
    magic, _, packed = content.partition(b"\n")
    lines = zlib.decompress(packed)
    assert b'"Panel1"' in lines
    changed = magic + b"\n" + zlib.compress(lines.replace(b'"Panel1"', b'"Panel7"'))
    seal = hashlib.sha256(changed).hexdigest().encode() + b"\n"
    path.write_bytes(content + end[::-1] if code == "no-bundle" else changed + seal)
    assert calib("bundle", "show", path, "--json").error["code"] == code


def test_summaries_keep_their_names_and_bytes(frozen: Path) -> None:
    """Those in the store are those in the files."""
    (frozen / "again").mkdir()
    done("summary", "export", f"{SERIAL}:1", "-o", "again")
    for dataset, name in SUMMARIES.items():
        file = f"{dataset}.calib.h5"
        (shown,) = done("summary", "show", frozen / "summaries" / file, "--json").json
        assert (shown["dataset"], shown["id"]) == (dataset, name)
        assert (frozen / "again" / file).read_bytes() == (frozen / "summaries" / file).read_bytes()


def test_summaries_give_the_corrections_that_they_gave(frozen: Path) -> None:
    """The second calibration from the summaries was combined by the earlier program."""
    as_then = ("--freedom", "in-plane", "--hold-prior", "--dry-run", "--json")
    of_store = calib("combine", f"{SERIAL}:1", "--without", "small_near", *as_then)
    of_file = calib("combine", "summaries/small_far.calib.h5", *as_then)
    for found in (of_store, of_file):
        assert found.code == 1  # a draft, since the method has changed
        assert any("version 1 of the method" in why for why in found.json["acceptance"]["reasons"])
        assert_same_corrections(found.json, shown(5))


def test_a_calibration_is_derived_again_from_its_files(frozen: Path) -> None:
    """Within half a sigma, since the cut at the spindle moved; 5 was combined, 6 was added to."""
    for version in (1, 2, 4, 5):
        answer = calib("rederive", f"{SERIAL}:{version}", "--from", frozen, "--json").json
        assert answer["calibration_id"] == IDS[version]
        assert answer["largest_difference_sigma"] < 0.5


def test_receipts_are_known_to_the_store(frozen: Path) -> None:
    pushed = done("usage", "push", ".", "--json").json
    assert (pushed["recorded"], pushed["already"]) == (0, 3)


def test_receipts_are_recorded_where_the_calibration_is_known(frozen: Path) -> None:
    there = ("--store", "there.sqlite")
    done("init", *there)
    done("bundle", "load", "calibration.calib-bundle", *there)
    receipts = "applied.expt.calib.json", "applied_far.expt.calib.json"
    pushed = done("usage", "push", *receipts, "--json", *there).json
    assert (pushed["recorded"], pushed["already"]) == (2, 0)
    kept = {one["id"] for one in done("usage", "list", "--json", *there).json}
    assert kept == {json.loads(Path(r).read_text())["applications"][0]["id"] for r in receipts}
    done("audit", "verify", *there)


def test_a_receipt_that_was_changed_is_refused(frozen: Path) -> None:
    path = frozen / "applied.expt.calib.json"
    path.write_text(path.read_text().replace("certified from", "certified since"))
    assert calib("usage", "push", path, "--json").error["code"] == "receipt-changed"


def test_applying_to_an_applied_file_is_applying_once(frozen: Path) -> None:
    """Both are what the earlier program wrote."""
    done("apply", "small_near.expt", "-o", "once.expt")
    done("apply", "applied.expt", "-o", "twice.expt")
    expected = json.loads((frozen / "applied.expt").read_text())
    for name in ("once.expt", "twice.expt"):
        assert_close(json.loads((frozen / name).read_text()), expected)


def test_the_exported_detector_stays_the_same(frozen: Path) -> None:
    done("export", f"{SERIAL}:1", "--like", "exported.expt", "-o", "again.expt")
    expected = json.loads((frozen / "exported.expt").read_text())
    assert_close(json.loads((frozen / "again.expt").read_text()), expected)


def assert_close(found: Any, expected: Any, path: str = "$") -> None:
    """Equal but for floats, which may differ by a picometre or so."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), path
        for key, value in expected.items():
            assert_close(found[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for index, value in enumerate(expected):
            assert_close(found[index], value, f"{path}[{index}]")
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-9), path
    else:
        assert found == expected, path
