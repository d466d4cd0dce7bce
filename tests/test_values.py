"""Values are frozen, have slots, and are compared by identity where they hold arrays."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ACCUMULATORS = {"Accumulator", "PxAgreement", "_NotFinite"}
"""Classes that add up what they are given; nothing else changes after it was made."""
ARRAYS = {"Floats", "Ints", "Bools", "NDArray", "ndarray"}


@dataclass(frozen=True)
class Declared:
    """A dataclass as the source declares it."""

    name: str
    options: dict[str, bool]
    words: set[str]
    """Every name in the types of its fields, and its bases."""


@cache
def declared() -> list[Declared]:
    found = []
    for folder in ("calib", "cli"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
            found += [one for node in classes if (one := _declared(node)) is not None]
    assert len(found) > 150
    return found


def _declared(node: ast.ClassDef) -> Declared | None:
    for decorator in node.decorator_list:
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(name) not in ("dataclass", "dataclasses.dataclass"):
            continue
        keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
        options = {one.arg or "": bool(ast.literal_eval(one.value)) for one in keywords}
        fields = [part.annotation for part in node.body if isinstance(part, ast.AnnAssign)]
        text = " ".join(map(ast.unparse, [*fields, *node.bases]))
        return Declared(node.name, options, set(re.findall(r"\w+", text)))
    return None


def test_every_value_is_frozen() -> None:
    changeable = {one.name for one in declared() if not one.options.get("frozen")}
    assert changeable == ACCUMULATORS


def test_every_value_has_slots() -> None:
    assert {one.name for one in declared() if not one.options.get("slots")} == set()


def test_values_that_hold_arrays_are_compared_by_identity() -> None:
    """Comparing fields would compare arrays element by element, which has no truth value."""
    holding = set(ARRAYS)
    while more := {one.name for one in declared() if one.words & holding} - holding:
        holding |= more
    by_fields = {one.name for one in declared() if one.options.get("eq", True)}
    assert by_fields & holding == set()
