"""db set: rules of the store."""

from __future__ import annotations

from calib.errors import InputError
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp
from calib.model.store.rule import CHOICES, DEMAND_ACTOR, Rule, in_force


def set_rule(store: StoreLike, name: str, value: str, stamp: ChangeStamp, *, dry_run: bool) -> bool:
    """Set a rule; False where it already has this value. A dry run only checks."""
    rule = Rule(0, name, value, stamp)
    if dry_run:
        return in_force(store.rules.list(), name) != value
    return store.rules.set(rule) is not None


def rules_in_force(store: StoreLike) -> dict[str, str]:
    """The value of every rule that a store can have."""
    rules = store.rules.list()
    return {name: in_force(rules, name) for name in CHOICES}


def refuse_anonymous(store: StoreLike, *, named: bool) -> None:
    """Raise ``InputError`` (``actor-demanded``) where the store requires a name, and only a login
    name is known."""
    if not named and in_force(store.rules.list(), DEMAND_ACTOR) == "yes":
        raise InputError(
            "actor-demanded",
            "this store requires the name of a person; login names may be shared.",
            place=store.address,
            remedy="use --by NAME, or set CALIB_ACTOR=NAME.",
        )
