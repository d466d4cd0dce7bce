"""calib db restore: create a store from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import store_location
from calib_cli.help import INPUT
from calib_cli.options import AsJson, DryRun, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def restore(
    ctx: typer.Context,
    backup: Annotated[
        Path,
        typer.Argument(
            metavar="BACKUP", help="File written by calib db backup.", rich_help_panel=INPUT
        ),
    ],
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Create a store from a backup.

    The target must not exist: a new file, or an empty database on a server. A backup of either
    kind of store can be restored to either.

    \b
    Example:
      calib db restore calib.backup.sqlite --store restored.sqlite
    """
    from calib.report.maintenance import backup_facts, backup_view
    from calib.store.api import maintenance

    place = store_location(ctx, store)
    done = maintenance.restore(place, backup, dry_run=dry_run)
    view = {**backup_view(place.shown, done), "stored": not dry_run}
    if as_json:
        write_json(view)
    else:
        notify(
            "Would restore."
            if dry_run
            else "Restored. To compare its contents with its log: calib db check"
        )
        write_blocks([backup_facts(view)])
