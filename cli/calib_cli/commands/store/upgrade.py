"""calib db upgrade: upgrade a store to the newest revision."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import store_location
from calib_cli.help import OUTPUT
from calib_cli.options import AsJson, DryRun, StorePlace
from calib_cli.output import write, write_json


def upgrade(
    ctx: typer.Context,
    backup: Annotated[
        Path | None,
        typer.Option(
            "--backup",
            metavar="FILE",
            help="Write the backup to this file.",
            show_default="beside the store's file; for a server, here",
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    no_backup: Annotated[
        bool,
        typer.Option(
            "--no-backup",
            help="Skip the backup, if you have made one.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Upgrade an older store to the revision of this program.

    The store is backed up first, then upgraded in one transaction. Older programs may no longer be
    able to use it.

    \b
    Example:
      calib db upgrade
    """
    from calib.report.maintenance import upgrade_view
    from calib.store.api import maintenance
    from calib.store.schema.revision import HEAD

    if backup is not None and no_backup:
        raise typer.BadParameter("--backup and --no-backup exclude each other")  # noqa: EM101
    place = store_location(ctx, store)
    path = None
    if not no_backup:
        path = backup or maintenance.backup_name(place, datetime.now(UTC))
    done = maintenance.upgrade(place, path, dry_run=dry_run)
    view = upgrade_view(place.shown, done, stored=not dry_run)
    if as_json:
        write_json(view)
    elif done.before == done.after:
        write(f"The store is already at revision {HEAD}: {place.shown}\n")
    else:
        if done.backup is not None:
            write(f"Backed up: {done.backup.path}\n")
        verb = "Would upgrade" if dry_run else "Upgraded"
        write(f"{verb} from revision {done.before} to {done.after}: {place.shown}\n")
