"""calib audit verify: compare every row with the log."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import is_other_store, open_store
from calib_cli.help import INPUT
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write_blocks, write_json

NOT_AS_RECORDED = 1


def verify(
    ctx: typer.Context,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Compare the log with this signed checkpoint, all in a folder or another store, a "
            "receipt or a report; this detects a log truncated or rewritten since.",
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
            metavar="HEAD",
            help="Compare the log with this head, as a report prints it (POSITION:HASH).",
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
    from calib.config.settings import read_settings
    from calib.flows.audit import verify as verified
    from calib.flows.shared.heads import signed_head
    from calib.report.log import audit_blocks, audit_view, head_facts, head_view

    with ExitStack() as stack:
        opened = stack.enter_context(open_store(ctx, store, read_only=True))
        place, file = None, None
        if checkpoint is not None and is_other_store(checkpoint):
            place = stack.enter_context(open_store(ctx, checkpoint, read_only=True))
        elif checkpoint is not None:
            file = Path(checkpoint)
        done = verified(opened, file, public_key, head, place, read_settings().timestamp_roots)
        now = head_view(signed_head(opened))
    view = audit_view(
        done.audit,
        done.checkpoint,
        n_checkpoints=done.n_checkpoints,
        compromised=done.compromised,
        signed=done.signed,
        compared=done.head,
        timestamps=done.timestamps,
    )
    view["log_head"] = now
    if as_json:
        write_json(view)
    else:
        write_blocks([*audit_blocks(view), head_facts(now)])
    if done.audit.findings:
        raise typer.Exit(NOT_AS_RECORDED)
