"""calib explain and annotate: which calibration a file carries, and whether it still holds."""

from __future__ import annotations

import json
from pathlib import Path

import gemmi
import numpy as np
import pytest

from support.commands import calib, done

DIALS_LINE = "2026-03-05T10:00:00Z|dials.import|3.26.0|import"


@pytest.fixture
def with_history(certified: Path) -> Path:
    """``new.expt``: as DIALS 3.26 writes it, with a history."""
    content = json.loads((certified / "imported.expt").read_bytes())
    path = certified / "new.expt"
    path.write_text(json.dumps({**content, "history": [DIALS_LINE]}, indent=2))
    done("apply", path, "-o", "applied.expt")
    return certified / "applied.expt"


def history(path: Path) -> list[str]:
    found: list[str] = json.loads(path.read_bytes())["history"]
    return found


def test_applying_adds_a_line_to_the_history_once(with_history: Path) -> None:
    first, own = history(with_history)
    assert first == DIALS_LINE
    held = done("show", "24-0107:3", "--json").json["calibration"]
    assert own.split("|")[1] == "calib.apply"
    assert own.endswith(f"|calibration={held['id'][:16]}")
    done("apply", with_history, "-o", "again.expt")
    assert Path("again.expt").read_bytes() == with_history.read_bytes()
    assert "history" not in json.loads(done_without_history().read_bytes())


def done_without_history() -> Path:
    done("apply", "imported.expt", "-o", "plain.expt")
    return Path("plain.expt")


def test_a_withdrawn_calibration_is_a_reason_to_process_again(with_history: Path) -> None:
    (found,) = done("explain", with_history, "--json").json
    assert (found["calibration"], found["state_now"]) == ("24-0107:3", "certified")
    assert not found["reprocess"]
    done("withdraw", "24-0107:3", "--reason", "module replaced")
    (found,) = done("explain", with_history, "--json").json
    assert (found["state_then"], found["state_now"]) == ("certified", "withdrawn")
    assert found["reprocess"]
    assert "withdrawn now; it was withdrawn: process" in done("explain", with_history).stdout


def test_an_mtz_file_carries_what_its_experiments_carry(with_history: Path) -> None:
    """From the history or, where there is none, from the receipt."""
    mtz = gemmi.Mtz(with_base=True)
    mtz.spacegroup = gemmi.SpaceGroup("P 1")
    mtz.set_data(np.array([[1.0, 2.0, 3.0]]))
    mtz.history = ["From a test"]
    mtz.write_to_file("scaled.mtz")
    for number, source in enumerate((with_history, done_without_history())):
        output = f"annotated{number}.mtz"
        view = done("annotate", "scaled.mtz", source, "-o", output, "--json").json
        assert all(len(line) <= 80 for line in view["history"])
        assert gemmi.read_mtz_file(output).history == [*view["history"], "From a test"]
        (found,) = done("explain", output, "--json").json
        assert found["calibration"] == "24-0107:3"
    again = done("annotate", "annotated0.mtz", with_history, "-o", "twice.mtz", "--json").json
    assert gemmi.read_mtz_file("twice.mtz").history == [*again["history"], "From a test"]


def test_files_without_a_calibration_are_refused(certified: Path) -> None:
    for name, code, exit_code in (
        ("imported.expt", "no-history", 1),
        ("indexed.refl", "no-history", 2),
    ):
        answer = calib("explain", name, "--json")
        assert (answer.code, answer.error["code"]) == (exit_code, code)
    (certified / "cut.mtz").write_bytes(b"MTZ \x00\x01")
    answer = calib("explain", "cut.mtz", "--json")
    assert (answer.code, answer.error["code"]) == (2, "not-mtz")
