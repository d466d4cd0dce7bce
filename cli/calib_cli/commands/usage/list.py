"""calib usage list: which files got which calibration."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.completion import complete_calibration
from calib_cli.context import log_head, notify_head, open_store
from calib_cli.help import INPUT
from calib_cli.options import AsJson, OnlySerial, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def list_applications(
    ctx: typer.Context,
    serial: OnlySerial = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            metavar="CALIBRATION",
            help="List applications of this calibration only.",
            rich_help_panel=INPUT,
            autocompletion=complete_calibration,
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """List which calibration was applied to which files, when and by whom.

    \b
    Example:
      calib usage list --serial 24-0107
    """
    from calib.report.applications import application_table, application_view

    with open_store(ctx, store, read_only=True) as opened:
        named = None if calibration is None else opened.calibrations.get(calibration, serial).id
        if serial is not None:
            opened.detectors.get(serial)
        found = opened.applications.list(serial, named)
        head = log_head(opened)
    views = [application_view(one) for one in found]
    notify_head(head)
    if as_json:
        write_json(views)
    elif views:
        write_blocks([application_table(views)])
    else:
        notify("No applications are recorded yet.")
