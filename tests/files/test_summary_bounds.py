"""Summaries whose hashes fit values out of bounds are refused before they are solved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from calib.errors import FileFormatError
from calib.files.native.summary import summary_bytes, summary_from_bytes
from calib.model.detector.correction import Correction
from support.summaries import summary


@pytest.mark.parametrize(
    "change",
    [
        {"distance_mm": 1e308},
        {"distance_mm": -1.0},
        {"wavelength_angstrom": 1e-300},
        {"n_reflections": 2**70},
        {"name": "a\x1b[2J"},
        {"name": ""},
        {"weight_scale": (1e300, 1.0, 1.0)},
    ],
    ids=str,
)
def test_a_resealed_summary_out_of_bounds_is_refused(change: dict[str, Any]) -> None:
    statement = summary().statement
    use = replace(statement.use, **change)
    made = replace(summary(), statement=replace(statement, use=use))
    with pytest.raises(FileFormatError, match="the summary is damaged") as caught:
        summary_from_bytes(summary_bytes(made), "night1.calib.npz")
    assert caught.value.code == "damaged-summary"


@pytest.mark.parametrize("extreme", [1e155, 1e308])
@pytest.mark.parametrize("part", ["point", "whole", "chi_square", "started"])
def test_resealed_equations_out_of_bounds_are_refused_before_they_are_solved(
    part: str, extreme: float
) -> None:
    statement = summary().statement
    made = summary()
    if part == "started":
        made = replace(made, started=datetime.max.replace(tzinfo=UTC))
    elif part == "point":
        point = Correction(np.full_like(statement.point.values, extreme))
        made = replace(made, statement=replace(statement, point=point))
    elif part == "whole":
        whole = replace(statement.whole, vector=np.full_like(statement.whole.vector, extreme))
        made = replace(made, statement=replace(statement, whole=whole))
    else:
        made = replace(made, statement=replace(statement, chi_square=extreme))
    with pytest.raises(FileFormatError, match=r"out of range|more than 100 m"):
        summary_from_bytes(summary_bytes(made), "night1.calib.npz")
