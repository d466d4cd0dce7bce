"""calib certify, calib withdraw: stand for a calibration, or take the word back."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.options import AsJson, By, DryRun, Reference, Serial, StorePlace
from calib_cli.output import say, write_blocks, write_json
from calib_cli.setting import deed, open_store


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

    calib apply uses the latest one certified for the data's time and distance.

    \b
    Example:
      calib certify 24-0107:3 --from 2026-03-01 --reason "after module swap"
    """
    from calib.flows.certify import certify as certified
    from calib.report.certification_blocks import certification_table
    from calib.report.certification_view import certification_view

    with open_store(ctx, store, read_only=dry_run) as opened:
        done = certified(
            opened,
            reference,
            serial=serial,
            start=start,
            end=end,
            min_distance_mm=min_distance_mm,
            max_distance_mm=max_distance_mm,
            reason=reason,
            override=override,
            deed=deed(by),
            dry_run=dry_run,
        )
    view = certification_view(done.certification)
    for warning in done.warnings:
        say(f"Warning: {warning}")
    if as_json:
        write_json({"certification": view, "stored": not dry_run, "warnings": list(done.warnings)})
    else:
        say("Would certify:" if dry_run else f"Certified {done.calibration.name}.")
        write_blocks([certification_table([view])])


def withdraw(
    ctx: typer.Context,
    reference: Reference,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why not any more.", show_default=False)
    ],
    serial: Serial = None,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Withdraw the certifications of a calibration.

    Nothing is deleted: what was applied stays on record.

    \b
    Example:
      calib withdraw 24-0107:3 --reason "module 7 was swapped again"
    """
    from calib.flows.certify import withdraw as withdrawn
    from calib.report.certification_blocks import certification_table
    from calib.report.certification_view import certification_view

    with open_store(ctx, store, read_only=dry_run) as opened:
        done = withdrawn(
            opened, reference, serial=serial, reason=reason, deed=deed(by), dry_run=dry_run
        )
    views = [certification_view(one) for one in done]
    if as_json:
        write_json({"certifications": views, "stored": not dry_run})
    else:
        say("Would withdraw:" if dry_run else "Withdrawn:")
        write_blocks([certification_table(views)])
