"""Certifications, applications and entries are shown with their own times, names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from calib.model.store.record import Certification, ChangeStamp
from calib.model.store.validity import Validity
from calib.report.blocks import Block, Table
from support.asymmetric import amended, calibrations, certified, recorded
from support.asymmetric.cases import CASES
from support.reading import cell, check_numbers, fact, lines_with, numbers, row_of, table_with


def blocks(name: str) -> Sequence[Block]:
    return CASES[name]().blocks


def written(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S UTC")


def check_span(text: str, validity: Validity) -> None:
    """The text begins with the start and goes on with the end, if there is one."""
    assert text.startswith(written(validity.start))
    if validity.end is None:
        assert text.count("UTC") == 1
    else:
        assert text.endswith(written(validity.end))


def check_stamp(
    table: Table, row: Sequence[str], stamp: ChangeStamp, heading: str = "recorded"
) -> None:
    assert cell(table, row, heading) == written(stamp.at)
    assert cell(table, row, "by") == stamp.actor


def name_of(one: Certification | None) -> str:
    return "-" if one is None else f"{one.serial}:{one.version}"


def test_a_certification_is_shown_with_its_times_distances_and_author() -> None:
    table = table_with(blocks("certified"), "calibration", "extrapolation", "withdrawn")
    for one, row in zip(certified.certifications(), table.rows, strict=True):
        assert cell(table, row, "number") == (str(one.number) if one.number else "-")
        assert cell(table, row, "calibration") == name_of(one)
        check_span(cell(table, row, "valid"), one.validity)
        check_numbers(
            cell(table, row, "distances"), one.distances.minimum_mm, one.distances.maximum_mm
        )
        check_numbers(cell(table, row, "extrapolation"), one.gap_mm)
        check_stamp(table, row, one.recorded)
        assert cell(table, row, "reason").startswith(one.reason)
        assert one.override in cell(table, row, "reason")
        shown = cell(table, row, "withdrawn")
        if one.withdrawn is None:
            assert not shown
        else:
            assert shown.startswith(written(one.withdrawn.at))
            assert one.withdrawn.actor in shown
            assert one.withdrawn_reason in shown


def test_a_change_names_the_calibrations_valid_before_and_now() -> None:
    table = table_with(blocks("certified"), "data", "before", "now")
    for change, row in zip(certified.changes(), table.rows, strict=True):
        check_span(cell(table, row, "data"), change.region.validity)
        reach = change.region.distances
        check_numbers(cell(table, row, "distances"), reach.minimum_mm, reach.maximum_mm)
        assert cell(table, row, "before").split()[0] == name_of(change.before)
        assert cell(table, row, "now").split()[0] == name_of(change.after)
    (line,) = lines_with(blocks("certified"), "150.5")
    assert line.index("W-14:4") < line.index("instead") < line.index("W-14:3")
    (line,) = lines_with(blocks("certified"), "affected")
    check_numbers(line, 17)


def test_an_answer_is_shown_with_its_age() -> None:
    (line,) = lines_with(blocks("resolution"), "days")
    assert "29.2 days before" in line
    assert written(calibrations.DATA_TAKEN[-1]) in line
    (line,) = lines_with(blocks("resolution-future"), "days")
    assert "43.2 days after" in line


def test_an_answer_is_shown_with_its_own_certification() -> None:
    one = certified.certifications()[0]
    shown = blocks("resolution-explained")
    (line,) = lines_with(shown, "carol")
    assert numbers(line) == ["7"]
    (line,) = lines_with(shown, "143.5")
    check_numbers(line, one.distances.minimum_mm, one.distances.maximum_mm, one.gap_mm)
    (line,) = lines_with(shown, "151.9", "263.4")
    check_numbers(line, 151.87, 263.41, 402.19)
    table = table_with(shown, "number", "calibration", "reason")
    reasons = [(cell(table, row, "calibration"), cell(table, row, "reason")) for row in table.rows]
    assert reasons == [("W-14:3", "withdrawn"), ("N-05:2", "begins later")]
    for row, lost in zip(table.rows, certified.certifications()[1:], strict=True):
        check_span(cell(table, row, "valid"), lost.validity)
        reach = lost.distances
        check_numbers(cell(table, row, "distances"), reach.minimum_mm, reach.maximum_mm)


def test_a_file_is_shown_with_the_time_of_its_data_and_of_its_application() -> None:
    table = table_with(blocks("applications"), "file", "taken", "applied")
    for one, row in zip(certified.applications(), table.rows, strict=True):
        assert cell(table, row, "file") == one.output_names[0]
        assert cell(table, row, "calibration") == f"W-14:{one.version}"
        taken = "-" if one.data_time is None else written(one.data_time)
        assert cell(table, row, "taken") == taken
        check_stamp(table, row, one.applied, "applied")
        check_numbers(cell(table, row, "distance"), one.distance_mm)


def test_an_affected_file_is_shown_with_its_answers_now_and_if_withdrawn() -> None:
    table = table_with(blocks("affected"), "file", "current", "withdrawn")
    for one, row in zip(certified.affected(), table.rows, strict=True):
        assert cell(table, row, "file") == one.application.output_names[0]
        assert cell(table, row, "current") == name_of(one.now)
        assert cell(table, row, "withdrawn") == name_of(one.without)
        check_stamp(table, row, one.application.applied, "applied")
        check_numbers(cell(table, row, "distance"), one.application.distance_mm)
    check_numbers(fact(blocks("affected"), at=2), 2)
    check_numbers(fact(blocks("affected"), at=3), 1)


def test_an_applied_detector_is_shown_with_its_distance_and_residual() -> None:
    table = table_with(blocks("applied"), "output", "calibration", "pose")
    for one, row in zip(certified.applied(), table.rows, strict=True):
        assert cell(table, row, "calibration") == one.calibration
        assert cell(table, row, "state") == one.state.value
        assert cell(table, row, "replaced") == (one.replaced or "-")
        check_numbers(cell(table, row, "distance"), one.distance_mm)
        assert "um" in table.columns[-1].split()
        check_numbers(cell(table, row, "pose"), one.pose_residual_um)


def test_a_listed_calibration_has_its_own_author_distances_and_reflections() -> None:
    table = table_with(blocks("list"), "calibration", "stored", "reflections")
    for one in certified.lines():
        row = row_of(table, f"{one.serial}:{one.version}")
        assert cell(table, row, "state") == one.state.value
        check_stamp(table, row, one.stored, "stored")
        check_numbers(cell(table, row, "distances"), *one.distances_mm)
        check_numbers(cell(table, row, "reflections"), one.n_reflections)


def test_an_entry_of_the_log_is_shown_with_its_place_in_store_and_chain() -> None:
    table = table_with(blocks("log"), "position", "chain", "hash")
    for one, row in zip(recorded.entries(), table.rows, strict=True):
        check_numbers(cell(table, row, "position"), one.position)
        check_stamp(table, row, one.recorded)
        assert cell(table, row, "host") == one.recorded.host
        assert cell(table, row, "chain").split() == [one.chain or "store", str(one.ordinal)]
        assert cell(table, row, "kind") == one.kind
        assert one.hash.startswith(cell(table, row, "hash"))


def test_an_event_is_shown_with_its_author_and_kind() -> None:
    (table,) = (
        block
        for block in blocks("history")
        if isinstance(block, Table) and "drift" in block.columns
    )
    for one, row in zip(recorded.events(), table.rows, strict=True):
        check_stamp(table, row, one.event.recorded)
        shown, drift = cell(table, row, "event"), cell(table, row, "drift")
        if one.event.derived is not None:
            assert f"{one.event.derived.serial}:{one.event.derived.version}" in shown
            assert ("draft" in shown) == (not one.event.derived.accepted)
        word = one.event.certified or one.event.withdrawn
        if word is not None:
            assert name_of(word) in shown
            assert written(word.validity.start) in shown
        assert (one.against in drift) if one.drift is not None else drift == "-"


def test_a_placement_is_shown_with_its_start_and_its_record() -> None:
    table = table_with(blocks("detector-panels"), "beamline", "from", "recorded")
    for one, row in zip(certified.placements(), table.rows, strict=True):
        assert cell(table, row, "beamline") == one.beamline
        assert cell(table, row, "from") == written(one.start)
        check_stamp(table, row, one.recorded)
        assert cell(table, row, "reason") == (one.reason or "-")


def test_an_entry_of_another_store_is_shown_with_its_version_there() -> None:
    table = table_with(blocks("show"), "there", "id", "loaded")
    first, second = table.rows
    assert cell(table, first, "original", "version") == "9"
    assert cell(table, second, "original", "version") == "-"
    assert cell(table, first, "recorded", "there") == written(recorded.entries()[2].recorded.at)
    assert cell(table, first, "loaded") == written(recorded.origins()[0].loaded.at)
    assert cell(table, first, "by") == "mona@vm-3"
    assert cell(table, first, "reason") == "certified elsewhere"


def test_counts_of_a_bundle_and_of_loading_it_are_its_own() -> None:
    (line,) = lines_with(blocks("bundle"), "applications")
    check_numbers(line, 7, 3, 4, 5, 6, 8, 9, 10)
    (line,) = lines_with(blocks("bundle"), "entries")
    assert numbers(line)[:2] == ["3", "29"]
    assert [numbers(fact(blocks("loaded"), at=k))[0] for k in (1, 2, 3)] == ["37", "3", "53"]
    (line,) = lines_with(blocks("audit"), "entries")
    check_numbers(line, 43, 5, 47, 517)


def test_a_backup_and_a_revision_are_shown_with_their_own_numbers() -> None:
    (line,) = lines_with(blocks("backup"), "MB")
    check_numbers(line.removesuffix("MB"), 12.345678)
    shown = [fact(blocks("revision"), at=k) for k in range(1, 5)]
    assert shown == ["0012", "0013", "0009", "0011"]


def test_a_rule_is_shown_with_its_value_and_author() -> None:
    table = table_with(blocks("rules"), "rule", "value", "by")
    for one, row in zip(recorded.rules(), table.rows, strict=True):
        assert cell(table, row, "value") == one.value
        check_stamp(table, row, one.recorded)
        assert cell(table, row, "host") == one.recorded.host


def test_amendments_are_shown_with_their_values_and_records() -> None:
    found = blocks("amended")
    changes = table_with(found, "change", "from", "reason")
    first, second = changes.rows
    assert cell(changes, first, "change") == "time zone: Asia/Seoul; layout name: prototype 2"
    assert cell(changes, second, "change") == "time zone: Europe/Rome; description: wide, rebuilt"
    assert [cell(changes, row, "from") for row in changes.rows] == [
        written(certified.instant(4, 5, 6)),
        "always",
    ]
    for one, row in zip(amended.edits(), changes.rows, strict=True):
        check_stamp(changes, row, one.recorded)
        assert cell(changes, row, "reason") == one.reason
    states = table_with(found, "state", "reason")
    for retired, row in zip(amended.retirements(), states.rows, strict=True):
        since = "" if retired.start is None else written(retired.start)
        expected = f"retired since {since}" if since else "in use again"
        assert cell(states, row, "state") == expected
        check_stamp(states, row, retired.recorded)
    (row,) = (row for row in table_with(found, "retired", "zone").rows if row[0] == "W-14")
    assert row[1:3] == ("prototype 2", "Asia/Seoul")
