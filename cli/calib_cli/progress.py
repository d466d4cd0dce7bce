"""The progress of a derivation, on stderr where a person looks."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator

from calib_cli.output import is_coloured

_STAGES = {
    "reading": "Reading files",
    "rigid": "Placing detector and crystals",
    "approach": "Refining panels on a part of the data",
    "panels": "Refining panels",
    "crystals": "Refining crystals that change",
    "testing": "Testing on held-out reflections",
    "leaving out": "Leaving each dataset out",
    "storing": "Storing",
}

DeriveProgress = Callable[[str, int, float, int, int], None]


@contextlib.contextmanager
def derive_progress() -> Iterator[DeriveProgress | None]:
    """What to call with stage, iteration, RMSD in px, and datasets done of how many.

    None where nobody looks. The bar goes when the work is done.
    """
    if not is_coloured(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f} of {task.total:.0f} datasets"),
        TextColumn("{task.fields[numbers]}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("Starting", total=1, numbers="")
        passing, begun = "", time.monotonic()

        def tell(stage: str, iteration: int, rmsd_px: float, done: int, total: int) -> None:
            nonlocal passing, begun
            if passing != f"{stage} {iteration}":
                passing, begun = f"{stage} {iteration}", time.monotonic()
            said = _numbers(iteration, rmsd_px) + _pace(time.monotonic() - begun, done, total)
            bars.update(
                task,
                description=_STAGES.get(stage, stage),
                completed=done,
                total=max(total, 1),
                numbers=", ".join(said),
            )

        yield tell


def _numbers(iteration: int, rmsd_px: float) -> list[str]:
    said = [f"iteration {iteration}"] if iteration else []
    if math.isfinite(rmsd_px):
        said.append(f"RMSD {rmsd_px:.3f} px")
    return said


def _pace(seconds: float, done: int, total: int) -> list[str]:
    """Datasets a second and the time left, once some of this pass are done and some are not."""
    if not 1 < done < total or seconds <= 0.0:
        return []
    # The clock of a pass begins with its first dataset, which is done then.
    rate = (done - 1) / seconds
    return [f"{rate:.3g} datasets/s", f"{math.ceil((total - done) / rate)} s left of this pass"]
