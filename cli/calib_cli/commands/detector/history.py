"""calib history: the calibrations and certifications of a detector, in order of time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from calib_cli.context import notify_local_times, open_store
from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import AsJson, AsKnownAt, RepeatUm, SerialName, StorePlace
from calib_cli.output import write_blocks, write_json


def history(
    ctx: typer.Context,
    serial: SerialName,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Show what was valid for data of this time: an instant, day or month (2026-03).",
            rich_help_panel=INPUT,
        ),
    ] = None,
    as_known_at: AsKnownAt = None,
    panel: Annotated[
        int | None,
        typer.Option(
            "--panel",
            metavar="N",
            help="Show the corrections of this panel.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", metavar="N", help="Show the N latest events.", rich_help_panel=OUTPUT
        ),
    ] = 20,
    repeat_um: RepeatUm = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show the history of a detector with its drift.

    The latest event comes first. Each calibration is compared with the last accepted one before
    it, as in calib diff.

    \b
    Example:
      calib history 24-0107
      calib history 24-0107 --panel 1 --at 2026-03
    """
    from calib.flows.history import history as read_history
    from calib.flows.history import panel_history
    from calib.flows.shared.heads import signed_head
    from calib.report.history import (
        history_blocks,
        history_view,
        panel_history_blocks,
        panel_history_view,
    )
    from calib.report.log import head_facts, head_view

    now = datetime.now(UTC)
    with open_store(ctx, store, read_only=True) as opened:
        notify_local_times(opened, serial, at, as_known_at)
        if panel is not None:
            held = panel_history(opened, serial, panel, at=at, as_known_at=as_known_at, now=now)
            view = panel_history_view(held.serial, held.panel, held.period, held.then, held.now)
            blocks = panel_history_blocks(view)
            head = signed_head(opened)  # of what is known now, which the view has too
        else:
            done = read_history(
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
            head = signed_head(opened, done.known_at.position)
    view["log_head"] = head_view(head)
    if as_json:
        write_json(view)
    else:
        write_blocks([*blocks, head_facts(view["log_head"])])
