"""calib db current: the revision of the store."""

from __future__ import annotations

import typer

from calib_cli.context import store_location
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json


def current(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Show the revision of the store and which programs can use it.

    A program that knows the revision of the oldest reader can read the store; one that knows that
    of the oldest writer can write it.

    \b
    Example:
      calib db current
    """
    from calib.report.maintenance import revision_facts, revision_view
    from calib.store.api import maintenance
    from calib.store.schema.revision import HEAD

    place = store_location(ctx, store)
    view = revision_view(place.shown, maintenance.revision(place), HEAD)
    if as_json:
        write_json(view)
    else:
        write_blocks([revision_facts(view)])
