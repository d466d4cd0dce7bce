"""Checkpoints with time stamps of an authority (RFC 3161)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import missing
from support.authority import authority
from support.commands import calib, done

pytest.importorskip("rfc3161_client", reason="the extra timestamp is not installed")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of an authority, and its root certificate."""
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    with authority(tmp_path_factory.mktemp("tsa") / "authority") as found:
        yield found


@pytest.fixture
def stamped(certified: Path, running: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a checkpoint and its time stamp."""
    url, roots = running
    monkeypatch.setenv("CALIB_TIMESTAMP_URL", url)
    monkeypatch.setenv("CALIB_TIMESTAMP_ROOTS", str(roots))
    done("audit", "key")
    (certified / "anchors").mkdir()
    done("audit", "anchor", "anchors")
    return certified / "anchors"


def test_a_checkpoint_is_stamped_and_its_stamp_verified(stamped: Path) -> None:
    (token,) = stamped.glob("*.tsr")
    assert (stamped / token.name.removesuffix(".tsr")).is_file()
    found = done("audit", "verify", "--checkpoint", stamped, "--json").json
    (at,) = map(datetime.fromisoformat, found["timestamps"])
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=10)
    text = done("audit", "verify", "--checkpoint", stamped).stdout
    assert "Verified time stamps of 1 checkpoints" in text


def test_a_stamp_of_another_file_or_authority_is_refused(
    stamped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = stamped.glob("*.tsr")
    done("audit", "anchor", "anchors")
    (second,) = set(stamped.glob("*.tsr")) - {first}
    kept = second.read_bytes()
    verify = ("audit", "verify", "--checkpoint", stamped, "--json")
    for wrong in (first.read_bytes(), kept[:-9], b"", bytes(len(kept))):
        second.write_bytes(wrong)
        answer = calib(*verify)
        assert (answer.code, answer.error["code"]) == (2, "timestamp-invalid")
    second.write_bytes(kept)
    done(*verify)
    with authority(tmp_path / "other") as (_, roots):
        monkeypatch.setenv("CALIB_TIMESTAMP_ROOTS", str(roots))
        answer = calib(*verify)
    assert (answer.code, answer.error["code"]) == (2, "timestamp-invalid")
    monkeypatch.setenv("CALIB_TIMESTAMP_ROOTS", str(first))
    answer = calib(*verify)
    assert (answer.code, answer.error["code"]) == (2, "no-certificate")


def test_a_stamp_from_before_a_theft_keeps_a_checkpoint_valid(
    stamped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = ("--compromised-since", datetime.now(UTC).isoformat())
    done("audit", "rotate", "--reason", "stolen", *since)
    verify = ("audit", "verify", "--checkpoint", stamped, "--json")
    found = done(*verify).json
    assert (found["n_checkpoints"], found["compromised_checkpoints"]) == (1, [])
    monkeypatch.delenv("CALIB_TIMESTAMP_ROOTS")
    found = done(*verify).json
    assert (found["n_checkpoints"], len(found["compromised_checkpoints"])) == (0, 1)


@pytest.mark.parametrize(
    ("url", "code"),
    [("http://127.0.0.1:9/", "timestamp-failed"), ("file:///etc/passwd", "bad-url")],
)
def test_without_an_answer_nothing_is_appended(
    url: str, code: str, stamped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(stamped.iterdir())
    monkeypatch.setenv("CALIB_TIMESTAMP_URL", url)
    answer = calib("audit", "anchor", "anchors", "--json")
    assert answer.error["code"] == code
    assert sorted(stamped.iterdir()) == before
