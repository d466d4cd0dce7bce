"""calib db current: the revision of the store."""

from __future__ import annotations

import typer

from calib_cli.context import place_of
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json


def current(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Show the store's revision, and whom it admits.

    Programs that know the revision of the oldest reader may read it, those that know that of the
    oldest writer may write it.

    \b
    Example:
      calib db current
    """
    from calib.report.maintenance import revision_facts, revision_view
    from calib.store.api import maintenance
    from calib.store.schema.revision import HEAD

    place = place_of(ctx, store)
    view = revision_view(place.shown, maintenance.revision(place), HEAD)
    if as_json:
        write_json(view)
    else:
        write_blocks([revision_facts(view)])
