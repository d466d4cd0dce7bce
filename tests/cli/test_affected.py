"""calib affected: files to process again, and their next calibration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from support.commands import calib, done


def files(reference: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = done("affected", reference, "--json").json["files"]
    return found


def test_affected_files_are_listed_with_their_next_calibration(here: Path) -> None:
    """The experiments are of 2026-03-05 at 200 mm."""
    done("certify", "24-0107:1", "--from", "2026-03-01", "--reason", "old")
    done("certify", "24-0107:3", "--from", "2026-03-04", "--reason", "new")
    done("apply", "imported.expt", "-o", "a.expt")
    done("apply", "imported.expt", "-o", "b.expt", "--calibration", "24-0107:2")
    assert files("24-0107:1") == []
    (mine,) = files("24-0107:3")
    assert (mine["output_names"], mine["superseded"]) == (["a.expt"], False)
    assert (mine["answer_now"], mine["answer_without"]) == ("24-0107:3", "24-0107:1")
    (named,) = files("24-0107:2")
    assert (named["superseded"], named["answer_now"]) == (True, "24-0107:3")
    done("withdraw", "24-0107:3", "--reason", "a loose cable")
    (mine,) = files("24-0107:3")
    assert (mine["superseded"], mine["answer_now"]) == (True, "24-0107:1")
    assert "1 of them would get another calibration now" in done("affected", "24-0107:3").stdout
    last = done("audit", "log", "--last", "1", "--json").json[-1]
    known = done("affected", "24-0107:3", "--json").json["as_known_at"]
    assert known == {"position": last["position"], "at": last["at"]}


def test_a_file_of_unknown_time_has_no_next_calibration(here: Path) -> None:
    done("certify", "24-0107:3", "--from", "2026-03-01", "--reason", "new")
    text = (here / "imported.expt").read_text()
    (here / "timeless.expt").write_text(re.sub(r'"epochs": ?\[[^\]]*\]', '"epochs": []', text))
    answer = calib("apply", "timeless.expt", "-o", "t.expt", "--calibration", "24-0107:3")
    assert answer.code == 0, answer.stderr
    (mine,) = files("24-0107:3")
    assert (mine["data_time"], mine["superseded"], mine["answer_now"]) == (None, False, None)
