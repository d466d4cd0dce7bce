"""calib certify, withdraw, resolve: changes are listed, and nothing is replaced by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import calib, done
from support.simulated import SERIAL

ASK = ("resolve", SERIAL, "--distance", "200")


def certified(version: int, *words: str) -> dict[str, object]:
    found: dict[str, object] = done(
        "certify", f"{SERIAL}:{version}", "--reason", "so it is", *words, "--json"
    ).json
    return found


def answers(*words: str) -> str:
    found: str = done(*ASK, *words, "--json").json["calibration"]
    return found


def test_certify_prints_the_calibration_before_and_after(here: Path) -> None:
    certified(1, "--from", "2026-03-01", "--max-distance", "300")
    shown = done("certify", f"{SERIAL}:2", "--from", "2026-03-04", "--reason", "new")
    lines = [line for line in shown.stdout.splitlines() if line.startswith("2026-03-04")]
    assert len(lines) == 2  # up to 300 mm, and beyond
    assert "24-0107:1 (certification 4)  24-0107:2 (certification 5)" in lines[0]
    assert lines[1].split()[-4:] == ["-", "24-0107:2", "(certification", "5)"]
    assert "0 recorded applications are affected." in shown.stdout


def test_an_overlap_needs_supersede(here: Path) -> None:
    certified(1, "--from", "2026-03-01")
    refused = calib("certify", f"{SERIAL}:2", "--from", "2026-02-01", "--reason", "x", "--json")
    assert (refused.code, refused.error["code"]) == (2, "overlap")
    assert "24-0107:1 (certification 4) from 2026-03-01T00:00:00Z on" in refused.error["problem"]
    dry = certified(2, "--from", "2026-02-01", "--dry-run")
    assert (dry["stored"], len(dry["changes"])) == (False, 3)  # type: ignore[arg-type]
    assert answers("--at", "2026-03-05") == "24-0107:1"
    certified(2, "--from", "2026-02-01", "--supersede")
    assert answers("--at", "2026-03-05") == "24-0107:2"
    assert done("show", f"{SERIAL}:1", "--json").json["calibration"]["state"] == "certified"


def test_files_with_the_replaced_calibration_are_counted(here: Path) -> None:
    certified(1, "--from", "2026-03-01")
    done("apply", "indexed.expt", "-o", "a.expt")
    found = certified(2, "--from", "2026-03-04")
    assert found["affected"] == 1
    found = certified(3, "--from", "2026-03-20")
    assert found["affected"] == 0


def test_withdraw_first_prints_what_comes_into_force_again(here: Path) -> None:
    certified(1, "--from", "2026-03-01")
    certified(2, "--from", "2026-03-03")
    certified(2, "--from", "2026-04-01", "--to", "2026-05-01")
    dry = done("withdraw", f"{SERIAL}:2", "--number", "5", "--reason", "moved", "--dry-run")
    assert "24-0107:1 (certification 4) will be valid for data taken 2026-03-03" in dry.stderr
    assert answers("--at", "2026-03-05") == "24-0107:2"
    done("withdraw", f"{SERIAL}:2", "--number", "5", "--reason", "moved")
    assert answers("--at", "2026-03-05") == "24-0107:1"
    assert answers("--at", "2026-04-05") == "24-0107:2"
    other = calib("withdraw", f"{SERIAL}:2", "--number", "4", "--reason", "x", "--json")
    assert other.error["code"] == "other-calibration"


def test_resolve_answers_as_of_a_past_state(here: Path) -> None:
    certified(1, "--from", "2026-03-01")
    certified(2, "--from", "2026-03-02")
    first = done(*ASK, "--at", "2026-03-05", "--as-known-at", "4", "--json")
    assert first.json["calibration"] == "24-0107:1"
    assert first.json["known_at"]["position"] == 4
    done("withdraw", f"{SERIAL}:1", "--reason", "x")
    assert done(*ASK, "--at", "2026-03-05", "--as-known-at", "4", "--json").stdout == first.stdout
    late = calib(*ASK, "--at", "2026-03-05", "--as-known-at", "99", "--json")
    assert (late.code, late.error["code"]) == (2, "unknown-position")


def test_a_list_shows_the_states_as_of_a_past_position(here: Path) -> None:
    certified(1, "--from", "2026-03-01")
    certified(
        2, "--from", "2026-03-01", "--min-distance", "1", "--max-distance", "9999", "--supersede"
    )

    def states(*words: str) -> list[str]:
        return [line["state"] for line in done("list", *words, "--json").json]

    assert states() == ["superseded", "certified", "accepted"]
    assert states("--as-known-at", "4") == ["certified", "accepted", "accepted"]
    assert states("--as-known-at", "2") == ["accepted", "accepted"]
    assert states("--limit", "1") == ["accepted"]
    assert states("--limit", "2") == ["certified", "accepted"]
    assert "Showing the 2 stored last" in done("list", "--limit", "2").stderr
    assert calib("list", "--limit", "0").code == 2


def test_a_calibration_is_shown_as_of_a_past_position(here: Path) -> None:
    certified(1, "--from", "2026-03-01")
    done("withdraw", f"{SERIAL}:1", "--reason", "the module was swapped back")
    show = ("show", f"{SERIAL}:1", "--json")
    now, certain = done(*show).json, done(*show, "--as-known-at", "4").json
    before = done(*show, "--as-known-at", "3").json
    assert [one["calibration"]["state"] for one in (now, certain, before)] == [
        "withdrawn",
        "certified",
        "accepted",
    ]
    assert [len(one["certifications"]) for one in (now, certain, before)] == [1, 1, 0]
    assert now["certifications"][0]["withdrawn"] is not None
    assert certain["certifications"][0]["withdrawn"] is None
    assert (certain["as_known_at"]["position"], now["as_known_at"]["position"]) == (4, 5)
    assert certain["panels"] == now["panels"]
    late = calib("show", f"{SERIAL}:3", "--as-known-at", "2", "--json")
    assert (late.code, late.error["code"]) == (1, "unknown-calibration")


def test_apply_and_resolve_follow_the_same_policies(here: Path) -> None:
    certified(1, "--from", "2026-03-01", "--max-distance", "180", "--gap-mm", "50")
    certified(2, "--from", "2026-03-02", "--min-distance", "199", "--max-distance", "201")
    apply = ("apply", "indexed.expt", "--json", "--force", "-o", "a.expt")
    assert done(*apply).json["detectors"][0]["calibration"] == "24-0107:2"
    known = ("--as-known-at", "4")
    assert calib(*apply, *known).error["code"] == "not-certified"
    answer = done(*apply, *known, "--distance-policy", "nearest")
    assert answer.json["detectors"][0]["calibration"] == "24-0107:1"
    assert any("outside the range that 24-0107:1 is" in w for w in answer.json["warnings"])
    early = ("--at", "2026-02-27")
    assert calib(*apply, *early).error["code"] == "not-certified"
    assert done(*apply, *early, "--time-policy", "closest").json["detectors"]


@pytest.mark.parametrize("explain", [False, True])
def test_explain_prints_why_others_do_not_match(here: Path, explain: bool) -> None:
    certified(1, "--from", "2026-03-01")
    certified(2, "--from", "2026-03-02")
    words = ("--explain",) if explain else ()
    shown = done(*ASK, "--at", "2026-03-05", *words).stdout
    assert "As known at    position 5" in shown
    assert ("certification 5 was recorded later" in shown) is explain
