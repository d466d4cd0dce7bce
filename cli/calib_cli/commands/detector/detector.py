"""calib detector add, place, list, show: the detectors that the store knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store, stamp
from calib_cli.options import AllPanels, AsJson, By, DryRun, StorePlace
from calib_cli.output import say, write_blocks, write_json

app = typer.Typer(
    help="Detectors: register, place, list, show.\n\n\b\nExample:\n  calib detector show 24-0107"
)

SerialName = Annotated[
    str, typer.Argument(metavar="SERIAL", help="The detector's serial number.", show_default=False)
]


@app.command("add")
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


@app.command("place")
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


@app.command("list")
def list_detectors(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """List the detectors.

    \b
    Example:
      calib detector list
    """
    from calib.report.detectors import detector_table, detector_view

    with open_store(ctx, store, read_only=True) as opened:
        views = [detector_view(record) for record in opened.detectors()]
    if as_json:
        write_json(views)
    elif views:
        write_blocks([detector_table(views)])
    else:
        say("The store knows no detector yet.")


@app.command("show")
def show(
    ctx: typer.Context,
    serial: SerialName,
    panels: AllPanels = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show a detector with its calibrations.

    \b
    Example:
      calib detector show 24-0107
    """
    from calib.report.calibration.listing import line_view
    from calib.report.certifications import certification_view
    from calib.report.detectors import detector_blocks, detector_view, panel_frames_view
    from calib.report.placements import placement_view
    from calib.report.scalar import moment_view

    with open_store(ctx, store, read_only=True) as opened:
        record, known = opened.detector(serial), opened.moment()
        lines = opened.calibrations(serial, known.position)
        words = opened.certifications(serial, known.position)
        placed = opened.placements(serial, known.position)
    view = {
        "as_known_at": moment_view(known),
        **detector_view(record),
        "panels": panel_frames_view(record),
        "calibrations": [line_view(line) for line in lines],
        "certifications": [certification_view(one) for one in words],
        "placements": [placement_view(one) for one in placed],
    }
    if as_json:
        write_json(view)
    else:
        write_blocks(detector_blocks(view, all_panels=panels))
