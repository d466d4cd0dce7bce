"""calib db restore: create a store from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import place_of
from calib_cli.options import AsJson, DryRun, StorePlace
from calib_cli.output import say, write_blocks, write_json


def restore(
    ctx: typer.Context,
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="A file of calib db backup.")],
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make a store again from a backup.

    Where a store is already, nothing is done: move that away first. A backup of either database
    can be restored to either: a new file, or an empty database on a server.

    \b
    Example:
      calib db restore calib.backup.sqlite --store restored.sqlite
    """
    from calib.report.maintenance import backup_facts, backup_view
    from calib.store.api import maintenance

    place = place_of(ctx, store)
    done = maintenance.restore(place, backup, dry_run=dry_run)
    view = {**backup_view(place.shown, done), "stored": not dry_run}
    if as_json:
        write_json(view)
    else:
        say(
            "Would restore."
            if dry_run
            else "Restored. calib db check compares what it holds with its log."
        )
        write_blocks([backup_facts(view)])
