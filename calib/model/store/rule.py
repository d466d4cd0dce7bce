"""Rules of a store for its users; every change of a rule is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from calib.errors import InputError
from calib.model.store.record import ChangeStamp

DEMAND_ACTOR = "demand-actor"
"""Certifying and withdrawing require an explicit name; the login name alone is refused."""
CHOICES = {DEMAND_ACTOR: ("no", "yes")}
"""Every rule with its possible values, the default first."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a store has this value from the moment of its record on."""

    number: int
    """Its position in the log; 0 before it is recorded."""
    name: str
    value: str
    recorded: ChangeStamp

    def __post_init__(self) -> None:
        if self.name not in CHOICES:
            raise InputError(
                "no-such-rule",
                f"there is no rule {self.name!r}.",
                remedy=f"one of {', '.join(CHOICES)}.",
            )
        if self.value not in CHOICES[self.name]:
            raise InputError(
                "bad-rule",
                f"{self.name} cannot be {self.value!r}.",
                remedy=f"one of {', '.join(CHOICES[self.name])}.",
            )


def in_force(rules: Iterable[Rule], name: str) -> str:
    """The value of a rule: the one recorded last, else the default."""
    recorded = [rule for rule in rules if rule.name == name]
    if not recorded:
        return CHOICES[name][0]
    return max(recorded, key=lambda rule: rule.number).value
