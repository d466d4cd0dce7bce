"""Audit: verify every entry and chain of the log, every row and every artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, text
from sqlalchemy.exc import DBAPIError

from calib.errors import CalibError
from calib.model.base.canonical import instant_from
from calib.model.store.log import (
    CLOCK_KIND,
    STORE_CHAIN,
    Audit,
    ChainHead,
    Entry,
    Finding,
    entry_id,
)
from calib.model.store.record import ChangeStamp
from calib.store.log.bindings import binding_problem, rows_of_other_detectors
from calib.store.log.row_hashes import FIRST, LAST, RowsAt, logged_tables, rows_between
from calib.store.log.written import keys_text
from calib.store.records.calibrations import read_calibration
from calib.store.schema.objects import schema_findings
from calib.store.schema.tables import BINDING

_PAGE = 500
_UNREADABLE = (DBAPIError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What the rows of tables raise that were altered."""
_ENTRIES = text(
    "SELECT p.position, d.position AS deed, d.recorded_at, d.actor, d.host, e.position AS entry, "
    "e.chain, e.ordinal, e.kind, e.command, e.reason, e.contents, e.salt, e.previous, e.hash "
    "FROM (SELECT position FROM deed WHERE position > :after "
    "UNION SELECT position FROM entry WHERE position > :after ORDER BY 1 LIMIT :page) p "
    "LEFT JOIN deed d ON d.position = p.position LEFT JOIN entry e ON e.position = p.position "
    "ORDER BY p.position"
)


def audit_store(connection: Connection, checkpoint: Sequence[ChainHead] = ()) -> Audit:
    """Compare every row with its hash in the log, and every chain with its own hashes.

    ``checkpoint`` holds chain heads that were signed earlier: the log must still contain them.
    """
    return _Auditor(connection, checkpoint).audit()


