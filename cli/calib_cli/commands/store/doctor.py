"""calib doctor: what is wrong here, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from calib_cli.context import named_place
from calib_cli.errors import NO
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json


def doctor(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Look for what is wrong, and say what to do.

    Shows where each setting comes from, and checks the store: permissions, clocks, file,
    revision, triggers, log. Exit code 1 where something is wrong.

    \b
    Example:
      calib doctor
    """
    from calib.config.actor import login_name
    from calib.flows.doctor import examined
    from calib.report.maintenance import doctor_blocks, doctor_view

    found = examined(named_place(ctx, store), login_name(), datetime.now(UTC))
    view = doctor_view(found.settings, found.checks)
    if as_json:
        write_json(view)
    else:
        write_blocks(doctor_blocks(view))
    if not view["fine"]:
        raise typer.Exit(NO)
