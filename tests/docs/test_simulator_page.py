"""The page on the simulator names every effect with its defaults, and its example runs."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy as np

import calib.simulate.effects
from calib.simulate.effects.effect import Combined, Effect

TEXT = (Path(__file__).parents[2] / "docs/reference/simulator.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", TEXT, re.MULTILINE))


def effects() -> dict[str, str]:
    """Each effect of the package, and its module."""
    found = {}
    for module in pkgutil.iter_modules(calib.simulate.effects.__path__):
        names = vars(importlib.import_module(f"calib.simulate.effects.{module.name}"))
        for value in names.values():
            if isinstance(value, type) and issubclass(value, Effect):
                found[value.__name__] = value.__module__.rpartition(".")[2]
    return {name: at for name, at in found.items() if name not in (Effect.__name__, "Combined")}


def test_the_page_names_every_effect_and_its_module() -> None:
    assert effects() == ROWS
    assert Combined.__name__ not in ROWS


def test_every_effect_has_its_size_as_a_documented_field() -> None:
    for name, at in effects().items():
        kind = getattr(importlib.import_module(f"calib.simulate.effects.{at}"), name)
        (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |")]
        for field in re.findall(r"`(\w+)`", row.split("|")[3]):
            assert field in kind.__dataclass_fields__, f"{name} has no {field}"
        assert len(kind.__doc__) > 80


def test_the_example_runs() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "simulator.md", "exec"), names)  # noqa: S102 - our own page
    assert len(names["scan"].dataset.reflections) == 500
    assert np.array_equal(names["truth"].values.shape, (3, 6))
