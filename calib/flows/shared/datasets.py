"""Load the datasets of a derivation into an executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from calib.errors import InputError
from calib.files.reader import DataFiles
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import Detector
from calib.model.experiment.pose import DetectorPose
from calib.solve.parallel.executor import Executor, LocalExecutor
from calib.solve.parallel.threads import n_cores

_MOST_WORKERS = 256
_WORTH_WORKERS = 2_000_000
"""From this number of reflections on, starting worker processes pays."""


def executor_for(
    workers: int | None, scheduler: str | None, pairs: Sequence[DataFiles]
) -> Executor:
    """An empty executor: with this number of worker processes, or on the Dask cluster of a
    ``scheduler``.

    None: one process per core where there are several large files, else 0, which runs everything
    in this process. Raises ``InputError`` for another number, or where no scheduler answers.
    """
    if scheduler is not None:
        return _on_cluster(scheduler, workers)
    if workers is None:
        n_rows = sum(pair.n_reflections for pair in pairs)
        workers = min(n_cores(), len(pairs)) if n_rows >= _WORTH_WORKERS else 0
        workers = workers if workers > 1 else 0
    if not 0 <= workers <= _MOST_WORKERS:
        raise InputError(
            "bad-workers",
            f"{workers} worker processes are not possible.",
            remedy=f"give a number from 0 (run in this process) to {_MOST_WORKERS}.",
        )
    if not workers:
        return LocalExecutor()
    from calib.solve.parallel.processes import ProcessExecutor

    return ProcessExecutor(min(workers, len(pairs)))


def _on_cluster(scheduler: str, workers: int | None) -> Executor:
    if workers is not None:
        raise InputError(
            "workers-and-scheduler",
            "--workers starts processes on this machine, but --scheduler names a cluster.",
            remedy="give only one of the two.",
        )
    try:
        from calib.solve.parallel.dask import DaskExecutor
    except ImportError as error:
        raise InputError(
            "no-dask",
            f"a cluster needs Dask, which is not installed ({error.name}).",
            remedy='pip install "calib-metrology[dask]"',
        ) from error
    return DaskExecutor(scheduler)


def load_datasets(
    executor: Executor, pairs: Sequence[DataFiles], progress: Callable[[int], None]
) -> list[Dataset]:
    """Read the datasets of all files in the executor, and return their headers.

    They are sorted by the hashes of their files, here and in the executor, so that results do not
    depend on the order of arguments.
    """
    executor.load([pair.loader() for pair in pairs], progress)
    headers: list[Dataset] = executor.map(_header)
    names = [(header.source.sha256, header.name) for header in headers]
    order = sorted(range(len(headers)), key=names.__getitem__)
    executor.select(order)
    return [headers[place] for place in order]


def reordered(data: Dataset, place: DetectorPose) -> tuple[Dataset, None]:
    """The dataset with its panels in the order of the layout; an operation for executors."""
    if place.order == tuple(range(len(place.order))):
        return data, None
    number = np.argsort(np.array(place.order))
    old = data.detector
    order = list(place.order)
    sensors = replace(
        old.sensors,
        parallax=old.sensors.parallax[order],
        mu_per_mm=old.sensors.mu_per_mm[order],
        thickness_mm=old.sensors.thickness_mm[order],
    )
    detector: Detector = replace(
        old,
        panels=tuple(old.panels[k] for k in order),
        frames=old.frames.taken(order),
        sensors=sensors,
    )
    reflections = replace(data.reflections, panel=number[data.reflections.panel])
    return replace(data, detector=detector, reflections=reflections), None


def _header(data: Dataset) -> tuple[Dataset, Dataset]:
    return data, data.header()
