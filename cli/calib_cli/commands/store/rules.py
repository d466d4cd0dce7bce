"""calib db rules: the rules of the store."""

from __future__ import annotations

import typer

from calib_cli.context import open_store
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json


def rules(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Show the rules for the users of the store.

    \b
    Example:
      calib db rules
    """
    from calib.flows.rules import rules_in_force
    from calib.report.maintenance import rule_blocks, rules_view

    with open_store(ctx, store, read_only=True) as opened:
        view = rules_view(rules_in_force(opened), opened.rules.list())
    if as_json:
        write_json(view)
    else:
        write_blocks(rule_blocks(view))
