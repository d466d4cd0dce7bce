"""calib certify: certify a calibration for a time and distances."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import actor, open_store
from calib_cli.options import AsJson, By, DryRun, Reference, Serial, StorePlace
from calib_cli.output import say, write_blocks, write_json


def certify(
    ctx: typer.Context,
    reference: Reference,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why it holds.", show_default=False)
    ],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="From when on it holds, this instant included; without offset in the "
            "detector's time zone. Default: when its earliest dataset was taken.",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="TIME", help="Until when, this instant excluded. Default: for ever."
        ),
    ] = None,
    min_distance_mm: Annotated[
        float | None,
        typer.Option(
            "--min-distance-mm",
            "--min-distance",
            metavar="MM",
            help="The shortest distance. Default: half the shortest one it was derived from.",
        ),
    ] = None,
    max_distance_mm: Annotated[
        float | None,
        typer.Option(
            "--max-distance-mm",
            "--max-distance",
            metavar="MM",
            help="The longest distance, itself excluded. Default: twice the longest one.",
        ),
    ] = None,
    gap_mm: Annotated[
        float | None,
        typer.Option(
            "--gap-mm",
            metavar="MM",
            help="How far beyond these distances it may serve where the nearest one is asked for. "
            "Default: a tenth of the longest one it was derived from.",
        ),
    ] = None,
    supersede: Annotated[
        bool,
        typer.Option("--supersede", help="Replace what holds already where they overlap."),
    ] = False,
    override: Annotated[
        str,
        typer.Option(
            "--override",
            metavar="REASON",
            help="Why a draft that failed acceptance is certified all the same.",
        ),
    ] = "",
    serial: Serial = None,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Certify a calibration for a time and distances.

    calib apply uses the latest one certified for the data's time and distance. One that begins
    later takes over from one without an end; to replace anything else takes --supersede.

    \b
    Example:
      calib certify 24-0107:3 --from 2026-03-01 --reason "after module swap"
    """
    from calib.api.certification import certify as certified
    from calib.report.certifications import (
        certification_table,
        certification_view,
        change_blocks,
        change_view,
    )

    with open_store(ctx, store, read_only=dry_run) as opened:
        done = certified(
            reference,
            store=opened,
            by=actor(by),
            serial=serial,
            start=start,
            end=end,
            min_distance_mm=min_distance_mm,
            max_distance_mm=max_distance_mm,
            gap_mm=gap_mm,
            reason=reason,
            override=override,
            supersede=supersede,
            dry_run=dry_run,
        )
    view = certification_view(done.certification)
    changes = [change_view(change) for change in done.consequences.changes]
    for warning in done.warnings:
        say(f"Warning: {warning}")
    if as_json:
        write_json(
            {
                "certification": view,
                "changes": changes,
                "affected": done.consequences.affected,
                "stored": not dry_run,
                "warnings": list(done.warnings),
            }
        )
    else:
        say("Would certify:" if dry_run else f"Certified {done.calibration.name}.")
        blocks = change_blocks(changes, done.consequences.affected)
        write_blocks([certification_table([view]), *blocks])
