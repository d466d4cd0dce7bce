"""Datasets give the same answers wherever they live, and whatever happens to who holds them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster

from calib.errors import CalibError, InputError, SolveError, StoreError
from calib.solve.datasets import solve_datasets
from calib.solve.panels.solution import Solution
from calib.solve.parallel import worker
from calib.solve.parallel.dask import DaskExecutor
from calib.solve.parallel.executor import Executor, LocalExecutor
from calib.solve.parallel.processes import ProcessExecutor
from support.children import environment
from support.operations import (
    added,
    added_or_died,
    died,
    given,
    given_dataset,
    pid,
    refused,
)
from support.scenes import options, quiet, three_scans

EXECUTORS: list[Callable[[], Executor]] = [
    LocalExecutor,
    partial(ProcessExecutor, 1),
    partial(ProcessExecutor, 3),
]


@pytest.fixture(params=EXECUTORS, ids=["local", "one worker", "three workers"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with request.param() as made:
        made.load([partial(given, 1, 2), partial(given), partial(given, 3), partial(given, 4, 5)])
        yield made


@pytest.fixture
def workers() -> Iterator[ProcessExecutor]:
    with ProcessExecutor(2) as made:
        made.load([partial(given, k) for k in range(8)])
        yield made


def test_answers_come_in_the_order_of_the_datasets(executor: Executor) -> None:
    assert len(executor) == 5
    assert executor.map(added, 10) == [11, 12, 13, 14, 15]
    assert executor.map(added, 0, each=[(100,), (200,), (300,), (400,), (500,)]) == [
        111, 212, 313, 414, 515,
    ]  # fmt: skip


def test_selected_datasets_stay_in_the_order_selected(executor: Executor) -> None:
    executor.select([4, 0, 2])
    assert executor.map(added, 10) == [15, 11, 13]
    executor.select([1])
    assert executor.map(added, 0) == [11]


def test_what_an_operation_raises_arrives_as_it_is(executor: Executor) -> None:
    with pytest.raises(SolveError) as caught:
        executor.map(refused)
    error = caught.value
    assert (error.code, error.problem, error.place, error.remedy) == (
        "no-good", "1 is no good.", "here", "another.",
    )  # fmt: skip


def kinds(root: type[CalibError]) -> list[type[CalibError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in kinds(child))]


@pytest.mark.parametrize("kind", kinds(CalibError))
def test_every_error_survives_the_way_between_processes(kind: type[CalibError]) -> None:
    sent = pickle.dumps(kind("code", "problem.", place="place", remedy="remedy."))
    error = pickle.loads(sent)  # noqa: S301 - written a line above
    assert type(error) is kind
    assert (error.code, error.problem, error.place, error.remedy) == (
        "code", "problem.", "place", "remedy.",
    )  # fmt: skip


def test_a_lost_worker_does_again_what_it_had_done(
    workers: ProcessExecutor, tmp_path: Path
) -> None:
    assert workers.map(added, 1) == list(range(1, 9))
    holders = workers.map(pid)
    assert workers.map(added_or_died, 1, tmp_path / "died") == list(range(2, 10))
    assert (tmp_path / "died").exists()
    assert len(set(holders) & set(workers.map(pid))) == 1
    assert workers.map(added, 1) == list(range(3, 11))


def test_a_worker_that_dies_between_operations_is_started_again(workers: ProcessExecutor) -> None:
    workers.map(added, 1)
    workers.select([7, 6, 5, 4])
    os.kill(workers.map(pid)[0], signal.SIGKILL)
    time.sleep(0.1)
    assert workers.map(added, 1) == [9, 8, 7, 6]


def test_a_worker_that_is_lost_again_and_again_is_given_up(workers: ProcessExecutor) -> None:
    with pytest.raises(StoreError, match="lost 3 times at the same place") as caught:
        workers.map(died)
    assert caught.value.exit_code == 3


def test_a_closed_executor_leaves_no_process() -> None:
    with ProcessExecutor(2) as executor:
        executor.load([partial(given, 1), partial(given, 2)])
        pids = executor.map(pid)
        assert all(Path(f"/proc/{one}").exists() for one in pids)
    assert not any(Path(f"/proc/{one}").exists() for one in pids)


def derivation(executor: Executor) -> Solution:
    """Three small scans at two distances, by any executor."""
    layout, scans = three_scans()
    executor.load([partial(given_dataset, scan) for scan, _ in scans])
    return solve_datasets(executor, [pose for _, pose in scans], layout, options(), quiet)


def test_a_derivation_is_the_same_to_the_last_bit_wherever_its_datasets_live() -> None:
    here = derivation(LocalExecutor())
    with ProcessExecutor(2) as workers:
        there = derivation(workers)
    assert np.array_equal(here.estimate.correction.values, there.estimate.correction.values)
    assert np.array_equal(here.estimate.covariance, there.estimate.covariance)
    assert here.report == there.report
    assert len(here.report.datasets) == 3


def test_a_worker_looks_twice_a_second_for_its_parent_and_ends_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parents, slept, exits = iter((7, 7, 1)), list[float](), list[int]()
    monkeypatch.setattr("calib.solve.parallel.worker.os.getppid", lambda: next(parents))
    monkeypatch.setattr("calib.solve.parallel.worker.os._exit", exits.append)
    monkeypatch.setattr("calib.solve.parallel.worker.time.sleep", slept.append)
    worker._end_with(7)
    assert slept == [0.5, 0.5]
    assert exits == [1]


def test_a_worker_holds_what_it_loaded_until_it_is_dropped() -> None:
    items: dict[tuple[int, int], int] = {}
    assert worker._done(items, "load", [3, partial(given, 4, 5)]) == 2
    assert items == {(3, 0): 4, (3, 1): 5}
    assert worker._done(items, "drop", [(3, 0)]) is None
    assert items == {(3, 1): 5}
    assert worker._done(items, "do", [(3, 1), added, (10,)]) == 15
    assert items == {(3, 1): 15}


def test_a_cluster_keeps_the_order_of_its_datasets_and_counts_them() -> None:
    done: list[int] = []
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        DaskExecutor(cluster.scheduler_address) as held,
    ):
        assert len(held) == 0
        held.load([partial(given, 1, 2), partial(given), partial(given, 3)], done.append)
        assert len(held) == 3
        assert held.map(added, 10, each=[(100,), (200,), (300,)]) == [111, 212, 313]
        held.select([2, 0])
        assert len(held) == 2
        assert held.map(added, 0) == [313, 111]
    assert done == [1, 2, 3]


def test_a_scheduler_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calib.solve.parallel.dask._CONNECT_S", 0.2)
    with pytest.raises(InputError, match="no Dask scheduler answers at"):
        DaskExecutor("tcp://127.0.0.1:9")


def test_a_failed_connection_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calib.solve.parallel.dask._CONNECT_S", 0.2)
    before = set(threading.enumerate())
    with pytest.raises(InputError):
        DaskExecutor("tcp://127.0.0.1:9")
    started = set(threading.enumerate()) - before
    assert "IO loop" not in {thread.name for thread in started}


@pytest.mark.parametrize("scheduler", ["", "nowhere", "tcp://host", "tcp://host:port", "a b:8786"])
def test_what_is_no_address_of_a_scheduler_is_not_waited_for(scheduler: str) -> None:
    with pytest.raises(InputError, match="is no address of a Dask scheduler"):
        DaskExecutor(scheduler)


def test_a_derivation_on_a_cluster_ends_right_though_a_worker_is_killed() -> None:
    """To the last bit, the killed worker's datasets made again by the other one."""
    here = derivation(LocalExecutor()).estimate
    program = Path(__file__).parents[1] / "support" / "cluster.py"
    done = subprocess.run(
        [sys.executable, program],
        env={**environment(), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Restarting worker" in done.stderr
    correction, covariance = (np.frombuffer(bytes.fromhex(x)) for x in done.stdout.split())
    assert np.array_equal(correction, here.correction.values.ravel())
    assert np.array_equal(covariance, here.covariance.ravel())
