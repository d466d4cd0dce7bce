"""The map of panels: each panel where it is drawn, with an arrow along its own motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from calib.model.detector.layout import Layout, PanelFrames
from calib.model.result.drift import Drift
from calib.report.blocks import Table
from calib.report.panel_map import drift_map
from support.asymmetric import detector, drifts
from support.reading import check_numbers

ARROW_OF_SIGNS = {
    (1, 0): "→", (1, 1): "↘", (0, 1): "↓", (-1, 1): "↙", (-1, 0): "←", (-1, -1): "↖", (0, -1): "↑",
    (1, -1): "↗",
}  # fmt: skip
"""Signs of x and y -> the arrow, +x to the right and +y downwards, as images are looked at."""


def arrow_along(x: float, y: float) -> str:
    """The arrow nearest to a direction: an axis within 22.5 degrees of it, else a diagonal."""
    least = 0.41421356 * max(abs(x), abs(y))
    signs = (int(np.sign(x)) * (abs(x) > least), int(np.sign(y)) * (abs(y) > least))
    return ARROW_OF_SIGNS[signs]


def drawn(layout: Layout, found: Drift) -> Table:
    table = drift_map(layout, found)
    assert table is not None
    return table


def at(table: Table, place: tuple[int, int]) -> str:
    """The cell in a column and a row; the first column numbers the rows."""
    column, row = place
    assert table.columns[1 + column] == str(column)
    assert table.rows[row][0] == str(row)
    return table.rows[row][1 + column]


def test_each_arrow_points_along_the_panel_s_motion_in_the_root_frame() -> None:
    table = drawn(detector.wide().layout, drifts.wide())
    for panel, place in enumerate(detector.WIDE_PLACES):
        if panel in drifts.TOWARDS:
            assert at(table, place)[0] == arrow_along(*drifts.TOWARDS[panel]), panel
        else:
            assert at(table, place) == "-"


def test_each_panel_is_where_it_is_drawn_with_its_own_motion_in_micrometres() -> None:
    found = drifts.wide()
    table = drawn(detector.wide().layout, found)
    assert "um" in table.title.split()
    for panel in found.compared:
        shown = at(table, detector.WIDE_PLACES[panel])
        check_numbers(shown[1:].rstrip("*"), 1e3 * found.motion_mm[panel])
        assert shown.endswith("*") == (panel in found.moved)
    assert at(table, (1, 2)) == ""


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize(("root", "arrow"), [((1.0, 0.0), "→"), ((0.0, 1.0), "↓")])
def test_an_arrow_does_not_depend_on_how_a_panel_is_turned(
    quarters: int, root: Sequence[float], arrow: str
) -> None:
    drawn_at = detector.narrow().layout
    rotation = detector.quarter_turn(quarters)
    half = 0.5 * np.pad(drawn_at.size_mm, ((0, 0), (0, 1)))
    origin = drawn_at.centre_root_mm - half @ rotation.T
    frames = PanelFrames(np.repeat(rotation[None], 5, axis=0), origin)
    shift = np.zeros((5, 6))
    shift[:, :3] = rotation.T @ np.array([0.1 * root[0], 0.1 * root[1], 0.07])
    base = drifts.narrow()
    found = Drift(
        base.verdict, (), base.parameters, shift, base.sigma, base.motion_mm,
        base.panel_chi_square, base.panel_degrees, base.panel_p_value, base.panel_p_holm,
        base.chi_square, base.degrees_of_freedom, base.p_value, base.shared, base.notes,
    )  # fmt: skip
    table = drawn(Layout(drawn_at.panels, frames), found)
    for panel in found.compared:
        assert at(table, detector.NARROW_PLACES[panel])[0] == arrow


def test_panels_that_are_not_on_a_grid_are_not_drawn() -> None:
    layout = detector.narrow().layout
    origin = layout.frames.origin_mm.copy()
    origin[2] = origin[1]
    frames = PanelFrames(layout.frames.rotation[[0, 1, 1, 3, 4]], origin)
    assert drift_map(Layout(layout.panels, frames), drifts.narrow()) is None
