"""Blocks that are rendered in another form than they are drawn."""

from __future__ import annotations

import pytest

from calib.report.blocks import Figure, Sentences
from calib_cli.rendering import render

FIGURE = Figure(
    "panel_shifts",
    "Shift of each panel",
    "Each of 60 panels as a square, coloured by its shift along the fast axis.",
    {"panels": [{"panel": 0, "dx_mm": 0.0123}]},
)


def test_a_terminal_prints_the_title_and_the_caption_of_a_figure() -> None:
    lines = render([FIGURE, Sentences("", ("After.",))], coloured=False).splitlines()
    assert lines == [FIGURE.title, FIGURE.caption, "", "After."]


@pytest.mark.parametrize("width", [40, 80])
def test_a_caption_is_wrapped_to_the_width_of_the_terminal(width: int) -> None:
    text = render([FIGURE], coloured=False, width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert text.split() == [*FIGURE.title.split(), *FIGURE.caption.split()]
