"""calib audit rotate: replace the key that signs checkpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.help import INPUT
from calib_cli.options import AsJson, Reason
from calib_cli.output import notify, write, write_json


def rotate(
    reason: Reason,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="Replace this private key.",
            show_default="the key of calib audit key",
            rich_help_panel=INPUT,
        ),
    ] = None,
    compromised_since: Annotated[
        str | None,
        typer.Option(
            "--compromised-since",
            metavar="TIME",
            help="Trust no checkpoint of the replaced key: others may have it since then (UTC).",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replace the key that signs checkpoints.

    The history FILE.keys records both keys; give it to those who verify. The replaced key endorses
    the new one, unless it is compromised. Make a checkpoint with the new key afterwards.

    \b
    Example:
      calib audit rotate --reason "yearly"
    """
    from calib.flows.audit import rotate as rotated
    from calib.report.keys import keys_view

    done = rotated(key, reason, compromised_since, datetime.now(UTC))
    if as_json:
        retired = None if done.retired is None else str(done.retired)
        write_json(
            {
                "private_key": str(done.private),
                "retired_key": retired,
                **keys_view(done.history, done.keys.keys, None),
            }
        )
        return
    write(f"{done.private}\n{done.history}\n")
    if done.retired is not None:
        notify(f"The replaced key is {done.retired}; delete it when nothing needs it any more.")
