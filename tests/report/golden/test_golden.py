"""Reports are the golden texts, which a person has read; ``support/golden.py`` renews them."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import calib.report
from calib_cli.rendering import render
from support.asymmetric.cases import CASES
from support.golden import compare, json_text

FOLDER = Path(__file__).parent / "texts"
WIDTHS = {"": None, ".80": 80, ".120": 120}
"""Part of the file's name -> columns; None for a pipe."""


def texts(name: str) -> dict[str, str]:
    """Name of each golden file of a case -> its expected text."""
    case = CASES[name]()
    found = {} if case.view is None else {f"{name}.json": json_text(case.view)}
    for suffix, width in WIDTHS.items():
        found[f"{name}{suffix}.txt"] = render(case.blocks, coloured=False, width=width)
    return found


@pytest.mark.parametrize("name", CASES)
def test_what_is_shown_is_the_golden_text(name: str) -> None:
    compare(FOLDER, texts(name))


def test_no_golden_file_is_left_over() -> None:
    wanted = {file for name in CASES for file in texts(name)}
    assert {path.name for path in FOLDER.iterdir()} == wanted


READ_BACK_ELSEWHERE = ("calib.report.figures.", "calib.report.page.", "calib.report.spreadsheet")
"""Pages and CSV files: ``tests/cli/test_report.py`` and ``test_csv.py`` read their numbers back."""
ROWS = "_data"
"""The end of names of functions that make the rows of these files."""


def test_every_public_function_of_the_printed_reports_is_seen_in_some_golden_text() -> None:
    missing = {code: name for name, code in public_functions().items()}

    def seen(frame: FrameType, _event: str, _argument: Any) -> None:
        missing.pop(frame.f_code, None)

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        for make in CASES.values():
            make()
    finally:
        sys.setprofile(before)
    assert not sorted(missing.values())


def public_functions() -> dict[str, CodeType]:
    """Qualified name -> code, of all functions of printed reports without underscore."""
    found = {}
    for module in pkgutil.walk_packages(calib.report.__path__, "calib.report."):
        for name, function in inspect.getmembers(import_module(module.name), inspect.isfunction):
            elsewhere = module.name.startswith(READ_BACK_ELSEWHERE) or name.endswith(ROWS)
            if function.__module__ == module.name and not (name.startswith("_") or elsewhere):
                found[f"{module.name}.{name}"] = function.__code__
    assert found
    return found
