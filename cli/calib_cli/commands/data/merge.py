"""calib merge: make one panel of the modules of a detector."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.commands.data.conversion import (
    Files,
    LayoutName,
    OutputFile,
    ReflectionsOutput,
    paths_of,
    write_result,
)
from calib_cli.help import ADVANCED
from calib_cli.options import AsJson, DryRun, Force


def merge(
    paths: Files,
    output: OutputFile = None,
    reflections_output: ReflectionsOutput = None,
    layout: LayoutName = None,
    drop_correction: Annotated[
        bool,
        typer.Option(
            "--drop-correction",
            help="Merge panels that are not at their nominal positions, too.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make one panel of the modules of a flat detector.

    Undoes calib split: for reflections that it kept, the result is exact.

    \b
    Example:
      calib merge imported.expt
    """
    from calib.flows.layouts.split import SplitRequest
    from calib.flows.layouts.split import merge as merge_experiments

    expt, refl, target = paths_of(paths, output, reflections_output, "merged")
    request = SplitRequest(
        expt,
        target,
        refl,
        reflections_output,
        layout=layout,
        drop_correction=drop_correction,
        force=force,
    )
    done = merge_experiments(request, dry_run=dry_run)
    write_result(done, paths, as_json=as_json, dry_run=dry_run)
