"""calib audit: the log of every change, and whether the store is still what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.options import AsJson, Force, StorePlace
from calib_cli.output import say, write, write_blocks, write_json

app = typer.Typer(
    help="The log of every change, and its verification.\n\n\b\nExample:\n  calib audit log 24-0107"
)
NOT_AS_RECORDED = 1


@app.command("log")
def log(
    ctx: typer.Context,
    serial: Annotated[
        str | None,
        typer.Argument(metavar="[SERIAL]", help="This detector only.", show_default=False),
    ] = None,
    last: Annotated[
        int, typer.Option("--last", metavar="N", min=1, help="So many entries, the newest ones.")
    ] = 100,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, when, why and with which command.

    \b
    Example:
      calib audit log 24-0107
    """
    from calib.report.log import entry_view, log_table

    with open_store(ctx, store, read_only=True) as opened:
        views = [entry_view(entry) for entry in opened.log(serial, last)]
    if as_json:
        write_json(views)
        return
    if len(views) == last:
        say(f"The newest {last} entries; --last N shows more.")
    if views:
        write_blocks([log_table(views)])
    else:
        say("Nothing was recorded yet.")


@app.command("verify")
def verify(
    ctx: typer.Context,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="A signed checkpoint: reveals a log that was cut off or rewritten since.",
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            metavar="FILE",
            help="Of who signed the checkpoint. Default: the one of calib audit key.",
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Compare every row and artifact with the log.

    Finds anything edited, deleted, inserted or reordered; then the exit code is 1. A tail that was
    cut off whole is found with a checkpoint.

    \b
    Example:
      calib audit verify
    """
    from calib.flows.audit import verify as verified
    from calib.report.log import audit_blocks, audit_view

    with open_store(ctx, store, read_only=True) as opened:
        audit, known = verified(opened, checkpoint, public_key)
    view = audit_view(audit, known)
    if as_json:
        write_json(view)
    else:
        write_blocks(audit_blocks(view))
    if audit.findings:
        raise typer.Exit(NOT_AS_RECORDED)


@app.command("checkpoint")
def checkpoint(
    ctx: typer.Context,
    output: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write.", show_default=False)
    ],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="The private key to sign with. Default: the one of calib audit key.",
        ),
    ] = None,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Sign where the log stands.

    Keep the file away from the store; calib audit verify --checkpoint compares the log with it.

    \b
    Example:
      calib audit checkpoint today.checkpoint
    """
    from calib.flows.audit import make_checkpoint
    from calib.report.log import checkpoint_view

    with open_store(ctx, store, read_only=True) as opened:
        made = make_checkpoint(opened, key, output, datetime.now(UTC), force=force)
    view = checkpoint_view(made)
    if as_json:
        write_json({**view, "output": str(output)})
    else:
        write(f"{output}\n")
        say(f"Signed {view['n_chains']} chains up to position {view['last_position']}.")


@app.command("key")
def key(
    output: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="Where to write the private key. Default: in your settings folder.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the key pair that signs checkpoints.

    The private key stays with you; who verifies needs the public one (FILE.pub).

    \b
    Example:
      calib audit key
    """
    from calib.files.native.keys import default_key, make_keys

    private, public = make_keys(output or default_key())
    if as_json:
        write_json({"private_key": str(private), "public_key": str(public)})
    else:
        write(f"{private}\n{public}\n")
