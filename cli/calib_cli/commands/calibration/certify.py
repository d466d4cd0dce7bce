"""calib certify: certify a calibration for a time and distances."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import actor, log_head, notify_local_times, open_store
from calib_cli.help import INPUT, VALIDITY
from calib_cli.options import AsJson, By, DryRun, Reference, Serial, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def certify(
    ctx: typer.Context,
    reference: Reference,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Record why it is valid.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Start at this time.",
            show_default="time of first data",
            rich_help_panel=VALIDITY,
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="TIME",
            help="End before this time.",
            show_default="no end",
            rich_help_panel=VALIDITY,
        ),
    ] = None,
    min_distance_mm: Annotated[
        float | None,
        typer.Option(
            "--min-distance-mm",
            "--min-distance",
            metavar="MM",
            help="Require at least this distance.",
            show_default="half its shortest",
            rich_help_panel=VALIDITY,
        ),
    ] = None,
    max_distance_mm: Annotated[
        float | None,
        typer.Option(
            "--max-distance-mm",
            "--max-distance",
            metavar="MM",
            help="Require less than this distance.",
            show_default="twice its longest",
            rich_help_panel=VALIDITY,
        ),
    ] = None,
    gap_mm: Annotated[
        float | None,
        typer.Option(
            "--gap-mm",
            metavar="MM",
            help="Allow extrapolation (--distance-policy nearest) by this much.",
            show_default="a tenth of its longest distance",
            rich_help_panel=VALIDITY,
        ),
    ] = None,
    supersede: Annotated[
        bool,
        typer.Option(
            "--supersede",
            help="Replace overlapping certifications.",
            rich_help_panel=VALIDITY,
        ),
    ] = False,
    override: Annotated[
        str,
        typer.Option(
            "--override",
            metavar="REASON",
            help="Certify a draft that failed acceptance.",
            rich_help_panel=INPUT,
        ),
    ] = "",
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help="Also if less than half of the panels are measured.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    serial: Serial = None,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Certify a calibration for a period and distances.

    A later start takes over from a certification without an end; use --supersede to replace any
    other. Times without a UTC offset are in the detector's time zone.

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
    from calib.report.log import head_facts

    with open_store(ctx, store, read_only=dry_run, create=False) as opened:
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
            partial=partial,
            supersede=supersede,
            dry_run=dry_run,
        )
        notify_local_times(opened, done.certification.serial, start, end)
        head = log_head(opened)
    view = certification_view(done.certification)
    changes = [change_view(change) for change in done.consequences.changes]
    for warning in done.warnings:
        notify(f"Warning: {warning}")
    if as_json:
        write_json(
            {
                "certification": view,
                "changes": changes,
                "affected": done.consequences.affected,
                "stored": not dry_run,
                "warnings": list(done.warnings),
                "log_head": head,
            }
        )
    else:
        notify("Would certify:" if dry_run else f"Certified {done.calibration.name}.")
        blocks = change_blocks(changes, done.consequences.affected)
        write_blocks([certification_table([view]), *blocks, head_facts(head)])
