"""calib detector edit, calib detector retire and calib detector relabel."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import calib, done

SERIAL, RIGHT = "24-0107", "24-0170"
RESOLVE = ("resolve", SERIAL, "--distance", "200", "--at")
WHY = ("--reason", "mended")


def test_times_are_read_in_the_zone_that_applied_and_shown_in_both(certified: Path) -> None:
    before = done(*RESOLVE, "2026-03-05T09:00", "--json")
    assert "2026-03-05T09:00 in" not in before.stderr
    assert before.json["at"] == "2026-03-05T09:00:00Z"
    done("detector", "edit", SERIAL, "--time-zone", "Asia/Tokyo", *WHY)
    edited = ("detector", "edit", SERIAL, "--time-zone", "Europe/Paris", "--from", "2026-03-04")
    changed = done(*edited, *WHY)
    assert "2026-03-04 in Europe/Paris is 2026-03-03 23:00:00 UTC." in changed.stderr
    assert "Times of the datasets of 24-0107:1, 24-0107:2, 24-0107:3 stay" in changed.stderr
    after = done(*RESOLVE, "2026-03-05T09:00", "--json")
    assert after.json["at"] == "2026-03-05T08:00:00Z"
    assert "2026-03-05T09:00 in Europe/Paris is 2026-03-05 08:00:00 UTC." in after.stderr
    assert done(*RESOLVE, "2026-03-03T18:00", "--json").json["at"] == "2026-03-03T09:00:00Z"
    with_offset = done(*RESOLVE, "2026-03-05T09:00+00:00", "--json")
    assert with_offset.json["at"] == "2026-03-05T09:00:00Z"
    assert " in Europe/Paris is " not in with_offset.stderr
    shown = done("detector", "show", SERIAL)
    assert "Europe/Paris; Asia/Tokyo before 2026-03-03 23:00:00 UTC" in shown.stdout


def test_a_detector_can_be_described_anew(here: Path) -> None:
    words = ("--description", "spare", "--layout-name", "prototype")
    dry = done("detector", "edit", SERIAL, *words, *WHY, "--dry-run", "--json").json
    assert (dry["edit"]["number"], dry["detector"]["layout_name"]) == (None, "prototype")
    assert done("detector", "show", SERIAL, "--json").json["layout_name"] is None
    done("detector", "edit", SERIAL, *words, *WHY)
    found = done("detector", "show", SERIAL, "--json").json
    assert (found["description"], found["layout_name"]) == ("spare", "prototype")
    assert [one["reason"] for one in found["edits"]] == ["mended"]
    assert "prototype" in done("detector", "list").stdout
    (event, *_) = done("history", SERIAL, "--json").json["events"]
    assert (event["event"], event["edit"]["description"]) == ("edited", "spare")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((*WHY,), "nothing-to-change"),
        (("--time-zone", "UTC", *WHY), "nothing-to-change"),
        (("--time-zone", "Nowhere", *WHY), "bad-time-zone"),
        (("--description", "a\nb", *WHY), "bad-text"),
        (("--description", "a", "--reason", " "), "no-reason"),
        (("--description", "a", "--from", "2199-01-01", *WHY), "future-edit"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    words: tuple[str, ...], code: str, here: Path
) -> None:
    refused = calib("detector", "edit", SERIAL, *words, "--json")
    assert (refused.code, refused.error["code"]) == (2, code)
    assert done("detector", "show", SERIAL, "--json").json["edits"] == []


def test_registering_again_with_another_zone_names_the_command_that_changes_it(
    here: Path,
) -> None:
    refused = calib(
        "detector", "add", SERIAL, "--from", "night1.expt", "--time-zone", "Europe/London"
    )
    assert refused.code == 2
    assert f"calib detector edit {SERIAL} --time-zone Europe/London --reason" in refused.stderr


def test_data_after_a_retirement_are_processed_with_a_warning(certified: Path) -> None:
    words = ("detector", "retire", SERIAL, "--from", "2026-03-05", "--reason", "replaced")
    retired = done(*words)
    assert "Certified beyond that time: 24-0107:3." in retired.stderr
    warning = "24-0107 is retired since 2026-03-05T00:00:00Z (replaced)"
    assert done(*RESOLVE, "2026-03-04").stderr.count(warning) == 0
    assert done(*RESOLVE, "2026-03-05").stderr.count(warning) == 1
    early, late = ("apply", "imported.expt", "--dry-run", "--at", "2026-03-04"), "2026-03-06"
    assert warning not in done(*early).stderr
    assert warning in done(*early[:-1], late).stderr
    certify = ("certify", f"{SERIAL}:1", "--reason", "x", "--dry-run", "--from", "2026-03-01")
    assert warning in done(*certify, "--supersede").stderr
    assert warning not in done(*certify, "--supersede", "--to", "2026-03-05").stderr
    assert calib(*words).code == 2
    assert "2026-03-05 00:00:00 UTC" in done("detector", "list").stdout
    done("detector", "retire", SERIAL, "--undo", "--reason", "a spare")
    assert warning not in done(*RESOLVE, "2026-03-05").stderr
    assert calib("detector", "retire", SERIAL, "--undo", "--reason", "x").code == 2
    events = [one["event"] for one in done("history", SERIAL, "--json").json["events"]]
    assert events[:2] == ["returned", "retired"]


def test_derivations_from_data_after_a_retirement_say_so(here: Path) -> None:
    done("detector", "retire", SERIAL, "--from", "2026-01-01", "--reason", "replaced")
    combined = done("combine", f"{SERIAL}:3", "--dry-run")
    assert "is retired since 2026-01-01T00:00:00Z (replaced), and the data were" in combined.stderr


def test_a_mistyped_serial_is_mended_in_one_command(certified: Path) -> None:
    words = ("detector", "relabel", f"{SERIAL}:3", "--to", RIGHT, "--reason", "mistyped")
    dry = done(*words, "--dry-run", "--json").json
    assert (dry["calibration"], dry["registered"], len(dry["withdrawn"])) == (None, True, 1)
    assert calib("show", f"{RIGHT}:1").code == 1
    found = done(*words, "--json").json
    assert (found["calibration"], found["certified"]) == (f"{RIGHT}:1", [])
    assert found["calibration_id"] == dry["calibration_id"]
    states = {one["calibration"]: one["state"] for one in done("list", "--json").json}
    assert (states[f"{SERIAL}:3"], states[f"{RIGHT}:1"]) == ("withdrawn", "accepted")
    right, wrong = (done("show", name, "--json").json for name in (f"{RIGHT}:1", f"{SERIAL}:3"))
    assert right["replaces"] == f"{SERIAL}:3"
    assert right["provenance"]["parent"] == wrong["calibration"]["id"]
    assert right["panels"] == wrong["panels"]
    assert right["data_taken"] == wrong["data_taken"]
    assert wrong["relabelled"]["replacement_id"] == right["calibration"]["id"]
    again = calib(*words)
    assert (again.code, f"recorded again as {RIGHT}:1" in again.stderr) == (2, True)
    assert calib(*RESOLVE, "2026-03-05").code == 1
    # Its summaries have the right serial as well: datasets can be added to it.
    assert done("combine", f"{RIGHT}:1", "--json").json["calibration"]["serial"] == RIGHT
    assert done("audit", "verify").code == 0


def test_the_certifications_are_copied_only_on_request(certified: Path) -> None:
    words = ("detector", "relabel", f"{SERIAL}:3", "--to", RIGHT, "--reason", "mistyped")
    found = done(*words, "--certify", "--json").json
    (before,), (after,) = found["withdrawn"], found["certified"]
    same = ("from", "to", "distance_min_mm", "distance_max_mm")
    assert {name: after.get(name) for name in same} == {name: before.get(name) for name in same}
    assert (after["calibration"], after["reason"]) == (f"{RIGHT}:1", "mistyped")
    resolved = done("resolve", RIGHT, "--at", "2026-03-05", "--distance", "200", "--json").json
    assert resolved["calibration"] == f"{RIGHT}:1"


def test_a_relabelling_to_the_same_serial_or_another_layout_is_refused(here: Path) -> None:
    done("detector", "add", "3-0001", "--layout", "PILATUS 6M")
    for right, code in ((SERIAL, "same-serial"), ("3-0001", "other-layout"), ("a:b", None)):
        refused = calib("detector", "relabel", f"{SERIAL}:1", "--to", right, *WHY, "--json")
        assert refused.code == 2
        assert code in (None, refused.error["code"])
    assert len(done("list", "--json").json) == 3
