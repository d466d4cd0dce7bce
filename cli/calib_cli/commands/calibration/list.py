"""calib list: the calibrations in the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from calib_cli.context import log_head, notify_head, open_store
from calib_cli.help import OUTPUT
from calib_cli.options import AsCsv, AsJson, AsKnownAt, OnlySerial, StorePlace
from calib_cli.output import notify, refuse_two_formats, write, write_blocks, write_json

_SHOWN = 100
"""Calibrations in a table, unless --limit is given."""


def list_calibrations(
    ctx: typer.Context,
    serial: OnlySerial = None,
    as_known_at: AsKnownAt = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            help="List the N calibrations stored last.",
            show_default="100; with --json or --csv, all",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the calibrations in the store.

    \b
    Example:
      calib list --serial 24-0107
    """
    from calib.flows.calibrations import listed
    from calib.report.blocks import moment_words
    from calib.report.calibration.listing import line_view, list_data, list_table
    from calib.report.scalar import moment_view
    from calib.report.spreadsheet import csv_text

    now = datetime.now(UTC)
    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    if limit is None and not (as_json or as_csv):
        limit = _SHOWN
    with open_store(ctx, store, read_only=True) as opened:
        found = listed(opened, serial, as_known_at, limit, now)
        head = log_head(opened, found.known_at.position)
    views = [line_view(line) for line in found.lines]
    notify(f"As known at {moment_words(moment_view(found.known_at))}.")
    if found.more:
        notify(f"Showing the {limit} stored last; --serial or --limit shows others.")
    notify_head(head)
    if as_json:
        write_json(views)
    elif as_csv:
        write(csv_text(list_data(views)))
    elif views:
        write_blocks([list_table(views)])
    else:
        notify("The store has no calibrations yet.")
