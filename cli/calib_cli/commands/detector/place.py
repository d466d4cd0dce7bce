"""calib detector place: record at which beamline a detector is."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import open_store, stamp
from calib_cli.options import AsJson, By, DryRun, SerialName, StorePlace
from calib_cli.output import say, write_blocks, write_json


def place(
    ctx: typer.Context,
    serial: SerialName,
    beamline: Annotated[
        str,
        typer.Option("--beamline", metavar="NAME", help="Where it stands.", show_default=False),
    ],
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Since when; without offset in the detector's time zone; or now.",
            show_default=False,
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")] = "",
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Record at which beamline a detector stands.

    Its calibrations travel with it: what is certified does not change.

    \b
    Example:
      calib detector place 24-0107 --beamline I04 --from 2026-03-01
    """
    from calib.flows.place import place as placed
    from calib.report.placements import placement_table, placement_view

    with open_store(ctx, store, read_only=dry_run) as opened:
        done = placed(
            opened,
            serial,
            beamline=beamline,
            start=start,
            reason=reason,
            stamp=stamp(by),
            dry_run=dry_run,
        )
    view = placement_view(done.placement)
    before = None if done.before is None else placement_view(done.before)
    if as_json:
        write_json({"placement": view, "before": before, "stored": not dry_run})
        return
    stood = "" if done.before is None else f", before that at {done.before.beamline}"
    say(f"{'Would place' if dry_run else 'Placed'} {serial} at {done.placement.beamline}{stood}.")
    write_blocks([placement_table([view])])
