"""The values of each panel are in the column, and in the unit, of their heading."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.store.record import CalibrationRecord
from calib.report.blocks import Block, Table
from support.asymmetric import calibrations, detector, drifts
from support.asymmetric.cases import CASES
from support.reading import (
    SHIFTS,
    TURNS,
    cell,
    check_numbers,
    column,
    lines_with,
    numbers,
    row_of,
    shown_per_internal,
    table_with,
)

PARAMETERS = (*SHIFTS, *TURNS)
RECORDS = {
    "derived-panels": calibrations.wide(),
    "derived-draft": calibrations.narrow(),
    "show-panels": calibrations.wide(),
    "show-uncertified": calibrations.narrow(),
}


def blocks(name: str) -> Sequence[Block]:
    return CASES[name]().blocks


def check_motion(table: Table, row: Sequence[str], values: Floats, sigma: Floats) -> None:
    """The row shows six parameters (mm and rad) with their sigmas."""
    for k, parameter in enumerate(PARAMETERS):
        if np.isnan(sigma[k]):
            assert not any(
                numbers(text)
                for place, text in enumerate(row)
                if re.search(rf"\b{parameter}\b", table.columns[place])
            )
            continue
        shown = shown_per_internal(table, parameter)
        check_numbers(cell(table, row, parameter), shown * values[k], shown * sigma[k])


@pytest.mark.parametrize("name", RECORDS)
def test_a_panel_is_shown_with_its_own_values_and_sigmas(name: str) -> None:
    record = RECORDS[name]
    table = table_with(blocks(name), "panel", "status", "dx", "rz")
    found = record.estimate
    for panel, status in enumerate(found.status):
        row = row_of(table, str(panel), "panel")
        assert cell(table, row, "status") == status.value
        assert cell(table, row, "name") == record.panel_names[panel]
        check_numbers(cell(table, row, "reflections"), found.n_reflections[panel])
        check_motion(table, row, found.correction.values[panel], found.sigma[panel])


def test_of_many_panels_the_sparse_ones_alone_are_listed() -> None:
    shown = blocks("derived")
    table = table_with(shown, "panel", "status", "dx")
    found = calibrations.wide().estimate
    assert [row[0] for row in table.rows] == ["1", "7"]
    for row in table.rows:
        panel = int(row[0])
        check_motion(table, row, found.correction.values[panel], found.sigma[panel])
    (line,) = lines_with(shown, ", ".join(calibrations.WIDE_BLIND_RANGES))
    assert not lines_with(blocks("derived-panels"), line)


def test_a_group_is_shown_with_its_own_values_and_sigmas() -> None:
    table = table_with(blocks("derived"), "group", "level", "dx", "rz")
    for group in calibrations.wide_report().groups:
        row = row_of(table, group.name)
        check_numbers(cell(table, row, "level"), group.level)
        check_numbers(cell(table, row, "panel"), len(group.panels))
        check_numbers(cell(table, row, "reflections"), group.n_reflections)
        sigma = np.array(group.sigma, dtype=np.float64)
        check_motion(table, row, np.array(group.values), sigma)


@pytest.mark.parametrize(
    ("name", "title_part", "records"),
    [
        ("panel-history", "31", {"W-14:4": calibrations.wide()}),
        (
            "panel-history",
            "47",
            {"W-14:4": calibrations.wide(), "W-14:6": calibrations.wide(1500)},
        ),
        ("panel-history-same", "31", {"N-05:2": calibrations.narrow()}),
    ],
)
def test_a_panel_s_history_shows_its_values_as_known_at_that_position(
    name: str, title_part: str, records: dict[str, CalibrationRecord]
) -> None:
    panel = 7 if name == "panel-history" else 1
    (table,) = (
        block
        for block in blocks(name)
        if isinstance(block, Table) and title_part in numbers(block.title)
    )
    assert {row[0] for row in table.rows} == set(records)
    for row in table.rows:
        found = records[row[0]].estimate
        assert cell(table, row, "status") == found.status[panel].value
        check_numbers(cell(table, row, "reflections"), found.n_reflections[panel])
        values, sigma = found.correction.values[panel], found.sigma[panel]
        for k, parameter in enumerate(PARAMETERS):
            shown = shown_per_internal(table, parameter)
            expected = [values[k]] if np.isnan(sigma[k]) else [values[k], sigma[k]]
            check_numbers(cell(table, row, parameter), *(shown * x for x in expected))


@pytest.mark.parametrize("name", ["difference", "difference-panels", "difference-none"])
def test_a_difference_shows_each_panel_s_shift_with_its_sigma_and_p_value(name: str) -> None:
    found = drifts.narrow() if name == "difference-none" else drifts.wide()
    table = table_with(blocks(name), "panel", "motion", "dx", "rz")
    for row in table.rows:
        panel = int(cell(table, row, "panel", without="Holm"))
        if panel not in found.compared:
            assert not numbers(cell(table, row, "p", without="Holm"))
            assert not numbers(cell(table, row, "motion"))
            continue
        check_motion(table, row, found.shift[panel], found.sigma[panel])
        check_numbers(cell(table, row, "motion"), 1e3 * found.motion_mm[panel])
        check_numbers(cell(table, row, "p", without="Holm"), found.panel_p_value[panel])
        check_numbers(cell(table, row, "p", "Holm"), found.panel_p_holm[panel])
        assert ("moved" in row) == (panel in found.moved)


def test_the_panels_that_differ_most_come_first() -> None:
    found = drifts.wide()
    table = table_with(blocks("difference"), "panel", "motion", "dx")
    shown = tuple(int(row[0]) for row in table.rows)
    assert shown[:3] == (6, 2, 11)
    assert set(shown[:3]) == set(found.moved)
    assert shown == drifts.SURENESS[:10]
    assert list(found.panel_chi_square[list(shown)]) == sorted(
        found.panel_chi_square[list(shown)], reverse=True
    )
    whole = table_with(blocks("difference-panels"), "panel", "motion", "dx")
    assert [row[0] for row in whole.rows] == [str(panel) for panel in range(14)]


def test_the_most_discrepant_panel_of_two_distances_has_the_smallest_p_value() -> None:
    for one, other, panel, p_value in (("152", "263", 11, 0.0017), ("263", "402", 4, 0.00023)):
        (line,) = (
            line
            for line in lines_with(blocks("derived"), one, other)
            if numbers(line)[:2] == [one, other]
        )
        match = re.search(r"panel\D*(\d+)\D+([\d.e-]+)", line)
        assert match is not None
        assert int(match[1]) == panel
        check_numbers(match[2], p_value)


def test_the_nominal_panels_are_shown_with_their_origin_and_size() -> None:
    table = table_with(blocks("detector-panels"), "panel", "origin", "y", "z")
    layout = detector.wide().layout
    for panel, shape in enumerate(layout.panels):
        row = row_of(table, str(panel), "panel")
        assert cell(table, row, "name") == shape.name
        for axis, name in enumerate("xyz"):
            check_numbers(cell(table, row, name), layout.frames.origin_mm[panel, axis])
        check_numbers(cell(table, row, "fast"), shape.size_px[0])
        check_numbers(cell(table, row, "slow"), shape.size_px[1])
    assert column(table, "x") < column(table, "y") < column(table, "z")


@pytest.mark.parametrize("name", ["detector", "detector-panels"])
def test_a_pixel_is_shown_with_both_sizes_where_it_is_not_square(name: str) -> None:
    (line,) = lines_with(blocks(name), "px of")
    for panel in {(one.size_px, one.pixel_mm) for one in detector.wide().layout.panels}:
        (fast_px, slow_px), (fast_mm, slow_mm) = panel
        assert fast_mm != slow_mm
        assert f"{fast_px} x {slow_px} px of {fast_mm:g} x {slow_mm:g} mm" in line
