"""calib list, show, certify, withdraw, detector: records and their changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.commands import calib, done
from support.simulated import DETECTOR


def test_a_list_shows_every_calibration_with_its_state(certified: Path) -> None:
    lines = done("list", "--json").json
    assert [(line["calibration"], line["state"], line["freedom"]) for line in lines] == [
        ("24-0107:1", "accepted", "full"),
        ("24-0107:2", "accepted", "full"),
        ("24-0107:3", "certified", "full"),
    ]
    assert [line["stored"]["by"] for line in lines] == ["ada"] * 3
    heading, *rows = done("list").stdout.splitlines()
    assert heading.split()[:4] == ["calibration", "id", "state", "freedom"]
    assert [row.split()[0] for row in rows] == [line["calibration"] for line in lines]
    assert [row.split()[1] for row in rows] == [line["id"][:12] for line in lines]


def test_an_answer_names_the_last_log_entry_it_used(
    certified: Path,
) -> None:
    last = done("audit", "log", "--last", "1", "--json").json[-1]["position"]
    assert f"As known at position {last}, " in done("list").stderr
    assert f"As known at  position {last}, " in done("detector", "show", "24-0107").stdout
    before = done("list", "--as-known-at", last - 1)
    assert f"As known at position {last - 1}, " in before.stderr
    assert "certified" not in before.stdout
    at = ("--at", "2026-03-05", "--distance", "200")
    for words in (
        ("list",),
        ("show", "24-0107:3"),
        ("history", "24-0107"),
        ("history", "24-0107", "--panel", "0", "--at", "2026-03-05"),
        ("resolve", "24-0107", *at),
    ):
        answer = calib(*words, "--as-known-at", last + 1, "--json")
        assert (answer.code, answer.error["code"]) == (2, "unknown-position"), words


def test_the_age_of_the_measurement_is_printed_with_its_sign(certified: Path) -> None:
    at = ("--distance", "200", "--time-policy", "closest", "--at")
    printed = done("resolve", "24-0107", *at, "2026-02-20T09:00").stdout
    assert "2026-03-02 09:00:00 UTC, 10.0 days after the data" in printed
    printed = done("resolve", "24-0107", *at, "2026-03-05T09:00").stdout
    assert "2026-03-02 09:00:00 UTC, 3.0 days before the data" in printed


def test_every_way_of_naming_a_calibration_works(here: Path) -> None:
    by_name = done("show", "24-0107:2", "--json").stdout
    head = done("show", "24-0107:2", "--json").json["calibration"]
    for words in ((head["id"],), (head["id"][:8],), ("2",), ("2", "--serial", "24-0107")):
        assert done("show", *words, "--json").stdout == by_name
    short = calib("show", head["id"][:7], "--json")
    assert short.code == 2
    done("detector", "add", "24-0999", "--layout", DETECTOR)
    bare = calib("show", "2", "--json")
    assert (bare.code, bare.error["code"]) == (2, "ambiguous-reference")
    assert "24-0107:2, 24-0999:2" in bare.error["problem"]


def test_show_prints_every_section_of_a_calibration(certified: Path) -> None:
    view = done("show", "24-0107:3", "--json").json
    assert view["data_taken"] == ["2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z"]
    assert view["stored"]["by"] == "ada"
    assert view["parameters"]["prior_shift_um"] == 100.0
    (certification,) = view["certifications"]
    assert (certification["from"], certification["to"]) == (
        "2026-03-01T00:00:00Z",
        "2026-04-01T00:00:00Z",
    )
    assert done("show", "24-0107:1", "--json").json["certifications"] == []
    text = done("show", "24-0107:3").stdout
    for words in ("certified", "Data taken", "Panel2", "Certifications"):
        assert words in text
    assert re.search(r"^Made with +calib 0", text, re.MULTILINE)


def test_show_and_derive_print_the_same(here: Path) -> None:
    printed = done("derive", "night1.expt", "night1.refl", "--prior-shift-um", "80", "--json").json
    shown = done("show", "24-0107:4", "--json").json
    for key in ("calibration", "rmsd_px", "datasets", "panels", "halves", "acceptance"):
        assert shown[key] == printed[key], key


def test_certify_prints_time_distance_reason_and_author(here: Path) -> None:
    view = done(
        "certify", "24-0107:1", "--reason", "after module swap", "--by", "grace",
        "--min-distance-mm", "120", "--max-distance-mm", "300", "--json",
    ).json["certification"]  # fmt: skip
    assert view["from"] == "2026-03-01T09:00:00Z"  # when its earliest dataset was taken
    assert view["to"] is None
    assert (view["min_distance_mm"], view["max_distance_mm"]) == (120.0, 300.0)
    assert (view["reason"], view["recorded"]["by"]) == ("after module swap", "grace")
    assert view["number"] > 0
    assert done("show", "24-0107:1", "--json").json["certifications"] == [view]


def test_a_dry_run_certifies_and_withdraws_nothing(certified: Path) -> None:
    before = done("show", "24-0107:3", "--json").json
    again = done("certify", "24-0107:3", "--reason", "again", "--dry-run", "--json").json
    assert (again["stored"], again["certification"]["number"]) == (False, None)
    gone = done("withdraw", "24-0107:3", "--reason", "no", "--dry-run", "--json").json
    assert (gone["stored"], len(gone["certifications"])) == (False, 1)
    assert done("show", "24-0107:3", "--json").json == before


def test_withdrawn_certifications_stay_on_record(certified: Path) -> None:
    (view,) = done("withdraw", "24-0107:3", "--reason", "moved", "--json").json["certifications"]
    assert view["withdrawn"]["reason"] == "moved"
    assert done("list", "--json").json[2]["state"] == "withdrawn"
    assert done("show", "24-0107:3", "--json").json["certifications"] == [view]
    assert "moved" in done("show", "24-0107:3").stdout
    nothing_left = calib("withdraw", "24-0107:3", "--reason", "again", "--json")
    assert (nothing_left.code, nothing_left.error["code"]) == (1, "not-certified")
    assert calib("apply", "imported.expt").code == 1


@pytest.mark.parametrize(
    "source", [("--from", "night1.expt"), ("--layout", DETECTOR)], ids=lambda words: words[0]
)
def test_a_detector_is_registered_once(here: Path, source: tuple[str, str]) -> None:
    place = ("--store", "new.sqlite")
    done("init", *place)
    words = ("detector", "add", "24-0107", *source, *place)
    dry = done(*words, "--dry-run", "--json")
    assert (dry.json["new"], dry.json["stored"]) == (True, False)
    assert done("detector", "list", "--json", *place).json == []
    first = done(*words, "--json")
    assert "read in UTC for this detector; --time-zone sets another." in first.stderr
    again = done(*words, "--json")
    assert (first.json["new"], again.json["new"]) == (True, False)
    assert "already registered; nothing was changed." in again.stderr
    view = first.json["detector"]
    assert (view["family"], view["n_panels"], view["time_zone"]) == (DETECTOR, 3, "UTC")
    assert view["panel_sizes"] == [{"size_px": [487, 195], "pixel_mm": [0.172, 0.172]}]
    # Its data match the layout from either source.
    derived = done("derive", "night1.expt", "night1.refl", "--json", *place).json
    assert derived["detector_registered"] is False


def test_a_time_zone_and_a_description_are_kept(here: Path) -> None:
    words = ("--time-zone", "Europe/London", "--description", "hutch 2, upstream")
    answer = done("detector", "add", "24-0999", "--layout", DETECTOR, *words)
    assert answer.stderr == ""
    view = done("detector", "show", "24-0999", "--json").json
    assert (view["time_zone"], view["description"]) == ("Europe/London", "hutch 2, upstream")
    text = done("detector", "show", "24-0999", "--panels").stdout
    for printed in ("Europe/London", "hutch 2, upstream", "Panel2", "No calibration yet."):
        assert printed in text


def test_an_unknown_zone_or_layout_is_refused(here: Path) -> None:
    add = ("detector", "add", "24-0999")
    layout = calib(*add, "--layout", "PILATUS 7M", "--json")
    assert (layout.code, layout.error["code"]) == (2, "unknown-layout")
    assert "PILATUS 6M" in layout.error["remedy"]
    zone = calib(*add, "--layout", DETECTOR, "--time-zone", "Mars/Base", "--json")
    assert (zone.code, zone.error["code"]) == (2, "bad-time-zone")


def test_a_detector_shows_its_calibrations_and_certifications(certified: Path) -> None:
    view = done("detector", "show", "24-0107", "--json").json
    assert view["calibrations"] == done("list", "--json").json
    assert [one["calibration"] for one in view["certifications"]] == ["24-0107:3"]
    assert [panel["name"] for panel in view["panels"]] == ["Panel0", "Panel1", "Panel2"]
    text = done("detector", "show", "24-0107").stdout
    assert "24-0107:2" in text
    assert "2026-03-01 00:00:00 UTC to 2026-04-01 00:00:00 UTC" in text


def test_export_writes_a_reference_geometry(certified: Path) -> None:
    def distance_mm(*words: str) -> float:
        """Where the detector stands in what was written, which carries the calibration."""
        view = done("export", "24-0107:3", "-o", "reference.expt", "--force", *words, "--json").json
        assert (view["calibration"], view["format"]) == ("24-0107:3", "dials")
        assert view["output"] == "reference.expt"
        known = ("--at", "2026-03-05", "--force", "--json")
        again = done("apply", "reference.expt", "-o", "again.expt", *known).json
        assert Path("again.expt").read_bytes() == Path("reference.expt").read_bytes()
        distance: float = again["detectors"][0]["distance_mm"]
        return distance

    imported = done("apply", "imported.expt", "--dry-run", "--json").json["detectors"][0]
    assert distance_mm("--like", "imported.expt") == pytest.approx(imported["distance_mm"])
    words = ("export", "24-0107:3", "-o", "reference.expt")
    assert calib(*words, "--like", "imported.expt").code == 2  # it exists


def test_a_reference_geometry_is_not_invented(certified: Path) -> None:
    for words in ((), ("--distance-mm", "222")):
        answer = calib("export", "24-0107:3", *words, "-o", "reference.expt", "--json")
        assert (answer.code, answer.error["code"]) == (2, "needs-experiments")
        assert "--like" in answer.error["remedy"]
    assert not Path("reference.expt").exists()
