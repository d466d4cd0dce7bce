"""The progress of a derivation, on stderr if it is a terminal."""

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
    "approach": "Refining panels on a subset",
    "panels": "Refining panels",
    "crystals": "Refining scan-varying crystals",
    "testing": "Testing on held-out reflections",
    "leaving out": "Omitting each dataset in turn",
    "storing": "Storing",
}

DeriveProgress = Callable[[str, int, float, int, int], None]


@contextlib.contextmanager
def derive_progress() -> Iterator[DeriveProgress | None]:
    """Show a progress bar; yields a function that takes stage, iteration, RMSD in px, and the
    numbers of datasets done and in all.

    Yields None if stderr is not a terminal. The bar is removed at the end.
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
        current_pass, begun = "", time.monotonic()

        def report(stage: str, iteration: int, rmsd_px: float, done: int, total: int) -> None:
            nonlocal current_pass, begun
            is_new = current_pass != f"{stage} {iteration}"
            if is_new:
                current_pass, begun = f"{stage} {iteration}", time.monotonic()
            numbers = _numbers(iteration, rmsd_px) + _pace(time.monotonic() - begun, done, total)
            bars.update(
                task,
                description=_STAGES.get(stage, stage),
                completed=done,
                total=max(total, 1),
                numbers=", ".join(numbers),
                refresh=is_new,  # a stage shorter than the interval between refreshes is shown
            )

        yield report


def _numbers(iteration: int, rmsd_px: float) -> list[str]:
    numbers = [f"iteration {iteration}"] if iteration else []
    if math.isfinite(rmsd_px):
        numbers.append(f"RMSD {rmsd_px:.3f} px")
    return numbers


def _pace(seconds: float, done: int, total: int) -> list[str]:
    """Datasets per second and the time left of this pass, once some datasets are done."""
    if not 1 < done < total or seconds <= 0.0:
        return []
    # The clock of a pass starts when its first dataset is done.
    rate = (done - 1) / seconds
    return [f"{rate:.3g} datasets/s", f"{math.ceil((total - done) / rate)} s left of this pass"]
