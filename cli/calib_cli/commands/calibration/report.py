"""calib report: a calibration as one page with figures."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.help import OUTPUT
from calib_cli.options import AsJson, Force, Reference, Serial, StorePlace
from calib_cli.output import write, write_json


def report(
    ctx: typer.Context,
    reference: Reference,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file: .html, .pdf or .png.",
            show_default="SERIAL-VERSION.html",
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    serial: Serial = None,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write a report of a calibration with figures.

    The HTML file needs neither a network nor a script: it can be sent by mail and printed.

    \b
    Example:
      calib report 24-0107:3
      calib report 24-0107:3 -o logbook.pdf
    """
    from calib.flows.reports.calibration import calibration_report, write_report

    with open_store(ctx, store, read_only=True) as opened:
        view = calibration_report(opened, reference, serial=serial, now=datetime.now(UTC))
        head = view["calibration"]
        name = f"{head['serial']}-{head['version']}.html".replace("/", "_")
        place = Path(name) if output is None else output
        write_report(opened, view, place, force=force)
    if as_json:
        write_json(
            {
                "calibration": f"{head['serial']}:{head['version']}",
                "calibration_id": head["id"],
                "output": str(place),
                "face": view["face"],
                "motions": view["motions"],
            }
        )
    else:
        write(f"{place}\n")
