"""calib detector edit: change how a detector is described."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import log_head, open_store, stamp
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, Reason, SerialName, StorePlace
from calib_cli.output import notify, write_blocks, write_json

_MOST_NAMED = 5


def edit(
    ctx: typer.Context,
    serial: SerialName,
    reason: Reason,
    time_zone: Annotated[
        str | None,
        typer.Option(
            "--time-zone",
            metavar="ZONE",
            help="Read times without a UTC offset in this zone, such as Europe/London.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    description: Annotated[
        str | None,
        typer.Option(
            "--description",
            metavar="TEXT",
            help="Describe the detector.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    layout_name: Annotated[
        str | None,
        typer.Option(
            "--layout-name",
            metavar="NAME",
            help="Name the model of the detector.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Keep the earlier values for times before this one.",
            show_default="the new values replace all earlier ones",
            rich_help_panel=INPUT,
        ),
    ] = None,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Change the time zone, description or model name of a detector.

    The earlier values stay in the log. Times that are stored already do not change.

    \b
    Example:
      calib detector edit 24-0107 --time-zone Europe/London --reason "was UTC"
    """
    from calib.flows.amend.detectors import edit as record_edit
    from calib.flows.shared.times import local_times
    from calib.model.base.zones import TimeZones
    from calib.report.detector.amendments import edit_view
    from calib.report.detector.detectors import detector_facts, detector_view
    from calib.report.log import head_facts

    with open_store(ctx, store, read_only=dry_run, create=False) as opened:
        done = record_edit(
            opened,
            serial,
            time_zone=time_zone,
            description=description,
            layout_name=layout_name,
            start=start,
            reason=reason,
            stamp=stamp(by),
            dry_run=dry_run,
        )
        retirements = opened.detectors.retirements(serial)
        head = log_head(opened)
    for sentence in local_times(TimeZones(time_zone) if time_zone else done.before.zones, start):
        notify(sentence)
    view = detector_view(done.after, retirements)
    if done.dated:
        named = ", ".join(done.dated[:_MOST_NAMED])
        more = len(done.dated) - _MOST_NAMED
        notify(
            f"Times of the datasets of {named}{f' and {more} more' if more > 0 else ''} stay as "
            "they were read before."
        )
    if as_json:
        edited = edit_view(done.edit)
        write_json({"edit": edited, "detector": view, "stored": not dry_run, "log_head": head})
        return
    notify(f"{'Would change' if dry_run else 'Changed'} {serial}.")
    write_blocks([detector_facts(view), head_facts(head)])
