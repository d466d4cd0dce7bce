"""The store's door: what it demands of those who use it."""

from __future__ import annotations

from calib.model.store.rule import Rule
from calib.store.api.entity import Door
from calib.store.records.rules import add_rule, read_rules


class RuleDoor(Door):
    """Rules of the store, with their history."""

    def set_rule(self, rule: Rule) -> Rule | None:
        """Set a rule; as recorded, or None where it has this value already."""
        with self._database.writing() as connection:
            return add_rule(connection, rule)

    def rules(self) -> list[Rule]:
        """Every rule that was ever set, newest first."""
        with self._database.reading() as connection:
            return read_rules(connection)
