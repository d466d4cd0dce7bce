"""calib init: create an empty store."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import store_location
from calib_cli.help import OUTPUT
from calib_cli.options import AsJson, DryRun, StorePlace
from calib_cli.output import write, write_json


def init(
    ctx: typer.Context,
    group: Annotated[
        str | None,
        typer.Option(
            "--shared",
            metavar="GROUP",
            help="Let this group read and write the folder and the store, whatever the umask.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Create an empty store if none exists.

    \b
    Example:
      calib init --store beamline.sqlite
    """
    from calib.store.api import maintenance
    from calib.store.store import Store

    place = store_location(ctx, store)
    created = (
        maintenance.revision(place).revision is None
        if dry_run
        else Store.create(place, group=group)
    )
    if as_json:
        write_json({"store": place.shown, "created": created})
    elif created:
        write(f"{'Would create' if dry_run else 'Created'} an empty store: {place.shown}\n")
    else:
        write(f"The store already exists: {place.shown}\n")
