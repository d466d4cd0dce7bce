"""The log has one entry for each change, and every tampering is found."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calib.config.location import Location
from calib.errors import InputError
from calib.model.store.log import STORE_CHAIN, Entry, Moment, by_id, entry_id, rows_id
from calib.model.store.record import ChangeStamp
from calib.store.database.database import Database
from calib.store.log.row_hashes import hash_of, rows_at
from calib.store.schema.tables import PANEL
from calib.store.store import Store
from support import raw
from support.copies import Fill
from support.records import (
    DAY,
    HOUR,
    NOON,
    SERIAL,
    application,
    calibration,
    certification,
    detector,
    stamp,
)

OTHER = "24-0108"
TICK = timedelta(microseconds=1)


def fill(place: str) -> None:
    """Make a store of two detectors with rows in every table."""
    by_ada = replace(stamp(), command="calib derive night1.expt")
    Store.create(place)
    with Store.open(place) as store:
        stored, _ = store.calibrations.add(calibration(), (NOON, None), by_ada, detector())
        store.detectors.add(detector(OTHER), stamp(NOON - DAY))
        second, _ = store.calibrations.add(calibration(seed=1), (NOON, NOON), stamp())
        first = store.certifications.certify(certification(stored, NOON, NOON + DAY))
        store.certifications.certify(
            certification(second, NOON + DAY, recorded=stamp(NOON + HOUR, "bob"))
        )
        store.certifications.withdraw(first.number, "a loose cable", stamp(NOON + 2 * HOUR))
        store.applications.record(application(stored))
        store.calibrations.add(calibration(OTHER), (NOON, None), stamp())


@pytest.fixture
def filled(copy_of: Callable[[Fill], str]) -> str:
    """Two detectors with rows in every table."""
    return copy_of(fill)


def problems(place: str) -> list[tuple[str, str, str]]:
    with Store.open(place) as store:
        return [(f.table, f.row, f.problem) for f in store.log.audit().findings]


def test_every_change_has_one_entry_in_order(filled: str) -> None:
    with Store.open(filled) as store:
        log = store.log.entries()
    assert [entry.position for entry in log] == list(range(1, 9))
    assert [entry.kind for entry in log] == [
        "calibration", "detector", "calibration", "certification", "certification", "withdrawal",
        "application", "calibration",
    ]  # fmt: skip
    times = [entry.recorded.at for entry in log]
    assert times == [
        NOON, NOON + TICK, NOON + 2 * TICK, NOON + 3 * TICK, NOON + HOUR, NOON + 2 * HOUR,
        NOON + 2 * HOUR + TICK, NOON + 2 * HOUR + 2 * TICK,
    ]  # fmt: skip
    assert (log[0].recorded.command, log[4].recorded.actor) == ("calib derive night1.expt", "bob")
    assert log[5].recorded.reason == "a loose cable"
    assert set(log[0].contents) == {
        "detector", "dataset", "artifact", "calibration", "calibration_dataset", "panel",
        "binding",
    }  # fmt: skip


def test_the_chain_of_a_detector_begins_with_its_registration(filled: str) -> None:
    with Store.open(filled) as store:
        log = store.log.entries()
        ends = {head.chain: (head.ordinal, head.hash) for head in store.log.heads()}
        mine = store.log.entries(SERIAL)
    chains = [(entry.chain, entry.ordinal) for entry in log]
    assert chains == [
        (STORE_CHAIN, 1), (STORE_CHAIN, 2), (SERIAL, 1), (SERIAL, 2), (SERIAL, 3), (SERIAL, 4),
        (SERIAL, 5), (OTHER, 1),
    ]  # fmt: skip
    before = [None, 0, 0, 2, 3, 4, 5, 1]
    assert [entry.previous for entry in log] == [
        None if index is None else log[index].hash for index in before
    ]
    assert all(entry.hash == entry_id(entry) for entry in log)
    assert ends == {
        STORE_CHAIN: (2, log[1].hash), SERIAL: (5, log[6].hash), OTHER: (1, log[7].hash),
    }  # fmt: skip
    assert mine == [log[0], *log[2:7]]


def test_a_chain_can_be_verified_without_names_hosts_and_commands(filled: str) -> None:
    with Store.open(filled) as store:
        entry = store.log.entries(SERIAL)[0]
    by = by_id(entry.recorded, entry.salt)
    nameless = replace(entry, recorded=replace(entry.recorded, actor="", host="", command=""))
    assert entry_id(nameless, by) == entry.hash
    assert entry_id(nameless) != entry.hash
    assert by != by_id(entry.recorded, "another salt")


def test_every_entry_has_a_salt_of_its_own_of_128_bits(filled: str) -> None:
    with Store.open(filled) as store:
        salts = [entry.salt for entry in store.log.entries()]
    assert len(set(salts)) == len(salts)
    assert all(re.fullmatch(r"[0-9a-f]{32}", salt) for salt in salts)


def test_the_examples_in_the_conventions_have_the_hashes_given_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "conventions.md").read_text(
        encoding="utf-8"
    )
    section = page.partition("## Log\n")[2].partition("```\n")[2].partition("```")[0]
    (rows, rows_name), (by, by_name), (problem_found, name) = (
        block.splitlines() for block in section.strip().split("\n\n")
    )
    known = {"datetime": datetime, "UTC": UTC}
    columns, who, entry = (eval(text, known) for text in (rows, by, problem_found))  # noqa: S307
    assert rows_id(columns) == rows_name
    salt = who.pop("salt")
    recorded = ChangeStamp(entry.pop("recorded_at"), **who, reason=entry.pop("reason"))
    assert by_id(recorded, salt) == by_name
    assert entry_id(Entry(recorded=recorded, salt=salt, hash="", **entry)) == name


def test_a_column_that_is_null_throughout_does_not_count() -> None:
    rows: dict[str, list[Any]] = {"a": [1, 2], "b": ["x", None]}
    assert rows_id(rows) == rows_id({**rows, "later": [None, None]})
    assert rows_id(rows) != rows_id({**rows, "later": [None, 0.0]})


def test_an_untouched_store_verifies(filled: str) -> None:
    with Store.open(filled) as store:
        audit = store.log.audit()
    assert audit.findings == ()
    assert (audit.n_entries, audit.n_chains, audit.last_position) == (8, 3, 8)
    assert audit.n_rows == sum(
        len(raw.rows(filled, table)) for table in raw.TABLES if table not in ("deed", "entry")
    )


def test_an_empty_store_verifies(store: Store) -> None:
    audit = store.log.audit()
    assert (audit.findings, audit.n_entries, audit.last_position) == ((), 0, 0)
    assert store.log.heads() == ()


CHANGED = "rows were changed since they were logged"
GONE = "rows that are in the log were deleted"
INSERTED = "rows were inserted that are not in the log"
EDITED = "the stamp or its entry was changed"
ORDER = "entries were deleted, inserted or moved"
TAMPERINGS = [
    ("UPDATE detector SET description = 'x' WHERE position = 2", "detector", 2, CHANGED),
    ("UPDATE calibration SET version = 7 WHERE position = 1", "calibration", 1, CHANGED),
    ("UPDATE calibration SET report = '' WHERE position = 1", "calibration", 1, CHANGED),
    ("UPDATE panel SET dx = dx + 1e-12 WHERE calibration = 3", "panel", 3, CHANGED),
    ("DELETE FROM panel WHERE calibration = 3 AND panel = 2", "panel", 3, CHANGED),
    ("DELETE FROM panel WHERE calibration = 3", "panel", 3, GONE),
    ("UPDATE dataset SET name = 'x' WHERE position = 1", "dataset", 1, CHANGED),
    (
        "UPDATE calibration_dataset SET started = NULL WHERE calibration = 3",
        "calibration_dataset", 3, CHANGED,
    ),
    (
        "UPDATE certification SET distance_max_mm = 501 WHERE position = 5",
        "certification", 5, CHANGED,
    ),
    ("UPDATE certification SET reason = '' WHERE position = 4", "certification", 4, CHANGED),
    ("UPDATE certification SET gap_mm = 1 WHERE position = 4", "certification", 4, CHANGED),
    ("DELETE FROM withdrawal", "withdrawal", 6, GONE),
    ("UPDATE withdrawal SET certification = 5", "withdrawal", 6, CHANGED),
    (
        "INSERT INTO withdrawal (certification, position, reason) VALUES (5, 7, 'sly')",
        "withdrawal", 7, INSERTED,
    ),
    (
        "INSERT INTO withdrawal (certification, position, reason) VALUES (5, 99, 'sly')",
        "withdrawal", 99, "rows without an entry in the log",
    ),
    *(
        (
            "INSERT INTO withdrawal (certification, position, reason) "
            f"VALUES (5, {position}, 'sly')",
            "withdrawal", position, "rows without an entry in the log",
        )
        for position in (-(2**63), 2**63 - 1)
    ),
    ("UPDATE panel SET sigma_dx = ? WHERE calibration = 3", "panel", 3, CHANGED),
    ("UPDATE application SET why = 'x'", "application", 7, CHANGED),
    ("DELETE FROM artifact WHERE position = 1", "artifact", 1, GONE),
    ("UPDATE deed SET actor = 'eve' WHERE position = 5", "entry", 5, EDITED),
    ("UPDATE deed SET host = 'eve' WHERE position = 5", "entry", 5, EDITED),
    ("UPDATE entry SET command = 'x' WHERE position = 5", "entry", 5, EDITED),
    ("UPDATE entry SET reason = 'x' WHERE position = 5", "entry", 5, EDITED),
    ("UPDATE entry SET kind = 'x' WHERE position = 5", "entry", 5, EDITED),
    ("UPDATE entry SET hash = previous WHERE position = 5", "entry", 5, EDITED),
    ("UPDATE entry SET contents = '[' WHERE position = 5", "entry", 5, "cannot be read"),
    ("UPDATE entry SET ordinal = 9 WHERE position = 5", "entry", 5, ORDER),
    ("DELETE FROM entry WHERE position = 5", "entry", 6, ORDER),
    ("DELETE FROM entry WHERE position = 5", "entry", 5, "this stamp has no entry"),
    ("DELETE FROM deed WHERE position = 5", "deed", 5, "the stamp of this entry (table deed) was"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "table", "position", "problem"), TAMPERINGS)
def test_tampering_is_found_and_named(
    filled: str, statement: str, table: str, position: int, problem: str
) -> None:
    raw.tamper(filled, statement, *[math.inf] * statement.count("?"))
    found = [
        problem_found
        for name, row, problem_found in problems(filled)
        if (name, row) == (table, f"position {position}")
    ]
    assert any(problem in problem_found for problem_found in found), problems(filled)


def test_a_change_deleted_with_its_entry_is_found(filled: str) -> None:
    for table in ("certification", "entry", "deed"):
        raw.tamper(filled, f"DELETE FROM {table} WHERE position = 5")
    found = problems(filled)
    assert (
        "deed",
        "position 6",
        "it follows position 4: the positions between were deleted",
    ) in found
    assert any(table == "entry" and ORDER in problem_found for table, _, problem_found in found)


def test_two_changes_that_are_exchanged_are_found(filled: str) -> None:
    for table in ("deed", "entry", "certification"):
        for old, new in ((4, 90), (5, 4), (90, 5)):
            raw.tamper(filled, f"UPDATE {table} SET position = {new} WHERE position = {old}")
    named = {row for table, row, _ in problems(filled) if table == "entry"}
    assert {"position 4", "position 5"} <= named


def test_a_single_bit_of_an_artifact_is_found(filled: str) -> None:
    ((content,),) = raw.execute(filled, "SELECT content FROM artifact WHERE position = 1")
    changed = bytearray(content)
    changed[-1] ^= 1
    raw.tamper(filled, "UPDATE artifact SET content = ? WHERE position = 1", bytes(changed))
    assert ("artifact", "position 1", CHANGED) in problems(filled)


def test_a_log_forged_together_with_rows_is_found_by_the_calibration_id(filled: str) -> None:
    """Rewriting panel rows and the log after them leaves a wrong calibration id."""
    raw.tamper(filled, "UPDATE panel SET dx = dx + 1 WHERE calibration = 8")
    with Store.open(filled) as store:
        entry = store.log.entries()[-1]
    database = Database(Location.parse(filled))
    with database.reading() as connection:
        contents = {**entry.contents, "panel": hash_of(PANEL, rows_at(connection, PANEL, 8))}
    database.close()
    forged = replace(entry, contents=contents)
    raw.tamper(
        filled,
        "UPDATE entry SET contents = ?, hash = ? WHERE position = 8",
        json.dumps(contents),
        entry_id(forged),
    )
    ((table, row, problem),) = problems(filled)
    assert (table, row) == ("calibration", "position 8")
    assert "Changed: its panel rows" in problem


def test_a_truncated_log_is_found_with_a_checkpoint(filled: str) -> None:
    with Store.open(filled) as store:
        checkpoint = store.log.heads()
        assert store.log.audit(checkpoint).findings == ()
        store.applications.record(application(store.calibrations.get(f"{SERIAL}:2"), "more.expt"))
        assert store.log.audit(checkpoint).findings == ()  # the log may grow
    with Store.open(filled) as store:
        checkpoint = store.log.heads()
    for table in ("binding", "application", "entry", "deed"):
        raw.tamper(filled, f"DELETE FROM {table} WHERE position = 9")
    assert problems(filled) == []
    with Store.open(filled) as store:
        (finding,) = store.log.audit(checkpoint).findings
    assert (finding.table, finding.row) == ("entry", f"number 6 of the chain of {SERIAL}")
    assert "truncated or rewritten" in finding.problem


def test_a_moment_is_the_last_entry_up_to_a_time_or_a_position(filled: str) -> None:
    with Store.open(filled) as store:
        log = store.log.entries()
        for entry in log:
            here = Moment(entry.position, entry.recorded.at)
            assert store.log.moment(entry.recorded.at) == store.log.moment(entry.position) == here
            assert store.log.entries_at([entry.recorded.at]) == [entry]
        assert store.log.moment(log[0].recorded.at - TICK) == store.log.moment(0) == Moment(0, None)
        assert store.log.moment(log[2].recorded.at - TICK).position == 2
        assert store.log.moment() == Moment(8, log[-1].recorded.at)
        with pytest.raises(InputError, match="no position 9; its last one is 8") as caught:
            store.log.moment(9)
        assert caught.value.code == "unknown-position"
