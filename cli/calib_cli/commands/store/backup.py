"""calib db backup: copy the store to a new file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import store_location
from calib_cli.help import OUTPUT
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def backup(
    ctx: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file.",
            show_default="named by the time, beside the store's file; for a server, here",
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Copy the store to a new file, while others read and write it.

    The copy is a consistent SQLite store, also of a Postgres store, and can be read with --store.
    Its SHA-256 is written beside it.

    \b
    Example:
      calib db backup -o calib.backup.sqlite
    """
    from calib.report.maintenance import backup_facts, backup_view
    from calib.store.api import maintenance

    place = store_location(ctx, store)
    path = maintenance.backup_name(place, datetime.now(UTC)) if output is None else output
    view = backup_view(place.shown, maintenance.back_up(place, path))
    if as_json:
        write_json(view)
    else:
        notify("Backed up.")
        write_blocks([backup_facts(view)])
