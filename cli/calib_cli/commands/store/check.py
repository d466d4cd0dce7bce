"""calib db check: check file, tables, triggers and log."""

from __future__ import annotations

import typer

from calib_cli.context import store_location
from calib_cli.errors import NO
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json


def check(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Check the store: file, tables, triggers, log.

    Compares every row with its log entry. Exits with 1 if something is wrong.

    \b
    Example:
      calib db check
    """
    from calib.report.maintenance import check_blocks, checks_view
    from calib.store.api import maintenance

    place = store_location(ctx, store)
    view = checks_view(place.shown, maintenance.check(place))
    if as_json:
        write_json(view)
    else:
        write_blocks(check_blocks(view))
    if not view["fine"]:
        raise typer.Exit(NO)
