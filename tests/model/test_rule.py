"""Rules of a store: the value in force is the one recorded last, or the default."""

from __future__ import annotations

from itertools import permutations

import pytest

from calib.errors import InputError
from calib.model.store.rule import CHOICES, DEMAND_ACTOR, Rule, in_force
from support.records import stamp


def test_without_a_record_the_default_is_in_force() -> None:
    assert in_force([], DEMAND_ACTOR) == "no"
    assert {name: in_force([], name) for name in CHOICES} == {DEMAND_ACTOR: "no"}


def test_the_value_recorded_last_is_in_force_whatever_the_order() -> None:
    rules = [
        Rule(number, DEMAND_ACTOR, value, stamp())
        for number, value in ((4, "yes"), (7, "no"), (9, "yes"))
    ]
    for order in permutations(rules):
        assert in_force(order, DEMAND_ACTOR) == "yes"
    for order in permutations(rules[:2]):
        assert in_force(order, DEMAND_ACTOR) == "no"


def test_unknown_rules_and_values_are_refused_with_those_that_exist() -> None:
    with pytest.raises(InputError, match="one of demand-actor") as caught:
        Rule(0, "be-nice", "yes", stamp())
    assert caught.value.code == "no-such-rule"
    with pytest.raises(InputError, match="one of no, yes") as caught:
        Rule(0, DEMAND_ACTOR, "perhaps", stamp())
    assert caught.value.code == "bad-rule"
