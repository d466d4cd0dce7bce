"""calib annotate: write the calibrations of experiments into the history of an MTZ file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import AsJson, Force
from calib_cli.output import write, write_json


def annotate(
    mtz: Annotated[
        Path,
        typer.Argument(
            metavar="MTZ",
            help="Reflections made from these experiments.",
            show_default=False,
            readable=False,
            rich_help_panel=INPUT,
        ),
    ],
    experiments: Annotated[
        Path,
        typer.Argument(
            metavar="EXPT",
            help="The experiments, as calib apply wrote them or with a history.",
            show_default=False,
            readable=False,
            rich_help_panel=INPUT,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file.",
            show_default=False,
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write the calibrations used into an MTZ file.

    Each is a line of its history, at most 80 characters long, which calib explain reads.

    \b
    Example:
      calib annotate scaled.mtz calibrated.expt -o annotated.mtz
    """
    from calib.flows.exchange.explain import annotate as annotated

    lines = annotated(mtz, experiments, output, force=force)
    if as_json:
        write_json({"output": str(output), "history": list(lines)})
    else:
        write(f"{output}\n")
