"""calib bundle create: write a detector or a calibration to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.completion import complete_serial_or_calibration
from calib_cli.context import open_store
from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import AsJson, Force, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def create(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="SERIAL|CALIBRATION",
            help="A detector with all its calibrations, or one calibration (SERIAL:VERSION or "
            "the start of an id).",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_serial_or_calibration,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file.",
            show_default="SERIAL.calib-bundle in the current folder",
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    with_usage: Annotated[
        bool,
        typer.Option(
            "--with-usage",
            help="Include names of people and hosts, paths of inputs, and applications.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write a detector or a calibration with its history to one file.

    Names of people and hosts, paths and applications are left out by default.

    \b
    Example:
      calib bundle create 24-0107 -o detector.calib-bundle
    """
    from calib.flows.bundle import create as created
    from calib.report.bundle import bundle_facts, bundle_view

    with open_store(ctx, store, read_only=True) as opened:
        done = created(opened, what, output, with_usage=with_usage, force=force)
    view = bundle_view(done.bundle)
    notify(f"Wrote {done.output}.")
    if as_json:
        write_json({**view, "output": str(done.output)})
    else:
        write_blocks([bundle_facts(view)])
