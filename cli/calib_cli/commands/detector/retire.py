"""calib detector retire: record that a detector is no longer in use."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import log_head, notify_local_times, open_store, stamp
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, Reason, SerialName, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def retire(
    ctx: typer.Context,
    serial: SerialName,
    reason: Reason,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Retire it from this time on; without a UTC offset in the detector's zone.",
            rich_help_panel=INPUT,
        ),
    ] = "now",
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Record that it is in use again.", rich_help_panel=INPUT),
    ] = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Record that a detector is no longer in use.

    Certifications stay in force, so that data taken before can still be processed. Deriving from,
    applying to and certifying for later times gives a warning.

    \b
    Example:
      calib detector retire 24-0107 --from 2026-09-01 --reason "replaced by 25-0003"
      calib detector retire 24-0107 --undo --reason "in use as a spare"
    """
    from calib.flows.amend.detectors import retire as record_retirement
    from calib.report.detector.amendments import retirement_table, retirement_view
    from calib.report.log import head_facts

    with open_store(ctx, store, read_only=dry_run, create=False) as opened:
        done = record_retirement(
            opened,
            serial,
            start=start,
            undo=undo,
            reason=reason,
            stamp=stamp(by),
            dry_run=dry_run,
        )
        notify_local_times(opened, serial, None if undo else start)
        head = log_head(opened)
    view = retirement_view(done.retirement)
    before = None if done.before is None else retirement_view(done.before)
    if done.certified:
        notify(f"Certified beyond that time: {', '.join(done.certified)}.")
    if as_json:
        write_json(
            {
                "retirement": view,
                "before": before,
                "certified": list(done.certified),
                "stored": not dry_run,
                "log_head": head,
            }
        )
        return
    would = "Would record" if dry_run else "Recorded"
    notify(f"{would} that {serial} is {'in use again' if undo else 'retired'}.")
    write_blocks([retirement_table([view]), head_facts(head)])
