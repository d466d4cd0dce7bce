"""Run cases, each in a process of its own where there are several."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter
from typing import Any

import calib
from benchmarks.truth.cases import Case
from benchmarks.truth.outcome import Outcome, failed, outcome_of
from benchmarks.truth.scenes import SERIAL, scene_of
from calib.files.writer import write_dataset


def run(case: Case) -> Outcome:
    """Simulate a case, derive it as a user does, from files, and compare with the truth."""
    began = perf_counter()
    scene = scene_of(case)
    options: dict[str, Any] = dict(case.options)
    with tempfile.TemporaryDirectory(prefix="calib-truth-") as name:
        folder = Path(name)
        files = [path for data in scene.datasets for path in write_dataset(data, folder)]
        store = folder / "calib.db"
        calib.Store.create(store)
        try:
            derived = calib.derive(
                files, store=store, by="truth", serial=SERIAL, force_serial=True, workers=0,
                **options,
            )  # fmt: skip
        except Exception as error:  # a defect of the solver is a row of the table as well
            return failed(case, error, perf_counter() - began)
    return outcome_of(case, scene, derived)


def run_all(cases: Sequence[Case], processes: int) -> Iterator[Outcome]:
    """The outcomes of all cases, in the order in which they end."""
    if processes <= 1:
        yield from map(run, cases)
        return
    with ProcessPoolExecutor(processes) as pool:
        waiting = [pool.submit(run, case) for case in cases]
        for done in as_completed(waiting):
            yield done.result()
