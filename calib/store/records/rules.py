"""Rules of the store: rows to model values and back. Rows are only ever added."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from calib.model.store.log import STORE_CHAIN
from calib.model.store.record import ChangeStamp
from calib.model.store.rule import Rule, in_force
from calib.store.log.log import recording
from calib.store.log.verification import verify_rules
from calib.store.log.written import insert_rows
from calib.store.schema.tables import DEED, STORE_RULE


def add_rule(connection: Connection, rule: Rule) -> Rule | None:
    """Record a value of a rule; returns it as recorded, or None if the rule has it already."""
    if in_force(read_rules(connection), rule.name) == rule.value:
        return None
    with recording(connection, rule.recorded, "rule", STORE_CHAIN) as (
        position,
        recorded,
    ):
        insert_rows(
            connection, STORE_RULE, [{"position": position, "name": rule.name, "value": rule.value}]
        )
    return replace(rule, number=position, recorded=recorded)


def read_rules(connection: Connection) -> list[Rule]:
    """Every value that was set for a rule, newest first."""
    verify_rules(connection, STORE_CHAIN)
    rows = connection.execute(
        select(STORE_RULE, DEED.c.recorded_at, DEED.c.actor, DEED.c.host)
        .join(DEED, DEED.c.position == STORE_RULE.c.position)
        .order_by(STORE_RULE.c.position.desc())
    )
    return [
        Rule(row.position, row.name, row.value, ChangeStamp(row.recorded_at, row.actor, row.host))
        for row in rows
    ]
