"""calib audit verify: compare every row with the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.help import INPUT
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json

NOT_AS_RECORDED = 1


def verify(
    ctx: typer.Context,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Compare the log with this signed checkpoint, all in a folder, a receipt or a "
            "report; this detects a log truncated or rewritten since.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            metavar="FILE",
            help="Verify signatures with this public key or history of keys.",
            show_default="those of calib audit key",
            rich_help_panel=INPUT,
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="POSITION:HASH",
            help="Compare the log with this head, as a report prints it.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Compare every row and artifact with the log.

    Exits with 1 if anything was edited, deleted, inserted or reordered. A log whose latest entries
    were all removed is only detected with a checkpoint.

    \b
    Example:
      calib audit verify
    """
    from calib.flows.audit import verify as verified
    from calib.flows.shared.heads import signed_head
    from calib.report.log import audit_blocks, audit_view, head_facts, head_view

    with open_store(ctx, store, read_only=True) as opened:
        done = verified(opened, checkpoint, public_key, head)
        now = head_view(signed_head(opened))
    view = audit_view(
        done.audit,
        done.checkpoint,
        n_checkpoints=done.n_checkpoints,
        compromised=done.compromised,
        signed=done.signed,
        compared=done.head,
    )
    view["log_head"] = now
    if as_json:
        write_json(view)
    else:
        write_blocks([*audit_blocks(view), head_facts(now)])
    if done.audit.findings:
        raise typer.Exit(NOT_AS_RECORDED)
