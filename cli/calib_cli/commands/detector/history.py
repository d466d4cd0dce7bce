"""calib history: what was said of a detector, when, by whom and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.options import AsJson, RepeatUm, SerialName, StorePlace
from calib_cli.output import write_blocks, write_json


def history(
    ctx: typer.Context,
    serial: SerialName,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="What held at that time of the data as well: an instant, a day, or 2026-03.",
        ),
    ] = None,
    as_known_at: Annotated[
        str | None,
        typer.Option(
            "--as-known-at",
            metavar="MOMENT",
            help="As it was known then: a position of the log (calib audit log), or a time.",
        ),
    ] = None,
    panel: Annotated[
        int | None,
        typer.Option(
            "--panel",
            metavar="N",
            help="What was held of this panel, as known then and as known now.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="So many events at most.")
    ] = 20,
    repeat_um: RepeatUm = 0.0,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show a detector's history, each calibration with its drift.

    The latest comes first. A calibration is compared with the one before it that passed
    acceptance, as calib diff does.

    \b
    Example:
      calib history 24-0107
      calib history 24-0107 --panel 1 --at 2026-03
    """
    from calib.flows.history import history as told
    from calib.flows.history import panel_history
    from calib.report.history import (
        history_blocks,
        history_view,
        panel_history_blocks,
        panel_history_view,
    )

    now = datetime.now(UTC)
    with open_store(ctx, store, read_only=True) as opened:
        if panel is not None:
            held = panel_history(opened, serial, panel, at=at, as_known_at=as_known_at, now=now)
            view = panel_history_view(held.serial, held.panel, held.period, held.then, held.now)
            blocks = panel_history_blocks(view)
        else:
            done = told(
                opened,
                serial,
                at=at,
                as_known_at=as_known_at,
                limit=limit,
                repeat_um=repeat_um,
                now=now,
            )
            view = history_view(
                done.serial,
                done.known_at,
                done.period,
                done.holding,
                done.placement,
                done.n_events,
                done.events,
                done.origins,
            )
            blocks = history_blocks(view)
    if as_json:
        write_json(view)
    else:
        write_blocks(blocks)
