"""calib layout show: the modules of a known detector."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.commands.layout.known import known_layouts
from calib_cli.completion import complete_layout
from calib_cli.help import INPUT
from calib_cli.options import AllPanels, AsJson, Halves, StorePlace
from calib_cli.output import write_blocks, write_json


def show(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help='Name of a layout, such as "PILATUS 6M".',
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_layout,
        ),
    ],
    halves: Halves = False,
    panels: AllPanels = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show the modules of a detector.

    Names are matched without case, spaces and hyphens.

    \b
    Example:
      calib layout show "PILATUS 6M"
    """
    from calib.report.layouts import layout_blocks, layout_view, module_views

    detector = known_layouts(ctx, store).get(name)
    if halves:
        detector = detector.in_halves()
    view = {**layout_view(detector), "panels": module_views(detector)}
    if as_json:
        write_json(view)
    else:
        write_blocks(layout_blocks(view, all_panels=panels))
