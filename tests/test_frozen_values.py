"""Values that cross the walls between packages stay as they were made."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

ARRAY = re.compile(r"\b(Floats|Ints|Bools|NDArray|ndarray)\b")
"""Annotations of arrays."""


def dataclasses_of(package: str) -> Iterator[Any]:
    """Every dataclass that a module of a package defines."""
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            own = isinstance(kind, type) and kind.__module__ == found.name
            if own and dataclasses.is_dataclass(kind):
                yield kind


FROZEN = [
    kind
    for package in ("calib.model", "calib.report", "calib.config", "calib.store.log")
    for kind in dataclasses_of(package)
]
ALL = [*FROZEN, *dataclasses_of("calib.solve"), *dataclasses_of("calib.files")]


def _name(kind: Any) -> str:
    return f"{kind.__module__.removeprefix('calib.')}.{kind.__qualname__}"


@pytest.mark.parametrize("kind", FROZEN, ids=_name)
def test_a_value_cannot_be_changed(kind: Any) -> None:
    parameters = kind.__dataclass_params__
    assert parameters.frozen
    assert all("__slots__" in vars(base) for base in kind.__mro__[:-1])


@pytest.mark.parametrize("kind", ALL, ids=_name)
def test_a_value_with_arrays_is_not_compared_by_its_fields(kind: Any) -> None:
    """Arrays have no single truth value: comparing them by fields would raise."""
    arrays = [name for name, hint in kind.__annotations__.items() if ARRAY.search(str(hint))]
    own = {field.name for field in dataclasses.fields(kind) if field.compare}
    if own & set(arrays) and kind.__dataclass_params__.eq:
        pytest.fail(f"{_name(kind)} compares arrays by fields: eq=False")


def test_there_are_values_to_look_at() -> None:
    assert len(FROZEN) > 50
