"""Rules: what a store demands of its users."""

from __future__ import annotations

from collections.abc import Sequence

from calib.model.store.rule import Rule
from calib.store.api.entity import EntityApi, read, write
from calib.store.records.rules import add_rule, read_rules


class RuleApi(EntityApi):
    """Set and list rules, with their history."""

    @write
    def set(self, rule: Rule) -> Rule | None:
        """Set a rule; returns it as recorded, or None where it has this value already."""
        with self._database.writing() as connection:
            return add_rule(connection, rule)

    @read
    def list(self) -> Sequence[Rule]:
        """Every rule that was ever set, newest first."""
        with self._database.reading() as connection:
            return read_rules(connection)