class _Auditor:
    def __init__(self, connection: Connection, checkpoint: Sequence[ChainHead]) -> None:
        self._connection = connection
        self._expected = {(head.chain, head.ordinal): head for head in checkpoint}
        self._findings: list[Finding] = []
        self._ends: dict[str, tuple[int, str]] = {}
        self._registrations: dict[str, str] = {}
        self._serials: dict[Any, str] = {}
        self._last: tuple[int, datetime] | None = None
        self._n_entries = self._n_rows = 0
        self._binds = False

    def audit(self) -> Audit:
        self._findings += schema_findings(self._connection)
        try:
            self._audit_all()
        except _UNREADABLE as error:
            if not self._findings:
                raise  # a bug
            words = str(getattr(error, "orig", error)).strip().splitlines()[:1]
            problem = f"rows cannot be read from the altered tables ({''.join(words)})"
            self._find(self._findings[0].table, "all", problem)
        return Audit(
            findings=tuple(self._findings),
            n_entries=self._n_entries,
            n_rows=self._n_rows,
            n_chains=len(self._ends),
            last_position=0 if self._last is None else self._last[0],
        )

    def _audit_all(self) -> None:
        detectors = self._connection.execute(text("SELECT position, serial FROM detector"))
        self._serials.update((row.position, row.serial) for row in detectors)
        first, page = FIRST, self._page(0)
        while True:
            following = self._page(page[-1].position) if page else []
            self._audit_page(page, first, page[-1].position if following else LAST)
            if not following:
                break
            first, page = page[-1].position + 1, following
        for head in self._expected.values():
            self._find(
                "entry",
                f"number {head.ordinal} of the chain of {head.chain or 'the store'}",
                "the checkpoint has this entry and the log does not: it was truncated or rewritten",
            )

    def _page(self, after: int) -> Sequence[Row[Any]]:
        return self._connection.execute(_ENTRIES, {"after": after, "page": _PAGE}).all()

    def _audit_page(self, page: Sequence[Row[Any]], first: int, last: int) -> None:
        contents: dict[int, Mapping[str, str]] = {}
        chains: dict[int, str] = {}
        for row in page:
            entry = self._entry(row)
            if entry is not None:
                contents[entry.position] = entry.contents
                chains[entry.position] = entry.chain
                self._follow(entry)
                self._n_entries += 1
        sound: set[int] = set()
        spoiled: set[int] = set()
        keys: dict[int, dict[str, list[list[Any]]]] = {}
        for table in logged_tables():
            found = {
                rows.position: rows for rows in rows_between(self._connection, table, first, last)
            }
            self._n_rows += sum(rows.n_rows for rows in found.values())
            for position in sorted({*found, *contents}):
                recorded = contents.get(position)
                if position in found and table is not BINDING:
                    keys.setdefault(position, {})[table.name] = found[position].keys
                problem = _difference(recorded, table.name, found.get(position))
                if problem:
                    self._find(table.name, f"position {position}", problem)
                    spoiled.add(position)
                elif table.name == "calibration" and position in found:
                    sound.add(position)
        self._check_bindings(chains, contents, keys, (first, last))
        for position in sorted(sound - spoiled):
            self._reread(position)

    def _check_bindings(
        self,
        chains: Mapping[int, str],
        contents: Mapping[int, Mapping[str, str]],
        keys: Mapping[int, Mapping[str, list[list[Any]]]],
        span: tuple[int, int],
    ) -> None:
        """Compare each entry with the detector and the rows that it is about."""
        other = rows_of_other_detectors(self._connection, chains, self._serials, *span)
        for table, position, problem in other:
            self._find(table, f"position {position}", problem)
        bound = self._connection.execute(
            select(BINDING).where(BINDING.c.position.between(*span))
        ).all()
        rows = {row.position: row for row in bound}
        for position, chain in chains.items():
            if BINDING.name in contents[position]:
                self._binds = True
            elif not self._binds:
                continue  # made before revision 0014
            problem = binding_problem(
                chain,
                self._serials.get(position),
                rows.get(position),
                keys_text(keys.get(position, {})),
            )
            if problem:
                self._find("binding", f"position {position}", problem)

    def _entry(self, row: Row[Any]) -> Entry | None:
        """The entry at a position, compared with its own hash; None where it is missing."""
        place = f"position {row.position}"
        if row.deed is None:
            self._find("deed", place, "the stamp of this entry (table deed) was deleted")
        if row.entry is None:
            problem = "this stamp has no entry: the entry was deleted or the stamp inserted"
            self._find("entry", place, problem)
        if row.deed is None or row.entry is None:
            return None
        try:
            at = row.recorded_at
            entry = Entry(
                position=row.position,
                recorded=ChangeStamp(
                    at if isinstance(at, datetime) else instant_from(at),
                    row.actor,
                    row.host,
                    row.command,
                    row.reason,
                ),
                chain=row.chain,
                ordinal=row.ordinal,
                kind=row.kind,
                contents=dict(json.loads(row.contents)),
                salt=row.salt,
                previous=row.previous,
                hash=row.hash,
            )
            # The hash covers the parsed contents; their text must be the canonical one as well.
            recorded = json.dumps(entry.contents, sort_keys=True)
            right = entry_id(entry) == entry.hash and recorded == row.contents
        except (CalibError, ValueError, TypeError, OverflowError):
            self._find("entry", place, "the stamp or its entry cannot be read")
            return None
        if not right:
            self._find(
                "entry",
                place,
                "the stamp or its entry was changed (time, actor, host, command, reason, kind, "
                "contents, chain or hash)",
            )
        return entry

    def _follow(self, entry: Entry) -> None:
        """Compare an entry with the one before it, in the store and in its chain."""
        place, at = f"position {entry.position}", entry.recorded.at
        before = 0 if self._last is None else self._last[0]
        if entry.position != before + 1:
            problem = f"it follows position {before}: the positions between were deleted"
            self._find("deed", place, problem)
        corrects = (entry.kind, entry.chain) == (CLOCK_KIND, STORE_CHAIN)
        if self._last is not None and at <= self._last[1] and not corrects:
            self._find("deed", place, "its time is not later than that of the position before")
        self._last = (entry.position, at)
        named = entry.chain or "the store"
        registration = self._registrations.get(entry.chain)
        ordinal, hash_before = self._ends.get(entry.chain, (0, registration))
        if entry.ordinal != ordinal + 1:
            self._find(
                "entry",
                place,
                f"number {entry.ordinal} of the chain of {named} follows number {ordinal}: entries "
                "were deleted, inserted or moved",
            )
        elif entry.previous != hash_before:
            self._find(
                "entry",
                place,
                f"its hash of the previous entry in the chain of {named} is wrong",
            )
        self._ends[entry.chain] = (entry.ordinal, entry.hash)
        if entry.chain == STORE_CHAIN and entry.position in self._serials:
            self._registrations[self._serials[entry.position]] = entry.hash
        head = self._expected.get((entry.chain, entry.ordinal))
        if head is not None and (head.hash, head.position) == (entry.hash, entry.position):
            del self._expected[entry.chain, entry.ordinal]

    def _reread(self, position: int) -> None:
        """Verify a calibration by its own id: rows, report and covariance."""
        try:
            read_calibration(self._connection, position)
        except (CalibError, ValueError, TypeError, LookupError) as error:
            problem = error.problem if isinstance(error, CalibError) else str(error)
            self._find("calibration", f"position {position}", problem)

    def _find(self, table: str, row: str, problem: str) -> None:
        self._findings.append(Finding(table, row, problem))


def _difference(recorded: Mapping[str, str] | None, table: str, found: RowsAt | None) -> str:
    """How rows differ from the log, in words; empty where they do not."""
    if recorded is None:
        return "" if found is None else "rows without an entry in the log"
    if table not in recorded:
        return "" if found is None else "rows were inserted that are not in the log"
    if found is None:
        return "rows that are in the log were deleted"
    return "" if recorded[table] == found.hash else "rows were changed since they were logged"
