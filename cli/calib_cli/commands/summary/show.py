"""calib summary show: show the summaries of a calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.completion import complete_summary_source
from calib_cli.context import open_store
from calib_cli.help import INPUT
from calib_cli.options import AsJson, Serial, StorePlace
from calib_cli.output import write_blocks, write_json


def show(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A calibration (SERIAL:VERSION, an id, or a version with --serial), or a file "
            "of a summary.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_summary_source,
        ),
    ],
    serial: Serial = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show the summaries of a calibration, or the one in a file.

    \b
    Example:
      calib summary show 24-0107:3
    """
    from calib.files.native.summary import SUFFIXES
    from calib.flows.summary import shown_summaries
    from calib.report.summaries import summary_table, summary_view

    if source.endswith(SUFFIXES) or Path(source).is_file():
        found = shown_summaries(None, source)
    else:
        with open_store(ctx, store, read_only=True) as opened:
            found = shown_summaries(opened, source, serial=serial)
    views = [summary_view(summary, size) for summary, size in found]
    if as_json:
        write_json(views)
    else:
        write_blocks([summary_table(views)])
