"""calib layout list: the known detectors."""

from __future__ import annotations

import typer

from calib_cli.commands.layout.known import known_layouts
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json


def list_layouts(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """List the detectors whose modules calib knows.

    \b
    Example:
      calib layout list
    """
    from calib.report.layouts import layout_table, layout_view

    views = [layout_view(detector) for detector in known_layouts(ctx, store)]
    if as_json:
        write_json(views)
    else:
        write_blocks([layout_table(views)])
