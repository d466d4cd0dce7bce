"""calib bundle create: write a detector or a calibration to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.options import AsJson, Force, StorePlace
from calib_cli.output import say, write_blocks, write_json


def create(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A detector's serial, or a calibration: SERIAL:VERSION or the start of its id.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write. Default: SERIAL.calib-bundle in the current folder.",
        ),
    ] = None,
    with_usage: Annotated[
        bool,
        typer.Option(
            "--with-usage",
            help="Take along who did what on which host, where inputs lay, and applications.",
        ),
    ] = False,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write a detector or a calibration with its history to one file.

    Names of people and hosts, paths and applications stay at home unless asked for.

    \b
    Example:
      calib bundle create 24-0107 -o detector.calib-bundle
    """
    from calib.flows.bundle import create as created
    from calib.report.bundle import bundle_facts, bundle_view

    with open_store(ctx, store, read_only=True) as opened:
        done = created(opened, what, output, with_usage=with_usage, force=force)
    view = bundle_view(done.bundle)
    say(f"Wrote {done.output}.")
    if as_json:
        write_json({**view, "output": str(done.output)})
    else:
        write_blocks([bundle_facts(view)])
