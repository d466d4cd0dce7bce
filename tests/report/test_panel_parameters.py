"""One table holds names, units and words of the panel parameters; everything shown follows it."""

from __future__ import annotations

import numpy as np
import pytest

from calib.model.detector.correction import (
    IN_PLANE,
    KEY_FACTORS,
    PANEL_PARAMETERS,
    PARAMETERS,
    ROTATIONS,
    TRANSLATIONS,
    PanelParameter,
    ParameterKind,
)
from calib.report.calibration.parameters import cells, headings, keyed, refined
from calib.store.records.panels import COLUMNS
from support.json_page import documented
from support.reading import ANGLES_PER_RAD, LENGTHS_PER_MM

VALUES = (0.0123, -0.0456, 0.0789, 1.234e-3, -2.345e-3, 3.456e-3)
SIGMAS = (0.0011, 0.0022, None, None, 0.44e-3, 0.55e-3)
VIEW = {**keyed(VALUES), "sigma": keyed(SIGMAS)}


def test_values_are_shown_in_um_and_mrad_with_sign_and_sigma() -> None:
    assert cells(VIEW, PANEL_PARAMETERS) == [
        "+12.3 (1.1)", "-45.6 (2.2)", "-", "-", "-2.345 (0.440)", "+3.456 (0.550)",
    ]  # fmt: skip


def test_values_without_sigma_are_shown_as_fixed_on_request() -> None:
    shown = cells(VIEW, PANEL_PARAMETERS, with_fixed=True)
    assert shown[2:4] == ["+78.9 (fixed)", "+1.234 (fixed)"]


def test_a_missing_value_is_a_dash() -> None:
    empty = {**keyed([None] * 6), "sigma": keyed([float("nan")] * 6)}
    assert cells(empty, PANEL_PARAMETERS, with_fixed=True) == ["-"] * 6


def test_columns_are_those_that_some_view_has_refined() -> None:
    other = {**keyed(VALUES), "sigma": keyed([None, None, 0.1, None, None, None])}
    assert [one.name for one in refined([VIEW])] == ["dx", "dy", "ry", "rz"]
    assert [one.name for one in refined([VIEW, other])] == ["dx", "dy", "dz", "ry", "rz"]
    assert headings(refined([VIEW])) == ["dx um", "dy um", "ry mrad", "rz mrad"]


@pytest.mark.parametrize("one", PANEL_PARAMETERS, ids=PARAMETERS)
def test_factors_are_those_between_the_units(one: PanelParameter) -> None:
    per = LENGTHS_PER_MM if one.kind is ParameterKind.TRANSLATION else ANGLES_PER_RAD
    assert one.key_factor == pytest.approx(per[one.key_unit] / per[one.unit])
    assert one.shown_factor == pytest.approx(per[one.shown_unit] / per[one.key_unit])


def test_translations_come_before_the_rotations_about_the_same_axes() -> None:
    kinds = [one.kind for one in PANEL_PARAMETERS]
    assert set(kinds[TRANSLATIONS]) == {ParameterKind.TRANSLATION}
    assert set(kinds[ROTATIONS]) == {ParameterKind.ROTATION}
    for part in (TRANSLATIONS, ROTATIONS):
        assert [one.axis for one in list(PANEL_PARAMETERS)[part]] == [0, 1, 2]
    assert [PARAMETERS[k] for k in IN_PLANE] == ["dx", "dy", "rz"]
    assert np.array_equal(KEY_FACTORS, [1.0, 1.0, 1.0, 1e3, 1e3, 1e3])


def test_the_table_of_panels_has_a_value_and_a_sigma_of_each_parameter() -> None:
    assert COLUMNS[-2 * len(PARAMETERS) :] == (
        *PARAMETERS, *(f"sigma_{name}" for name in PARAMETERS),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("section", "prefix"),
    [
        ("A calibration", "panels[]."),
        ("A calibration", "groups[]."),
        ("`calib diff`", "panels[]."),
        ("Values of a panel at a time", "held[].values."),
    ],
)
def test_the_page_on_json_names_the_keys_of_all_parameters_and_no_others(
    section: str, prefix: str
) -> None:
    for place in (prefix, f"{prefix}sigma."):
        found = {
            key.removeprefix(place)
            for key in documented(section)
            if key.startswith(place) and key.endswith(("_mm", "_mrad"))
        }
        assert {key for key in found if "." not in key} == {one.key for one in PANEL_PARAMETERS}


def test_the_page_on_json_names_the_fraction_of_each_parameter() -> None:
    place = "determined.data_share."
    keys = documented("A calibration")
    assert [key.removeprefix(place) for key in keys if key.startswith(place)] == list(PARAMETERS)
