"""calib db grant: give a role of a Postgres server what it needs."""

from __future__ import annotations

from typing import Annotated

import typer

from calib.model.store.backup import StoreRole
from calib_cli.context import store_location
from calib_cli.help import INPUT
from calib_cli.options import AsJson, DryRun, StorePlace
from calib_cli.output import write, write_json


def grant(
    ctx: typer.Context,
    role: Annotated[
        str,
        typer.Argument(
            metavar="ROLE", help="An existing role of the server.", rich_help_panel=INPUT
        ),
    ],
    kind: Annotated[
        StoreRole,
        typer.Option(
            "--as",
            metavar="reader|applier|contributor|deriver|certifier|anchor|admin",
            help="Grant what this kind of user needs.",
            rich_help_panel=INPUT,
        ),
    ],
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Give a role of a Postgres server the privileges it needs.

    All kinds read everything. An applier records applications, a contributor summaries, a deriver
    calibrations, a certifier certifications and rules; an admin all of these, and bundles. Use the
    address of the owner of the store. Repeat it after an upgrade.

    \b
    Example:
      calib db grant pipeline --as applier --dry-run
    """
    from calib.store.api import maintenance

    statements = maintenance.grant(store_location(ctx, store), role, kind, dry_run=dry_run)
    if as_json:
        view = {"role": role, "as": kind.value, "statements": [*statements], "stored": not dry_run}
        write_json(view)
    else:
        write("".join(f"{statement};\n" for statement in statements))
