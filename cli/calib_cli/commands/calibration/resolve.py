"""calib resolve: which calibration would be applied, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import log_head, notify_local_times, open_store
from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import (
    AsJson,
    AsKnownAt,
    DistanceChoice,
    DistancePolicyName,
    SerialName,
    StorePlace,
    TimeChoice,
    TimePolicyName,
)
from calib_cli.output import notify, write_blocks, write_json


def resolve(
    ctx: typer.Context,
    serial: SerialName,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Set the time of the data, or now; without a UTC offset in the detector's zone.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    distance_mm: Annotated[
        float,
        typer.Option(
            "--distance-mm",
            "--distance",
            metavar="MM",
            help="Set the distance of the detector.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    as_known_at: AsKnownAt = None,
    distance_policy: DistanceChoice = DistancePolicyName.EXACT,
    time_policy: TimeChoice = TimePolicyName.PRIOR,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also print why it was accepted and why others do not match.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Print which calibration would be applied, and why.

    The answer names the current position of the log; --as-known-at with that position gives the
    same answer at any later time.

    \b
    Example:
      calib resolve 24-0107 --at 2026-03-05 --distance 200 --explain
    """
    from calib.api.application import resolve as resolved
    from calib.report.log import head_facts
    from calib.report.resolution import resolution_blocks, resolution_view

    with open_store(ctx, store, read_only=True) as opened:
        found = resolved(
            serial,
            at=at,
            distance_mm=distance_mm,
            store=opened,
            as_known_at=as_known_at,
            distance_policy=distance_policy,
            time_policy=time_policy,
        )
        notify_local_times(opened, serial, at, as_known_at)
        head = log_head(opened, found.position)
    view = {**resolution_view(found), "log_head": head}
    for warning in view["warnings"]:
        notify(f"Warning: {warning}")
    if as_json:
        write_json(view)
    else:
        write_blocks([*resolution_blocks(view, explain=explain), head_facts(head)])
