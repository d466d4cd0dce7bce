"""calib detector place: record at which beamline a detector is."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import log_head, notify_local_times, open_store, stamp
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, SerialName, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def place(
    ctx: typer.Context,
    serial: SerialName,
    beamline: Annotated[
        str,
        typer.Option(
            "--beamline",
            metavar="NAME",
            help="Record this beamline.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Start at this time, or now; without a UTC offset in the detector's zone.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Record why.", rich_help_panel=INPUT),
    ] = "",
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Record the beamline at which a detector is installed.

    Calibrations and certifications stay as they are.

    \b
    Example:
      calib detector place 24-0107 --beamline I04 --from 2026-03-01
    """
    from calib.flows.detectors import place as record_placement
    from calib.report.detector.placements import placement_table, placement_view
    from calib.report.log import head_facts

    with open_store(ctx, store, read_only=dry_run, create=False) as opened:
        done = record_placement(
            opened,
            serial,
            beamline=beamline,
            start=start,
            reason=reason,
            stamp=stamp(by),
            dry_run=dry_run,
        )
        notify_local_times(opened, serial, start)
        head = log_head(opened)
    view = placement_view(done.placement)
    before = None if done.before is None else placement_view(done.before)
    if as_json:
        write_json({"placement": view, "before": before, "stored": not dry_run, "log_head": head})
        return
    previous = "" if done.before is None else f", previously at {done.before.beamline}"
    verb = "Would place" if dry_run else "Placed"
    notify(f"{verb} {serial} at {done.placement.beamline}{previous}.")
    write_blocks([placement_table([view]), head_facts(head)])
