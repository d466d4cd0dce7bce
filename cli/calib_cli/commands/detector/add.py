"""calib detector add: register a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.completion import complete_experiments, complete_layout
from calib_cli.context import actor, log_head, open_store
from calib_cli.help import INPUT
from calib_cli.options import (
    AsJson,
    By,
    DryRun,
    ForceSerial,
    Halves,
    ImagesRoot,
    NoImages,
    SerialName,
    StorePlace,
)
from calib_cli.output import notify, write_blocks, write_json


def add(
    ctx: typer.Context,
    serial: SerialName,
    experiments: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="EXPT",
            help="Take the panels from this experiment list.",
            rich_help_panel=INPUT,
            autocompletion=complete_experiments,
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="NAME",
            help='Use the nominal panels of this model, such as "PILATUS 6M".',
            rich_help_panel=INPUT,
            autocompletion=complete_layout,
        ),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(
            "--time-zone",
            metavar="ZONE",
            help="Read times without a UTC offset in this zone, such as Europe/London.",
            show_default="UTC",
            rich_help_panel=INPUT,
        ),
    ] = None,
    description: Annotated[
        str,
        typer.Option(
            "--description", metavar="TEXT", help="Describe the detector.", rich_help_panel=INPUT
        ),
    ] = "",
    halves: Halves = False,
    force_serial: ForceSerial = False,
    images: ImagesRoot = None,
    no_images: NoImages = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Register a detector.

    calib derive registers a new detector by itself, with UTC as its time zone.

    \b
    Example:
      calib detector add 24-0108 --layout "PILATUS 300K" --time-zone Europe/London
    """
    from calib.api.registration import register
    from calib.report.detector.detectors import detector_facts, detector_view
    from calib.report.log import head_facts

    with open_store(ctx, store, read_only=dry_run) as opened:
        done = register(
            serial,
            store=opened,
            by=actor(by),
            experiments=experiments,
            layout=layout,
            time_zone=time_zone,
            description=description,
            force_serial=force_serial,
            halves=halves,
            images=images,
            read_images=not no_images,
            dry_run=dry_run,
        )
        retirements = [] if done.new else opened.detectors.retirements(serial)
        head = log_head(opened)
    view = detector_view(done.record, retirements)
    if not done.new:
        notify(f"Detector {serial} is already registered; nothing was changed.")
    elif dry_run:
        notify(f"Would register detector {serial}.")
    for notice in done.notices:
        notify(f"Note: {notice}")
    if done.split:
        notify(f"Note: one panel was split into the modules of a {done.split}.")
    if time_zone is None:
        notify(
            f"Times without offset are read in {done.record.time_zone} for this detector"
            + ("; --time-zone sets another." if done.new else ".")
        )
    if as_json:
        write_json({"detector": view, "new": done.new, "stored": not dry_run, "log_head": head})
    else:
        write_blocks([detector_facts(view), head_facts(head)])
