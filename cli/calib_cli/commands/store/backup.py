"""calib db backup: copy the store to a new file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import place_of
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import say, write_blocks, write_json


def backup(
    ctx: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The new file. Default: with the time in its name, beside the store's file; for "
            "a server, here.",
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Copy the store, as it is at one moment, to a new file.

    The file is an SQLite store itself, whatever database this one lies in, and can be looked into
    with --store. Its SHA-256 is written beside it. Others may go on reading and writing.

    \b
    Example:
      calib db backup -o calib.backup.sqlite
    """
    from calib.report.maintenance import backup_facts, backup_view
    from calib.store.api import maintenance

    place = place_of(ctx, store)
    path = maintenance.backup_name(place, datetime.now(UTC)) if output is None else output
    view = backup_view(place.shown, maintenance.back_up(place, path))
    if as_json:
        write_json(view)
    else:
        say("Backed up.")
        write_blocks([backup_facts(view)])
