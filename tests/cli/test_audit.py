"""calib audit: the log, its verification, and what a checkpoint adds."""

from __future__ import annotations

import json
import stat
from base64 import b64encode
from pathlib import Path

import pytest

from support import raw
from support.commands import calib, done
from support.simulated import SERIAL


@pytest.fixture
def key(certified: Path) -> Path:
    """A store with a certified calibration, and a key of its own for checkpoints."""
    return Path(done("audit", "key", "--json").json["private_key"])


def test_the_log_records_author_time_reason_and_command(certified: Path) -> None:
    log = done("audit", "log", SERIAL, "--json").json
    assert [entry["kind"] for entry in log] == ["calibration"] * 3 + ["certification"]
    last = log[-1]
    assert (last["by"], last["reason"], last["serial"], last["ordinal"]) == (
        "ada",
        "new",
        SERIAL,
        3,
    )
    assert last["command"] == (
        "calib certify 24-0107:3 --from 2026-03-01 --to 2026-04-01 --reason new"
    )
    assert done("audit", "log", "--last", "1", "--json").json == [last]
    assert "certify 24-0107:3" in done("audit", "log").stdout


def test_passwords_do_not_reach_the_log(certified: Path) -> None:
    calib("--store", "postgresql://ada:secret@nowhere.invalid/x", "list")
    from calib_cli.program import command_line

    assert command_line() == "calib --store 'postgresql://ada:***@nowhere.invalid/x' list"


def test_verify_exits_with_1_after_a_change(certified: Path) -> None:
    answer = done("audit", "verify", "--json").json
    assert (answer["verified"], answer["findings"], answer["last_position"]) == (True, [], 4)
    raw.tamper(str(certified / "beamline.sqlite"), "UPDATE certification SET reason = 'x'")
    answer = calib("audit", "verify", "--json")
    assert answer.code == 1
    (finding,) = answer.json["findings"]
    assert (finding["table"], finding["row"]) == ("certification", "position 4")
    assert "position 4" in calib("audit", "verify").stdout


def test_a_private_key_is_readable_by_its_owner_only_and_never_overwritten(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = calib("audit", "key")
    assert again.code == 2
    assert "the key exists already; keys are never overwritten" in again.stderr


def test_a_checkpoint_reveals_a_truncated_log(key: Path, certified: Path) -> None:
    made = done("audit", "checkpoint", "c.json", "--json").json
    assert (made["last_position"], made["n_chains"]) == (4, 2)
    done("withdraw", f"{SERIAL}:3", "--reason", "moved")
    assert done("audit", "verify", "--checkpoint", "c.json", "--json").json["verified"]
    for table in ("withdrawal", "certification", "binding", "entry", "deed"):
        raw.tamper(str(certified / "beamline.sqlite"), f"DELETE FROM {table} WHERE position >= 4")
    assert done("audit", "verify", "--json").json["verified"]
    answer = calib("audit", "verify", "--checkpoint", "c.json", "--json")
    assert answer.code == 1
    assert "truncated or rewritten" in answer.json["findings"][0]["problem"]


@pytest.mark.parametrize("part", ["hash", "ordinal", "chain", "position"])
def test_a_modified_checkpoint_is_refused(key: Path, certified: Path, part: str) -> None:
    done("audit", "checkpoint", "c.json")
    content = json.loads(Path("c.json").read_text())
    head = content["heads"][1]
    head[part] = {"hash": "0" * 64, "ordinal": 1, "chain": "x", "position": 9}[part]
    Path("c.json").write_text(json.dumps(content))
    answer = calib("audit", "verify", "--checkpoint", "c.json", "--json")
    assert (answer.code, answer.error["code"]) == (2, "checkpoint-forged")


def test_a_checkpoint_with_another_signature_is_refused(key: Path, certified: Path) -> None:
    done("audit", "key", "eve.pem")
    done("audit", "checkpoint", "c.json", "--key", "eve.pem")
    answer = calib("audit", "verify", "--checkpoint", "c.json", "--json")
    assert answer.error["code"] == "checkpoint-forged"
    done("audit", "verify", "--checkpoint", "c.json", "--public-key", "eve.pem.pub")


def test_without_a_key_the_remedy_is_to_create_one(certified: Path) -> None:
    answer = calib("audit", "checkpoint", "c.json")
    assert (answer.code, "calib audit key" in answer.stderr) == (2, True)
    assert not Path("c.json").exists()
    Path("c.json").write_text("{}")
    assert "--public-key" in calib("audit", "verify", "--checkpoint", "c.json").stderr
    done("audit", "key")
    answer = calib("audit", "verify", "--checkpoint", "c.json", "--json")
    assert answer.error["code"] == "no-checkpoint"
    answer = calib("audit", "checkpoint", "d.json", "--key", "c.json", "--json")
    assert answer.error["code"] == "not-a-key"


def test_a_private_key_of_a_wrong_length_is_refused(certified: Path) -> None:
    der = bytes.fromhex("302d020100300506032b65700421041f") + bytes(31)
    text = f"-----BEGIN PRIVATE KEY-----\n{b64encode(der).decode()}\n-----END PRIVATE KEY-----\n"
    Path("short.pem").write_text(text)
    answer = calib("audit", "checkpoint", "c.json", "--key", "short.pem", "--json")
    assert (answer.code, answer.error["code"]) == (2, "not-a-key")


def test_a_checkpoint_with_a_chain_that_is_no_text_is_refused(certified: Path) -> None:
    done("audit", "key", "key.pem")
    done("audit", "checkpoint", "c.json", "--key", "key.pem")
    content = json.loads(Path("c.json").read_text())
    values: tuple[object, ...] = ({}, 7, None, ["x"])
    for value in values:
        content["heads"][0]["chain"] = value
        Path("c.json").write_text(json.dumps(content))
        words = ("--checkpoint", "c.json", "--public-key", "key.pem.pub")
        answer = calib("audit", "verify", *words, "--json")
        assert (answer.code, answer.error["code"]) == (2, "no-checkpoint")
