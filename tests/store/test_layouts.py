"""Layouts that the users of a store share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calib.errors import InputError, IntegrityError
from calib.model.store.shared_layout import LONGEST, SharedLayout, layouts_in_force
from calib.store.store import Store
from support import raw
from support.copies import Fill
from support.records import stamp
from support.simulated import LAMBDA


def layout(content: str = LAMBDA, name: str = "lambda") -> SharedLayout:
    return SharedLayout(0, name, content, "new", stamp())


def filled(place: str) -> None:
    Store.create(place)
    with Store.open(place) as store:
        store.layouts.add(layout("old"), stamp())
        store.layouts.add(layout(), stamp())
        store.layouts.add(layout(name="another"), stamp())


@pytest.fixture
def shared(copy_of: Callable[[Fill], str]) -> str:
    return copy_of(filled)


def test_a_later_file_of_the_same_name_replaces_the_earlier(shared: str) -> None:
    with Store.open(shared) as store:
        recorded = store.layouts.list()
        assert [(one.number, one.content) for one in recorded] == [
            (3, LAMBDA),
            (2, LAMBDA),
            (1, "old"),
        ]
        names = [(one.name, one.number) for one in layouts_in_force(recorded)]
        assert names == [("another", 3), ("lambda", 2)]
        assert not store.log.audit().findings
        assert [entry.kind for entry in store.log.entries()] == ["layout"] * 3


@pytest.mark.parametrize(
    "statement", ["UPDATE layout SET content = 'x' WHERE position = 2", "DELETE FROM layout"]
)
def test_a_changed_layout_is_refused_when_read(shared: str, statement: str) -> None:
    raw.tamper(shared, statement)
    with Store.open(shared) as store, pytest.raises(IntegrityError) as caught:
        store.layouts.list()
    assert caught.value.code == "changed-layout"


def test_a_file_too_large_for_the_record_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        layout("x" * (LONGEST + 1))
    assert caught.value.code == "too-large"
