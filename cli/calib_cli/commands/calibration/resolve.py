"""calib resolve: which calibration would be used, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.options import (
    AsJson,
    AsKnownAt,
    DistanceChoice,
    DistancePolicyName,
    StorePlace,
    TimeChoice,
    TimePolicyName,
)
from calib_cli.output import say, write_blocks, write_json


def resolve(
    ctx: typer.Context,
    serial: Annotated[
        str,
        typer.Argument(metavar="SERIAL", help="The detector's serial number.", show_default=False),
    ],
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When the data were taken, without offset in the detector's time zone; or now.",
            show_default=False,
        ),
    ],
    distance_mm: Annotated[
        float,
        typer.Option(
            "--distance-mm",
            "--distance",
            metavar="MM",
            help="The detector's distance.",
            show_default=False,
        ),
    ],
    as_known_at: AsKnownAt = None,
    distance_policy: DistanceChoice = DistancePolicyName.EXACT,
    time_policy: TimeChoice = TimePolicyName.PRIOR,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also why it was accepted, and why others lost.")
    ] = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Say which calibration would be used, and why.

    The answer names the last position of the log that it saw: asked again with --as-known-at that
    position, it is the same for ever.

    \b
    Example:
      calib resolve 24-0107 --at 2026-03-05 --distance 200 --explain
    """
    from calib.api.application import resolve as resolved
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
    view = resolution_view(found)
    for warning in view["warnings"]:
        say(f"Warning: {warning}")
    if as_json:
        write_json(view)
    else:
        write_blocks(resolution_blocks(view, explain=explain))
