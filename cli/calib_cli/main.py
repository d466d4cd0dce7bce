"""The program ``calib`` and its global options."""

from __future__ import annotations

import gc
import os
import signal
import sys
import warnings
from typing import Annotated

import typer

from calib.version import __version__
from calib_cli.context import WHILE_LOADING
from calib_cli.errors import TERMINATED
from calib_cli.output import notify, write
from calib_cli.process_title import hide_passwords
from calib_cli.program import Program

app = typer.Typer(
    name="calib",
    cls=Program,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def calib(
    ctx: typer.Context,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="STORE",
            help="Use this file or postgresql:// URL. [$CALIB_STORE]",
            show_default=False,
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Derive, certify and apply calibrations of multi-panel X-ray detectors.

    \b
    Example:
      calib derive night1.expt night1.refl --serial 24-0107
      calib certify 24-0107:1 --from 2026-03-01 --reason "after module swap"
      calib apply imported.expt -o calibrated.expt
    """
    if version:
        write(f"calib {__version__}\n")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        notify(ctx.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Run the program ``calib``."""
    hide_passwords()
    # Matrices are small: threads of the linear algebra would cost more than they gain, and results
    # would depend on their number. Takes effect only before numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Loaded modules stay: the garbage collector need not scan them while more are loaded.
    gc.set_threshold(WHILE_LOADING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # removes temporary files
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    app()
