"""Extremes at any place of the files that are read: an answer or an error, and never a hang."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.files.dials.refl import Column, read_table, table_bytes
from support.extremes import ANYTHING, NUMBERS, answered, few, leaves, with_leaf

COLUMNS = ("id", "panel", "miller_index", "xyzobs.mm.value", "xyzobs.mm.variance", "flags")


def extreme_list(source: str, data: st.DataObject) -> Path:
    """An experiment list with an extreme in the place of one value."""
    content = json.loads(Path(source).read_text())
    path = data.draw(st.sampled_from(list(leaves(content))))
    target = Path("extreme.expt")
    target.write_text(json.dumps(with_leaf(content, path, data.draw(ANYTHING))))
    return target


@few(40)
@given(st.data())
def test_an_extreme_in_an_experiment_list_is_applied_or_refused(
    here: Path, data: st.DataObject
) -> None:
    target = extreme_list("imported.expt", data)
    for words in (
        ("apply", target, "--dry-run"),
        ("apply", target, "--at", "2026-03-05", "--calibration", "24-0107:1", "--dry-run"),
        ("detector", "add", "24-0999", "--from", target, "--dry-run"),
    ):
        answered(*words)


@few(8)
@given(st.data())
def test_an_extreme_in_an_experiment_list_is_derived_from_or_refused(
    here: Path, data: st.DataObject
) -> None:
    answered("derive", extreme_list("night1.expt", data), "night1.refl", "--dry-run")


@few(10)
@given(st.sampled_from(COLUMNS), st.sampled_from(NUMBERS), st.integers(0, 3999), st.integers(0, 2))
def test_an_extreme_in_a_reflection_table_is_used_or_refused(
    here: Path, column: str, extreme: Any, row: int, place: int
) -> None:
    table = read_table(Path("night1.refl"))
    values = np.array(table.array(column))
    flat = values.reshape(len(values), -1)
    with np.errstate(all="ignore"):
        try:
            flat[row, min(place, flat.shape[1] - 1)] = extreme
        except (OverflowError, ValueError):
            return  # the column cannot hold it
    columns = {**table.columns, column: Column(table.columns[column].typename, values)}
    Path("extreme.refl").write_bytes(table_bytes(replace(table, columns=columns)))
    answered("apply", "night1.expt", "extreme.refl", "-o", "out.expt", "--force")
    answered("derive", "night1.expt", "extreme.refl", "--dry-run")


@pytest.mark.parametrize(
    "name",
    [
        "wait_seconds",
        "connect_seconds",
        "clock_gap_days",
        "clock_tolerance_days",
        "store",
        "actor",
        "journal",
    ],
)
def test_an_extreme_setting_is_used_or_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("CALIB_CONFIG", "settings.toml")
    monkeypatch.delenv("CALIB_ACTOR")
    for value in (*NUMBERS, "a\x1b[2J", "-rf", "a" * 300, ""):
        shown = json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")
        Path("settings.toml").write_text(f"{name} = {shown[:5000]}\n")
        answered("list")
