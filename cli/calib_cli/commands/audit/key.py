"""calib audit key: make the keys that sign checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.help import OUTPUT
from calib_cli.options import AsJson
from calib_cli.output import write, write_json


def key(
    output: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Write the private key to this file.",
            show_default="in your settings folder",
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create the key pair that signs checkpoints.

    Keep the private key to yourself; give the public key (FILE.pub) to those who verify.

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
