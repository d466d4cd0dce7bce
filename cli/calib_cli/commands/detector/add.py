"""calib detector add: register a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store, stamp
from calib_cli.options import AsJson, By, DryRun, SerialName, StorePlace
from calib_cli.output import say, write_blocks, write_json


def add(
    ctx: typer.Context,
    serial: SerialName,
    experiments: Annotated[
        Path | None,
        typer.Option("--from", metavar="EXPT", help="Its panels as in this experiment list."),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option("--layout", metavar="NAME", help='Its panels as drawn, such as "PILATUS 6M".'),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(
            "--time-zone", metavar="ZONE", help="How to read times without offset. Default: UTC."
        ),
    ] = None,
    description: Annotated[
        str, typer.Option("--description", metavar="TEXT", help="What people call it.")
    ] = "",
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Register a detector before any data of it.

    calib derive registers a detector by itself, with times in UTC.

    \b
    Example:
      calib detector add 24-0108 --layout "PILATUS 300K" --time-zone Europe/London
    """
    from calib.flows.register import register
    from calib.report.detectors import detector_facts, detector_view

    with open_store(ctx, store, read_only=dry_run) as opened:
        done = register(
            opened,
            serial,
            experiments=experiments,
            layout=layout,
            time_zone=time_zone,
            description=description,
            stamp=stamp(by),
            dry_run=dry_run,
        )
    view = detector_view(done.record)
    if not done.new:
        say(f"Detector {serial} is registered already; nothing was changed.")
    elif dry_run:
        say(f"Would register detector {serial}.")
    if time_zone is None:
        say(
            f"Times without offset are read in {done.record.time_zone} for this detector"
            + (" (--time-zone says otherwise)." if done.new else ".")
        )
    if as_json:
        write_json({"detector": view, "new": done.new, "stored": not dry_run})
    else:
        write_blocks([detector_facts(view)])
