"""calib audit log: every recorded change."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.completion import complete_serial
from calib_cli.context import open_store
from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def log(
    ctx: typer.Context,
    serial: Annotated[
        str | None,
        typer.Argument(
            metavar="SERIAL",
            help="Show this detector only.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_serial,
        ),
    ] = None,
    last: Annotated[
        int,
        typer.Option(
            "--last",
            metavar="N",
            min=1,
            help="Show the N newest entries.",
            rich_help_panel=OUTPUT,
        ),
    ] = 100,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, when, why and with which command.

    \b
    Example:
      calib audit log 24-0107
    """
    from calib.report.log import entry_view, log_table

    with open_store(ctx, store, read_only=True) as opened:
        views = [entry_view(entry) for entry in opened.log.entries(serial, last)]
    if as_json:
        write_json(views)
        return
    if len(views) == last:
        notify(f"Showing the newest {last} entries; --last N shows more.")
    if views:
        write_blocks([log_table(views)])
    else:
        notify("The log has no entries yet.")
