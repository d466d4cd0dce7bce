"""The executor of the datasets of a derivation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calib.errors import InputError
from calib.files.dials.format import DialsFiles
from calib.files.dials.pairs import Pair
from calib.files.dials.refl_header import TableIndex
from calib.flows.shared.datasets import executor_for
from calib.solve.parallel.executor import LocalExecutor
from calib.solve.parallel.processes import ProcessExecutor


@pytest.mark.parametrize(
    ("workers", "scheduler", "code"),
    [
        (-1, None, "bad-workers"),
        (1000, None, "bad-workers"),
        (2, "tcp://a:1", "workers-and-scheduler"),
    ],
)
def test_an_impossible_number_of_workers_is_refused(
    workers: int, scheduler: str | None, code: str
) -> None:
    with pytest.raises(InputError) as caught:
        executor_for(workers, scheduler, [])
    assert caught.value.code == code


def test_worker_processes_are_used_where_files_are_many_and_large() -> None:
    def pair(n_rows: int) -> DialsFiles:
        index = TableIndex(1, n_rows, {}, {})
        own = Pair(Path("a.expt"), None, Path("a.refl"), index, "a")  # type: ignore[arg-type]
        return DialsFiles(own)

    for pairs, used in (
        ([pair(10_000_000)], LocalExecutor),
        ([pair(10_000)] * 10, LocalExecutor),
        (
            [pair(1_000_000)] * 10,
            ProcessExecutor if len(os.sched_getaffinity(0)) > 1 else LocalExecutor,
        ),
    ):
        with executor_for(None, None, pairs) as executor:
            assert type(executor) is used
