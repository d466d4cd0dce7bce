"""What a store demands of those who use it: set by somebody at some time, and kept on record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from calib.errors import InputError
from calib.model.store.record import ChangeStamp

DEMAND_ACTOR = "demand-actor"
"""Whoever certifies or withdraws must say who he is; the login name alone is not enough."""
CHOICES = {DEMAND_ACTOR: ("no", "yes")}
"""Every rule with the values that it can have, the default first."""


@dataclass(frozen=True, slots=True)
class Rule:
    """That a rule of a store has a value from some moment on."""

    number: int
    """Its place in the store's record; 0 before it is recorded."""
    name: str
    value: str
    recorded: ChangeStamp

    def __post_init__(self) -> None:
        if self.name not in CHOICES:
            raise InputError(
                "no-such-rule",
                f"a store has no rule {self.name!r}.",
                remedy=f"one of {', '.join(CHOICES)}.",
            )
        if self.value not in CHOICES[self.name]:
            raise InputError(
                "bad-rule",
                f"{self.name} cannot be {self.value!r}.",
                remedy=f"one of {', '.join(CHOICES[self.name])}.",
            )


def in_force(rules: Iterable[Rule], name: str) -> str:
    """The value that a rule has: the one recorded last, else the default."""
    said = [rule for rule in rules if rule.name == name]
    return max(said, key=lambda rule: rule.number).value if said else CHOICES[name][0]
