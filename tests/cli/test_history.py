"""calib history: events in order of time, and views of a past state that stay the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.commands import calib, done


@pytest.fixture
def storied(here: Path) -> Path:
    """Certified for March, replaced in the record by another one, withdrawn."""
    done("certify", "24-0107:1", "--from", "2026-03-01", "--to", "2026-04-01", "--reason", "first")
    done("detector", "place", "24-0107", "--beamline", "I04", "--from", "2026-02-01")
    return here


def history(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = done("history", "24-0107", *words, "--json").json
    return found


def test_the_history_lists_author_time_and_drift_of_each_event(
    storied: Path,
) -> None:
    found = done("history", "24-0107", "--json").json
    assert [event["event"] for event in found["events"]] == [
        "placed", "certified", "derived", "derived", "derived",
    ]  # fmt: skip
    assert {event["recorded"]["by"] for event in found["events"]} == {"ada"}
    assert found["events"][1]["reason"] == "first"
    assert found["events"][1]["command"].startswith("calib certify 24-0107:1")
    drifts = [event["drift"] for event in found["events"]]
    assert [drift and drift["against"] for drift in drifts] == [
        None, None, "24-0107:2", "24-0107:1", None,
    ]  # fmt: skip
    assert drifts[3]["verdict"] == "same"
    text = done("history", "24-0107").stdout
    assert "placed at I04" in text
    assert "compared with 24-0107:1: same" in text


def test_a_past_view_does_not_change(storied: Path) -> None:
    words = ("--as-known-at", "5", "--at", "2026-03")
    before = history(*words)
    panel = history(*words, "--panel", "1")["then"]
    done("withdraw", "24-0107:1", "--reason", "wrong")
    done("certify", "24-0107:2", "--from", "2026-03-01", "--reason", "second")
    assert history(*words) == before
    shown = done("show", "24-0107:1", *words[:2], "--json").json
    assert shown["log_head"] == before["log_head"]
    assert before["log_head"]["position"] == 5
    assert history(*words, "--panel", "1")["then"] == panel
    now = done("history", "24-0107", "--at", "2026-03", "--json").json
    assert [one["calibration"] for one in now["holding"]] == ["24-0107:2"]
    assert now["placement"]["beamline"] == "I04"


def test_a_panel_is_shown_as_known_then_and_as_known_now(storied: Path) -> None:
    """The data are of March; their certification was recorded long after."""
    asked = ("history", "24-0107", "--panel", "1", "--at", "2026-03")
    found = done(*asked, "--json").json
    assert found["then"]["held"] == [] or found["then"]["as_known_at"]["position"] > 0
    (held,) = found["now"]["held"]
    shown = done("show", "24-0107:1", "--json").json
    assert held["values"]["dx_mm"] == shown["panels"][1]["dx_mm"]
    assert held["values"]["sigma"] == shown["panels"][1]["sigma"]
    assert held["certification"]["recorded"]["by"] == "ada"
    assert [use["name"] for use in held["datasets"]] == ["night1"]
    text = done(*asked).stdout
    assert "24-0107:1 was certified by ada" in text
    assert "Derived from night1" in text
    then = done(*asked, "--as-known-at", "3", "--json").json
    assert (then["then"]["held"], then["now"]) == ([], found["now"])
    assert (
        "No calibration was certified for that time." in done(*asked, "--as-known-at", "3").stdout
    )


def test_only_the_latest_events_are_shown(storied: Path) -> None:
    found = done("history", "24-0107", "--limit", "2", "--json").json
    assert (len(found["events"]), found["n_events"]) == (2, 5)
    assert "(2 of 5)" in done("history", "24-0107", "--limit", "2").stdout


def test_before_the_first_entry_the_history_is_empty(storied: Path) -> None:
    found = done("history", "24-0107", "--as-known-at", "2000-01-01", "--json").json
    assert (found["events"], found["as_known_at"]) == ([], {"position": 0, "at": None})
    assert "Nothing had been recorded" in done("history", "24-0107", "--as-known-at", "0").stdout


def test_unknown_panels_and_times_are_refused(storied: Path) -> None:
    for words, code in (
        (("24-0999",), "unknown-detector"),
        (("24-0107", "--panel", "3"), "bad-panel"),
        (("24-0107", "--limit", "0"), "bad-limit"),
        (("24-0107", "--at", "soon"), "bad-time"),
    ):
        assert calib("history", *words, "--json").error["code"] == code
