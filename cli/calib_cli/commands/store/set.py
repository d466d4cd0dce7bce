"""calib db set: set a rule of the store."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.completion import complete_rule, complete_yes_or_no
from calib_cli.context import open_store, stamp
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, StorePlace
from calib_cli.output import write, write_json


def set_rule(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="RULE",
            help="demand-actor: certify and withdraw require a name.",
            rich_help_panel=INPUT,
            autocompletion=complete_rule,
        ),
    ],
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE",
            help="yes or no.",
            rich_help_panel=INPUT,
            autocompletion=complete_yes_or_no,
        ),
    ],
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Set a rule for the users of the store.

    With demand-actor, certify and withdraw require a name (--by or CALIB_ACTOR), since a login may
    be shared by several people. Changes of rules are recorded in the log.

    \b
    Example:
      calib db set demand-actor yes
    """
    from calib.flows.rules import set_rule as set_in

    with open_store(ctx, store, read_only=dry_run) as opened:
        new = set_in(opened, name, value, stamp(by), dry_run=dry_run)
    if as_json:
        write_json({"rule": name, "value": value, "new": new, "stored": not dry_run})
    elif not new:
        write(f"{name} is already {value}; nothing was changed.\n")
    else:
        write(f"{'Would set' if dry_run else 'Set'} {name} to {value}.\n")
