"""Residuals, counts and uncertainties are those of their dataset, axis and stage."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from calib.model.result.report import BeforeAfter
from calib.report.blocks import Block, Table
from support.asymmetric import calibrations, drifts, recorded
from support.asymmetric.cases import CASES
from support.reading import (
    cell,
    check_numbers,
    lines_with,
    numbers,
    row_of,
    table_with,
    tables,
)

RECORDS = {"derived": calibrations.wide(), "derived-draft": calibrations.narrow()}


def blocks(name: str) -> Sequence[Block]:
    return CASES[name]().blocks


def check_before_after(table: Table, row: Sequence[str], both: BeforeAfter) -> None:
    for stage, spread in (("before", both.before), ("after", both.after)):
        check_numbers(cell(table, row, "x", stage), spread.rms_x_px)
        check_numbers(cell(table, row, "y", stage), spread.rms_y_px)


@pytest.mark.parametrize("name", RECORDS)
def test_overall_residuals_are_under_their_axis_and_stage(name: str) -> None:
    fit = RECORDS[name].report.overall
    table = table_with(blocks(name), "number", "x", "y", "med")
    assert "px" in table.title.split() or "px," in table.title.split()
    parts = [both for both in (fit.used, fit.held_out) if both is not None]
    assert len(table.rows) == len(parts)
    for row, both, word in zip(table.rows, parts, ("used", "held"), strict=False):
        assert word in row[0]
        check_numbers(cell(table, row, "number"), both.after.n)
        check_before_after(table, row, both)
        check_numbers(cell(table, row, "x", "med"), both.after.median_abs_x_px)
        check_numbers(cell(table, row, "y", "med"), both.after.median_abs_y_px)


@pytest.mark.parametrize("name", RECORDS)
def test_each_dataset_is_shown_with_its_own_numbers(name: str) -> None:
    table = table_with(blocks(name), "dataset", "rejected", "flagged")
    uses = RECORDS[name].report.datasets
    assert [row[0] for row in table.rows] == [use.name for use in uses]
    for use in uses:
        row = row_of(table, use.name)
        check_numbers(cell(table, row, "mm"), use.distance_mm)
        check_numbers(cell(table, row, "used"), use.n_reflections)
        check_numbers(cell(table, row, "rejected"), use.n_rejected)
        check_numbers(cell(table, row, "flagged"), use.n_flagged)
        check_before_after(table, row, use.rmsd)
        expected = [] if use.influence is None else [use.influence.rms_sigma]
        check_numbers(row[-1], *expected)


def test_a_rejected_dataset_is_shown_with_its_residual_and_the_typical_one() -> None:
    table = table_with(blocks("derived"), "experiment", "reason", "residual", "typical")
    for found in calibrations.wide_report().misfits:
        row = row_of(table, found.name, "dataset")
        assert cell(table, row, "reason") == found.reason.value
        check_numbers(cell(table, row, "unpredicted"), found.n_lost)
        check_numbers(cell(table, row, "reflections"), found.n_reflections)
        residual, usual = cell(table, row, "residual"), cell(table, row, "typical")
        if found.scatter_px is not None:
            assert residual.endswith(" px")
            assert usual.endswith(" px")
            assert found.usual_px is not None
            check_numbers(residual.removesuffix(" px"), found.scatter_px)
            check_numbers(usual.removesuffix(" px"), found.usual_px)
        if found.scatter_mrad is not None:
            assert residual.endswith(" mrad")
            assert usual.endswith(" mrad")
            assert found.usual_mrad is not None
            check_numbers(residual.removesuffix(" mrad"), found.scatter_mrad)
            check_numbers(usual.removesuffix(" mrad"), found.usual_mrad)
        if found.off_share is not None:
            assert residual.startswith("27%")


def test_halves_are_shown_in_the_plane_before_along_the_normal() -> None:
    (line,) = lines_with(blocks("derived"), "normal", "um", "8")
    check_numbers(line, 1.73, 4.29, 8)
    plane, normal = line.index("plane"), line.index("normal")
    assert line.index("1.7") < plane < line.index("4.3") < normal


def test_shifts_of_a_difference_are_shown_in_the_plane_and_along_the_normal() -> None:
    found = drifts.wide()
    shift = found.shift[list(found.compared)]
    count = len(shift)
    plane = 1e3 * sum(float(x) ** 2 for x in shift[:, :2].ravel()) ** 0.5 / (2 * count) ** 0.5
    normal = 1e3 * sum(float(x) ** 2 for x in shift[:, 2]) ** 0.5 / count**0.5
    (line,) = lines_with(blocks("difference"), "plane", "um")
    check_numbers(line, plane, normal)
    assert line.index("plane") < line.index("normal")
    (alone,) = lines_with(blocks("difference-none"), "plane", "um")
    assert "normal" not in alone


def test_the_chi_square_of_a_difference_comes_with_its_degrees_and_p_value() -> None:
    (line,) = lines_with(blocks("difference"), "613.7")
    check_numbers(line, 613.7, 66, 2.7e-8)


def test_the_second_calibration_is_compared_with_the_first() -> None:
    (line,) = lines_with(blocks("difference"), "W-14:3", "W-14:4")
    assert line.index("W-14:4") < line.index("with") < line.index("W-14:3")


def test_the_panels_that_moved_are_named() -> None:
    (line,) = lines_with(blocks("difference"), "replaced")
    check_numbers(line, *drifts.MOVED)
    (line,) = lines_with(blocks("difference-many"), "drifted")
    check_numbers(line, *sorted(drifts.SURENESS)[:10], 2)


@pytest.mark.parametrize("name", RECORDS)
def test_fractions_of_the_data_are_rounded_down_in_the_order_of_parameters(
    name: str,
) -> None:
    found = RECORDS[name].report.determined
    assert found is not None
    shares = [share for share in found.parameters if share is not None]
    shown = [f"{int(1000 * share) / 10:.1f}" for share in shares]
    (line,) = (line for line in lines_with(blocks(name), "%") if numbers(line) == shown)
    axes = [
        "fast" if k % 3 == 0 else "slow" for k in (0, 1, 3, 4) if found.parameters[k] is not None
    ]
    assert re.findall(r"fast|slow", line) == axes
    (line,) = lines_with(blocks(name), f"{found.n_determined} of {found.n_directions}")


def test_weak_modes_are_shown_in_micrometres_the_worst_first() -> None:
    one, other = (
        lines_with(blocks("derived"), words, "um") for words in ("bow about fast", "twist")
    )
    check_numbers(one[0], 8.43)
    check_numbers(other[0], 5.16)


def test_the_state_of_the_iteration_is_shown() -> None:
    (line,) = lines_with(blocks("derived"), "iterations")
    check_numbers(line, 6, 0.0041, 70_213.5 / 65_432)
    assert "not" not in line
    (line,) = lines_with(blocks("derived-draft"), "iterations")
    check_numbers(line, 40, 2.61, 1.2345)
    assert "not" in line


def test_a_summary_is_shown_with_its_residuals_after_correction() -> None:
    (table,) = tables(blocks("summaries"))
    (row,) = table.rows
    use = recorded.summary().statement.use
    check_numbers(cell(table, row, "mm"), use.distance_mm)
    check_numbers(cell(table, row, "used"), use.n_reflections)
    check_numbers(cell(table, row, "panels"), 4)
    check_numbers(cell(table, row, "RMSD", "x"), use.rmsd.after.rms_x_px)
    check_numbers(cell(table, row, "RMSD", "y"), use.rmsd.after.rms_y_px)
    check_numbers(cell(table, row, "kB"), 45.678)


def test_the_demonstration_shows_its_errors_against_the_truth() -> None:
    table = table_with(blocks("demo"), "calibration", "freedom", "normal", "sample")
    first, second = table.rows
    both = calibrations.wide().report.overall.held_out
    assert both is not None
    check_numbers(cell(table, first, "before"), both.before.rms_x_px, both.before.rms_y_px)
    check_numbers(cell(table, first, "after"), both.after.rms_x_px, both.after.rms_y_px)
    for row, errors in ((first, (1.37, 5.91, 2.83)), (second, (7.19, 11.43, 9.67))):
        for heading, value in zip(("plane", "normal", "sample"), errors, strict=True):
            check_numbers(cell(table, row, heading), value)
    (line,) = lines_with(blocks("demo"), "263.4173")
    assert line.index("263.4173") < line.index("before") < line.index("263.4259")
    target = table_with(blocks("demo"), "geometry", "RMSD")
    assert [row[1] for row in target.rows] == ["0.6128", "0.2092", "0.1973"]
    assert [row[0] for row in target.rows] == ["nominal", "corrected", "true"]
