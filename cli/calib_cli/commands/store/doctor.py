"""calib doctor: diagnose problems with settings and store."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from calib_cli.context import given_location
from calib_cli.errors import NO
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json


def doctor(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Diagnose problems with settings and store.

    Shows where each setting comes from, and checks the store: permissions, clocks, file, revision,
    triggers, log. Exits with 1 if something is wrong.

    \b
    Example:
      calib doctor
    """
    from calib.config.actor import login_name
    from calib.flows.doctor import diagnose
    from calib.report.maintenance import doctor_blocks, doctor_view

    found = diagnose(given_location(ctx, store), login_name(), datetime.now(UTC))
    view = doctor_view(found.settings, found.checks)
    if as_json:
        write_json(view)
    else:
        write_blocks(doctor_blocks(view))
    if not view["fine"]:
        raise typer.Exit(NO)
