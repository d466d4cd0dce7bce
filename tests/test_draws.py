"""The examples of a test are the same whatever ran before it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from conftest import PROFILE


@pytest.mark.skipif(PROFILE != "default", reason="the long profile looks for new examples")
def test_examples_do_not_depend_on_loaded_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    @settings(max_examples=200, database=None, derandomize=True, phases=[Phase.generate])
    @given(st.integers(100, 10_000))
    def draw(number: int) -> None:
        drawn.append(number)

    draw()
    before = [*drawn]
    (tmp_path / "numbers_beside.py").write_text("FIRST, SECOND = 4711, 8911\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("numbers_beside")
    drawn.clear()
    draw()
    assert drawn == before
