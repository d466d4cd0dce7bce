"""calib audit anchor, rotate, keys: checkpoints that the writer cannot change, and their keys."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from support import raw
from support.commands import calib, done
from support.simulated import SERIAL

STORE = "beamline.sqlite"


@pytest.fixture
def key(certified: Path) -> Path:
    """A store with a certified calibration, a key of its own, and a folder for checkpoints."""
    (certified / "anchors").mkdir()
    return Path(done("audit", "key", "--json").json["private_key"])


def git(folder: Path, *words: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


@pytest.fixture
def clone(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a repository that refuses rewritten branches."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for person in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{person}_NAME", "ada")
        monkeypatch.setenv(f"GIT_{person}_EMAIL", "ada@nowhere.invalid")
    remote, folder = tmp_path / "remote.git", tmp_path / "clone"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    git(remote, "config", "receive.denyNonFastForwards", "true")
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "commit", "-q", "--allow-empty", "-m", "Begin")
    git(folder, "remote", "add", "origin", str(remote))
    git(folder, "push", "-q", "-u", "origin", "main")
    return folder


def test_each_checkpoint_is_a_file_of_its_own(key: Path) -> None:
    first = done("audit", "anchor", "anchors", "--json").json
    done("withdraw", f"{SERIAL}:3", "--reason", "moved")
    done("audit", "anchor", "anchors")
    assert (first["last_position"], first["n_chains"]) == (4, 2)
    assert len(list(Path("anchors").iterdir())) == 2
    answer = done("audit", "verify", "--checkpoint", "anchors", "--json").json
    assert (answer["n_checkpoints"], answer["checkpoint"]["last_position"]) == (2, 5)
    assert "2 checkpoints in all" in done("audit", "verify", "--checkpoint", "anchors").stdout


def test_a_truncated_log_gets_no_further_anchor(key: Path) -> None:
    done("audit", "anchor", "anchors")
    for table in ("certification", "binding", "entry", "deed"):
        raw.tamper(STORE, f"DELETE FROM {table} WHERE position >= 4")
    assert done("audit", "verify", "--json").json["verified"]
    answer = calib("audit", "anchor", "anchors", "--json")
    assert (answer.code, answer.error["code"]) == (3, "log-rewritten")
    assert len(list(Path("anchors").iterdir())) == 1
    assert calib("audit", "verify", "--checkpoint", "anchors").code == 1


def test_a_log_that_was_rewritten_between_two_anchors_is_detected(key: Path) -> None:
    shutil.copy(STORE, "before.sqlite")
    done("withdraw", f"{SERIAL}:3", "--reason", "moved")
    done("audit", "anchor", "anchors")
    shutil.copy("before.sqlite", STORE)
    done("withdraw", f"{SERIAL}:3", "--reason", "another reason")
    answer = calib("audit", "anchor", "anchors", "--json")
    assert (answer.code, answer.error["code"]) == (3, "log-rewritten")
    Path("elsewhere").mkdir()
    done("audit", "anchor", "elsewhere")
    for path in Path("elsewhere").iterdir():
        shutil.copy(path, "anchors")
    findings = calib("audit", "verify", "--checkpoint", "anchors", "--json").json["findings"]
    assert any("two checkpoints have different hashes" in one["problem"] for one in findings)


def test_a_changed_file_among_the_anchors_is_refused(key: Path) -> None:
    path = Path(done("audit", "anchor", "anchors", "--json").json["anchors"][0]["path"])
    content = json.loads(path.read_text())
    content["heads"].pop()
    path.write_text(json.dumps(content))
    for words in (("verify", "--checkpoint", "anchors"), ("anchor", "anchors")):
        answer = calib("audit", *words, "--json")
        assert (answer.code, answer.error["code"]) == (2, "checkpoint-forged")


def test_an_anchor_is_an_existing_folder(key: Path) -> None:
    answer = calib("audit", "anchor", "anchors", "nowhere", "--json")
    assert (answer.code, answer.error["code"]) == (2, "no-anchor")
    assert list(Path("anchors").iterdir()) == []
    answer = calib("audit", "verify", "--checkpoint", "anchors", "--json")
    assert (answer.code, answer.error["code"]) == (2, "no-checkpoint")


def test_in_a_repository_a_checkpoint_is_committed_and_pushed(clone: Path) -> None:
    (clone / "unrelated").write_text("x")
    git(clone, "add", "unrelated")
    (one,) = done("audit", "anchor", clone, "--json").json["anchors"]
    assert one["pushed_to"] == "origin/main"
    name = Path(one["path"]).name
    remote = clone.parent / "remote.git"
    assert git(remote, "rev-parse", "main") == one["commit"]
    assert git(remote, "ls-tree", "--name-only", "main") == name
    assert git(clone, "diff", "--cached", "--name-only") == "unrelated"
    done("audit", "verify", "--checkpoint", clone)


def test_a_checkpoint_that_cannot_be_pushed_stays_committed(clone: Path) -> None:
    (clone.parent / "remote.git").rename(clone.parent / "gone.git")
    answer = calib("audit", "anchor", clone, "--json")
    assert (answer.code, answer.error["code"]) == (3, "not-pushed")
    (clone.parent / "gone.git").rename(clone.parent / "remote.git")
    git(clone, "push", "-q")
    done("audit", "verify", "--checkpoint", clone)


def test_a_checkpoint_that_cannot_be_committed_leaves_no_file(clone: Path) -> None:
    hook = clone / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho refused by a hook >&2\nexit 1\n")
    hook.chmod(0o755)
    answer = calib("audit", "anchor", clone, "--json")
    assert (answer.code, answer.error["code"]) == (3, "anchor-failed")
    assert "refused by a hook" in answer.error["problem"]
    assert git(clone, "status", "--porcelain") == ""


def test_checkpoints_of_a_retired_key_stay_valid(key: Path) -> None:
    done("audit", "anchor", "anchors")
    shutil.copy(f"{key}.pub", "old.pub")
    before = key.read_bytes()
    answer = done("audit", "rotate", "--reason", "yearly", "--json").json
    assert Path(answer["retired_key"]).read_bytes() == before != key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    done("audit", "anchor", "anchors")
    assert done("audit", "verify", "--checkpoint", "anchors", "--json").json["n_checkpoints"] == 2
    # Who has the old public key only can follow the endorsement, but not yet verify.
    assert done("audit", "keys", "--public-key", "old.pub", "--json").json["endorsed"]
    alone = calib("audit", "verify", "--checkpoint", "anchors", "--public-key", "old.pub", "--json")
    assert alone.error["code"] == "checkpoint-forged"


def test_a_retired_key_signs_nothing_more(key: Path) -> None:
    retired = done("audit", "rotate", "--reason", "yearly", "--json").json["retired_key"]
    done("audit", "checkpoint", "c.json", "--key", retired)
    answer = calib("audit", "verify", "--checkpoint", "c.json", "--json")
    assert (answer.code, answer.error["code"]) == (2, "key-retired")


def test_a_checkpoint_of_a_compromised_key_proves_nothing(key: Path) -> None:
    done("audit", "checkpoint", "c.json")
    done("audit", "anchor", "anchors")
    shutil.copy(f"{key}.pub", "old.pub")
    done("audit", "rotate", "--reason", "stolen", "--compromised-since", "2026-01-01")
    answer = calib("audit", "verify", "--checkpoint", "c.json", "--json")
    assert (answer.code, answer.error["code"]) == (2, "key-compromised")
    done("audit", "anchor", "anchors")
    answer = done("audit", "verify", "--checkpoint", "anchors", "--json").json
    assert (answer["n_checkpoints"], len(answer["compromised_checkpoints"])) == (1, 1)
    assert "Not compared: 1" in done("audit", "verify", "--checkpoint", "anchors").stdout
    # A compromised key endorses nothing, since others could endorse a key with it as well.
    assert calib("audit", "keys", "--public-key", "old.pub").code == 1


def test_a_lost_key_is_replaced_without_an_endorsement(key: Path) -> None:
    key.unlink()
    answer = done("audit", "rotate", "--reason", "lost", "--json").json
    assert [one["endorsed_by_previous"] for one in answer["keys"]] == [False, False]
    done("audit", "checkpoint", "c.json")
    done("audit", "verify", "--checkpoint", "c.json")


def test_an_interrupted_rotation_is_completed_by_the_next(key: Path) -> None:
    old, public = key.read_bytes(), Path(f"{key}.pub").read_bytes()
    done("audit", "rotate", "--reason", "yearly")
    key.write_bytes(old)
    Path(f"{key}.pub").write_bytes(public)
    keys = done("audit", "rotate", "--reason", "yearly", "--json").json["keys"]
    assert len(keys) == 2
    done("audit", "checkpoint", "c.json")
    done("audit", "verify", "--checkpoint", "c.json")


@pytest.mark.parametrize("part", ["retired_at", "compromised_since", "public_key", "reason"])
def test_a_changed_history_of_keys_is_refused(key: Path, part: str) -> None:
    done("audit", "checkpoint", "c.json")
    done("audit", "rotate", "--reason", "stolen", "--compromised-since", "2026-01-01")
    path = Path(f"{key}.keys")
    content = json.loads(path.read_text())
    content["keys"][0][part] = {"public_key": "1" * 64, "reason": "x"}.get(part)
    path.write_text(json.dumps(content))
    answer = calib("audit", "verify", "--checkpoint", "c.json", "--json")
    assert (answer.code, answer.error["code"]) in ((2, "keys-forged"), (2, "not-a-key"))


def test_a_rotation_needs_a_reason_a_key_and_a_time_in_the_past(key: Path) -> None:
    for words, code in (
        (("--reason", " "), "no-reason"),
        (("--reason", "x", "--key", "other.pem"), "no-key"),
        (("--reason", "x", "--compromised-since", "2100-01-01"), "bad-moment"),
    ):
        answer = calib("audit", "rotate", *words, "--json")
        assert (answer.code, answer.error["code"]) == (2, code)
    assert not Path(f"{key}.keys").exists()


@pytest.fixture
def receipt(key: Path) -> Path:
    """The receipt of an application, with the heads of the log before it."""
    done("apply", "imported.expt", "-o", "calibrated.expt")
    return Path("calibrated.expt.calib.json")


def test_any_copy_of_a_receipt_proves_the_log(receipt: Path) -> None:
    log = json.loads(receipt.read_text())["log"]
    assert [(head["chain"], head["position"]) for head in log["heads"]] == [("", 1), (SERIAL, 4)]
    answer = done("audit", "verify", "--checkpoint", receipt, "--json").json
    assert (answer["checkpoint"]["last_position"], answer["checkpoint"]["signed"]) == (4, False)
    for table in ("application", "certification", "binding", "entry", "deed"):
        raw.tamper(STORE, f"DELETE FROM {table} WHERE position >= 4")
    assert done("audit", "verify", "--json").json["verified"]
    assert calib("audit", "verify", "--checkpoint", receipt).code == 1


def test_the_heads_in_a_receipt_are_signed_where_the_user_has_a_key(
    key: Path, receipt: Path
) -> None:
    words = ("audit", "verify", "--checkpoint", receipt, "--json", "--public-key", f"{key}.pub")
    assert done(*words).json["checkpoint"]["signed"]
    content = json.loads(receipt.read_text())
    content["log"]["heads"].pop()
    receipt.write_text(json.dumps(content))
    assert calib(*words).error["code"] == "checkpoint-forged"


def test_without_a_key_the_heads_in_a_receipt_are_not_signed(key: Path) -> None:
    key.unlink()
    done("apply", "imported.expt", "-o", "calibrated.expt")
    receipt = Path("calibrated.expt.calib.json")
    assert json.loads(receipt.read_text())["log"]["signature"] is None
    assert done("audit", "verify", "--checkpoint", receipt, "--json").json["verified"]
    answer = calib(
        "audit", "verify", "--checkpoint", receipt, "--public-key", f"{key}.pub", "--json"
    )
    assert (answer.code, answer.error["code"]) == (2, "no-checkpoint")


def test_another_store_is_an_anchor(key: Path) -> None:
    done("init", "--store", "other.sqlite")
    (first,) = done("audit", "anchor", "other.sqlite", "--json").json["anchors"]
    assert (first["position"], first["commit"]) == (1, None)
    done("withdraw", f"{SERIAL}:3", "--reason", "moved")
    done("audit", "anchor", "other.sqlite", "anchors")
    answer = done("audit", "verify", "--checkpoint", "other.sqlite", "--json").json
    assert (answer["n_checkpoints"], answer["checkpoint"]["last_position"]) == (2, 5)
    (kind,) = {
        one["kind"] for one in done("audit", "log", "--store", "other.sqlite", "--json").json
    }
    assert kind == "checkpoint"
    assert done("audit", "verify", "--store", "other.sqlite").code == 0
    for table in ("withdrawal", "binding", "entry", "deed"):
        raw.tamper(STORE, f"DELETE FROM {table} WHERE position >= 5")
    assert done("audit", "verify", "--json").json["verified"]
    assert calib("audit", "verify", "--checkpoint", "other.sqlite").code == 1
    refused = calib("audit", "anchor", "other.sqlite", "--json")
    assert (refused.code, refused.error["code"]) == (3, "log-rewritten")


def test_checkpoints_in_another_store_cannot_be_changed_unseen(key: Path) -> None:
    done("init", "--store", "other.sqlite")
    done("audit", "anchor", "other.sqlite")
    raw.tamper("other.sqlite", "UPDATE anchored_checkpoint SET last_position = 3")
    for words in (("verify", "--checkpoint"), ("anchor",)):
        answer = calib("audit", *words, "other.sqlite", "--json")
        assert (answer.code, answer.error["code"]) == (3, "changed-checkpoint")


def test_a_store_is_no_anchor_of_itself_or_without_checkpoints(key: Path) -> None:
    Path("link.sqlite").symlink_to(STORE)
    for place in (STORE, "link.sqlite"):
        answer = calib("audit", "anchor", place, "--json")
        assert (answer.code, answer.error["code"]) == (2, "no-anchor")
    done("init", "--store", "other.sqlite")
    done("audit", "key", "another.pem")
    done("audit", "anchor", "other.sqlite", "--key", "another.pem")
    answer = calib("audit", "verify", "--checkpoint", "other.sqlite", "--json")
    assert (answer.code, answer.error["code"]) == (2, "no-checkpoint")


def test_a_pipe_is_no_store_and_is_not_waited_for(key: Path) -> None:
    os.mkfifo("pipe")
    codes = {"no-anchor": ("anchor",), "missing-file": ("verify", "--checkpoint")}
    for code, words in codes.items():
        answer = calib("audit", *words, "pipe", "--json")
        assert (answer.code, answer.error["code"]) == (2, code)


def test_a_printed_head_proves_the_log(key: Path) -> None:
    text = done("history", SERIAL).stdout
    (line,) = (line for line in text.splitlines() if line.startswith("Log head"))
    head = line.split()[-1]
    Path("report.json").write_text(done("show", f"{SERIAL}:3", "--json").stdout)
    signed = json.loads(Path("report.json").read_text())["log_head"]
    assert head == f"{signed['position']}:{signed['hash']}"
    assert len(signed["signature"]) == 128
    done("withdraw", f"{SERIAL}:3", "--reason", "moved")
    proofs = (
        ("--head", head),
        ("--checkpoint", "report.json"),
        ("--checkpoint", "report.json", "--public-key", f"{key}.pub"),
    )
    for words in proofs:
        answer = done("audit", "verify", *words, "--json").json
        assert answer["compared_head"]["position"] == 4
        assert answer["compared_head"]["signed"] == (len(words) == 4)
    for table in ("withdrawal", "certification", "binding", "entry", "deed"):
        raw.tamper(STORE, f"DELETE FROM {table} WHERE position >= 4")
    assert done("audit", "verify", "--json").json["verified"]
    for words in proofs:
        (finding,) = calib("audit", "verify", *words, "--json").json["findings"]
        assert "ends at position 3" in finding["problem"]
    done("certify", f"{SERIAL}:2", "--reason", "another")
    for words in proofs:
        (finding,) = calib("audit", "verify", *words, "--json").json["findings"]
        assert "has another hash" in finding["problem"]


def test_a_forged_head_is_refused(key: Path) -> None:
    report = done("show", f"{SERIAL}:3", "--json").json
    report["log_head"]["position"] -= 1
    Path("report.json").write_text(json.dumps(report))
    checked = ("audit", "verify", "--checkpoint", "report.json", "--public-key", f"{key}.pub")
    answer = calib(*checked, "--json")
    assert (answer.code, answer.error["code"]) == (2, "checkpoint-forged")
    for head in ("", "4", "4:abc", f"x:{'a' * 64}", f"4:{'a' * 65}"):
        answer = calib("audit", "verify", "--head", head, "--json")
        assert (answer.code, answer.error["code"]) == (2, "bad-head")


def test_without_a_key_the_head_is_not_signed(certified: Path) -> None:
    head = done("detector", "show", SERIAL, "--json").json["log_head"]
    assert (head["public_key"], head["signature"]) == (None, None)
    assert "Signature" not in done("detector", "show", SERIAL).stdout
