"""The log: the hashes of the rows that each change added, chained; and the extrapolation limit.

Why: triggers and the ids of calibrations detect accidental changes. A row that is inserted, removed
or rewritten together with its id is detected only if every change names the hash of the rows that
it added and the hash of the previous entry. Existing changes get entries computed from their rows,
without a command, since none was stored.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from calib.model.base.canonical import instant_from
from calib.model.store.log import STORE_CHAIN, Entry, entry_id, rows_id
from calib.model.store.record import ChangeStamp
from calib_migrations.kinds import position

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANTS = {"started", "valid_from", "valid_to", "data_time", "applied_at"}
TABLES = {
    "application": "position",
    "artifact": "position",
    "calibration": "position",
    "calibration_dataset": "calibration",
    "certification": "position",
    "dataset": "position",
    "detector": "position",
    "panel": "calibration",
    "withdrawal": "position",
}
"""The tables whose rows have hashes in the log, and the column with the log position."""
KEYS = {
    "artifact": "sha256",
    "calibration_dataset": "ordinal",
    "dataset": "id",
    "panel": "panel",
    "withdrawal": "certification",
}
"""The column that orders the rows of one position, if there may be several."""
INDEXED = ("artifact", "dataset", "withdrawal")
KINDS = ("application", "withdrawal", "certification", "calibration", "detector")
PAGE = 500


def upgrade() -> None:
    """Create ``entry``, with an entry for every change, and ``certification.gap_mm``."""
    op.create_table(
        "entry",
        sa.Column("position", position(), nullable=False, autoincrement=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("contents", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_entry"),
        sa.ForeignKeyConstraint(["position"], ["deed.position"], name="fk_entry_position"),
        sa.UniqueConstraint("chain", "ordinal", name="uq_entry_chain_ordinal"),
    )
    for table in INDEXED:
        op.create_index(f"ix_{table}_position", table, ["position"])
    op.add_column("certification", sa.Column("gap_mm", sa.Double(), nullable=True))
    _add_entries(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION calib_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER entry_no_{change.lower()} BEFORE {change} ON entry "
            "BEGIN SELECT RAISE(ABORT, 'rows of entry are only ever added'); END"
        )


def downgrade() -> None:
    """Drop the table and the column."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER append_only ON entry")
    else:
        for change in ("update", "delete"):
            op.execute(f"DROP TRIGGER entry_no_{change}")
    op.drop_column("certification", "gap_mm")
    for table in INDEXED:
        op.drop_index(f"ix_{table}_position", table)
    op.drop_table("entry")


def _add_entries(bind: sa.Connection) -> None:
    detectors = bind.execute(sa.text("SELECT position, serial FROM detector"))
    serials = {row.position: row.serial for row in detectors}
    ends: dict[str, tuple[int, str | None]] = {}
    after = 0
    while True:
        deeds = bind.execute(
            sa.text(
                "SELECT position, recorded_at, actor, host FROM deed WHERE position > :after "
                "ORDER BY position LIMIT :page"
            ),
            {"after": after, "page": PAGE},
        ).all()
        if not deeds:
            return
        span = {"first": deeds[0].position, "last": deeds[-1].position}
        contents, details = _contents(bind, span)
        chains = _chains(bind, span, serials)
        entries = []
        for deed in deeds:
            at = deed.position
            chain = STORE_CHAIN if at in serials else chains.get(at, STORE_CHAIN)
            ordinal, previous = ends.get(chain, (0, None))
            entry = Entry(
                position=at,
                recorded=ChangeStamp(
                    _instant(deed.recorded_at), deed.actor, deed.host, "", details.get(at, "")
                ),
                chain=chain,
                ordinal=ordinal + 1,
                kind=next((kind for kind in KINDS if kind in contents.get(at, {})), "nothing"),
                contents=contents.get(at, {}),
                salt=secrets.token_hex(16),
                previous=previous,
                hash="",
            )
            name = entry_id(entry)
            ends[chain] = (entry.ordinal, name)
            if at in serials:
                ends[serials[at]] = (0, name)
            entries.append(_row(entry, name))
        bind.execute(
            sa.text(
                "INSERT INTO entry (position, chain, ordinal, kind, command, reason, contents, "
                "salt, previous, hash) VALUES (:position, :chain, :ordinal, :kind, '', :reason, "
                ":contents, :salt, :previous, :hash)"
            ),
            entries,
        )
        after = deeds[-1].position


def _contents(
    bind: sa.Connection, span: dict[str, int]
) -> tuple[dict[int, dict[str, str]], dict[int, str]]:
    """For each position the hashes of its rows by table, and the reason given."""
    contents: dict[int, dict[str, str]] = {}
    reasons: dict[int, str] = {}
    for table, place in TABLES.items():
        key = KEYS.get(table, place)
        found = bind.execute(
            sa.text(f"SELECT * FROM {table} WHERE {place} BETWEEN :first AND :last"),  # noqa: S608
            span,
        ).mappings()
        ordered = sorted(found, key=lambda row: (row[place], row[key]))
        for at, group in groupby(ordered, key=lambda row: row[place]):
            rows = list(group)
            contents.setdefault(at, {})[table] = rows_id(
                {name: [_canonical(name, row[name]) for row in rows] for name in rows[0]}
            )
            if table in ("certification", "withdrawal"):
                reasons[at] = rows[0]["reason"]
    return contents, reasons


def _chains(bind: sa.Connection, span: dict[str, int], serials: dict[int, str]) -> dict[int, str]:
    """For each position the serial of its detector."""
    found = bind.execute(
        sa.text(
            "SELECT position, detector FROM calibration WHERE position BETWEEN :first AND :last "
            "UNION SELECT position, detector FROM certification "
            "WHERE position BETWEEN :first AND :last "
            "UNION SELECT w.position, c.detector FROM withdrawal w "
            "JOIN certification c ON c.position = w.certification "
            "WHERE w.position BETWEEN :first AND :last "
            "UNION SELECT a.position, c.detector FROM application a "
            "JOIN calibration c ON c.position = a.calibration "
            "WHERE a.position BETWEEN :first AND :last"
        ),
        span,
    )
    return {row[0]: serials.get(row[1], STORE_CHAIN) for row in found}


def _canonical(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in INSTANTS:
        return _instant(value)
    if name == "accepted":
        return bool(value)
    if name == "content":
        return hashlib.sha256(value).hexdigest()
    return value


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else instant_from(value)


def _row(entry: Entry, name: str) -> dict[str, Any]:
    return {
        "position": entry.position,
        "chain": entry.chain,
        "ordinal": entry.ordinal,
        "kind": entry.kind,
        "reason": entry.recorded.reason,
        "contents": json.dumps(entry.contents, sort_keys=True),
        "salt": entry.salt,
        "previous": entry.previous,
        "hash": name,
    }
