"""calib demo: a complete example on simulated data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib.passwords import without_password
from calib_cli.context import stamp
from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import AsJson, By
from calib_cli.output import notify, write_blocks, write_json
from calib_cli.progress import derive_progress


def demo(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Write files and store to this folder.", rich_help_panel=OUTPUT
        ),
    ] = Path("calib-demo"),
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", help="Simulate another detector.", rich_help_panel=INPUT
        ),
    ] = 0,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Run a complete example on simulated data.

    Simulates crystals at 150 and 400 mm and a target at 265 mm; derives from one distance and from
    both, certifies, applies, and compares with the true corrections. Uses a store of its own.

    \b
    Example:
      calib demo
    """
    from time import perf_counter

    from calib.flows.demo import demo as run_demo
    from calib.report.demo import demo_blocks, demo_view

    begun = perf_counter()
    place = without_password(str(folder))
    notify(f"Simulating, deriving, certifying and applying in {place} (under a minute).")
    with derive_progress() as progress:
        done = run_demo(folder, stamp(by), seed=seed, progress=progress)
    view = demo_view(
        [(each.derived.record, each.derived.stored, each.errors) for each in done.derivations],
        distances_mm=(done.distance_before_mm, done.distance_after_mm),
        target_rmsd_px=dict(done.target_rmsd_px),
        outputs=[str(path) for path in done.applied.outputs],
        store=done.store,
        seconds=perf_counter() - begun,
    )
    if as_json:
        write_json(view)
    else:
        write_blocks(demo_blocks(view))
        notify(f"Next: calib list --store {done.store}")
