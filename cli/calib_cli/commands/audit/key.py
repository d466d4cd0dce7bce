"""calib audit key: make the keys that sign checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.options import AsJson
from calib_cli.output import write, write_json


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
