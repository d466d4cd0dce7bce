"""calib init: make a store."""

from __future__ import annotations

import typer

from calib_cli.context import place_of
from calib_cli.options import AsJson, DryRun, StorePlace
from calib_cli.output import write, write_json


def init(
    ctx: typer.Context,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make an empty store.

    One that is there already is left as it is.

    \b
    Example:
      calib init --store beamline.sqlite
    """
    from calib.store.api import maintenance
    from calib.store.store import Store

    place = place_of(ctx, store)
    created = maintenance.revision(place).revision is None if dry_run else Store.create(place)
    if as_json:
        write_json({"store": place.shown, "created": created})
    elif created:
        write(f"{'Would make' if dry_run else 'Made'} an empty store: {place.shown}\n")
    else:
        write(f"There is a store already: {place.shown}\n")
