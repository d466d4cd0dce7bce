"""Executor with worker processes on this machine.

Each worker reads the files of its datasets and keeps their items. Results are summed in this
process, whose memory does not grow with the number of datasets. Operations are logged: a worker
that is lost, for instance because the machine ran out of memory, is restarted and repeats the
operations of its datasets.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

from calib.errors import StoreError
from calib.solve.parallel.executor import Executor, Loader, Operation

DatasetKey = tuple[int, int]
"""Number of a loader, and index among its datasets."""

_MOST_LOSSES = 2
"""Number of times that a worker may be lost with the same request."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A request to a worker."""

    worker: _Worker
    message: tuple[Any, ...]
    done: Callable[[], None]
    """Called when the worker has answered."""


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """An operation, with its arguments for each dataset that it was applied to."""

    operation: Operation
    arguments: dict[DatasetKey, tuple[Any, ...]]


class _Worker:
    """A worker process and its loaders."""

    def __init__(self) -> None:
        self.loaders: dict[int, Loader] = {}
        self.losses = 0
        self.start()

    def start(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            # The processes use all cores already, and sums are the same as in one process.
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
                [sys.executable, "-P", "-m", "calib.solve.parallel.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C in a terminal does not reach it
            )
        self.connection = Connection(ours.detach())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()

    def answer(self) -> Any:
        good, answer = self.connection.recv()
        if not good:
            raise answer
        return answer


class ProcessExecutor(Executor):
    """Holds datasets in ``n_workers`` processes, assigned in turn."""

    def __init__(self, n_workers: int) -> None:
        self._keys: list[DatasetKey] = []
        self._log: list[_Entry] = []
        self._n_loaders = 0
        self._workers: list[_Worker] = []
        try:
            for _ in range(n_workers):
                self._workers.append(_Worker())
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._keys)

    def load(
        self, loaders: Sequence[Loader], progress: Callable[[int], None] | None = None
    ) -> None:
        jobs, first = [], self._n_loaders
        for number, loader in enumerate(loaders, start=first):
            worker = self._worker_of(number)
            done = partial(worker.loaders.__setitem__, number, loader)
            jobs.append(_Job(worker, ("load", number, loader), done))
        self._n_loaders += len(loaders)
        for number, count in enumerate(self._answers(jobs), start=first):
            self._keys += [(number, place) for place in range(count)]
            if progress is not None:
                progress(number - first + 1)

    def select(self, order: Sequence[int]) -> None:
        kept = [self._keys[place] for place in order]
        dropped = sorted(set(self._keys) - set(kept))
        self._keys = kept
        jobs = [_Job(self._worker_of(b[0]), ("drop", b), lambda: None) for b in dropped]
        for _ in self._answers(jobs):
            pass

    def imap(
        self,
        operation: Operation,
        *shared: Any,
        each: Sequence[tuple[Any, ...]] | None = None,
    ) -> Iterator[Any]:
        entry = _Entry(operation, {})
        self._log.append(entry)
        jobs = []
        for place, key in enumerate(self._keys):
            arguments = (*shared, *(each[place] if each is not None else ()))
            message = ("do", key, operation, arguments)
            done = partial(entry.arguments.__setitem__, key, arguments)
            jobs.append(_Job(self._worker_of(key[0]), message, done))
        yield from self._answers(jobs)

    def close(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []

    def _worker_of(self, loader: int) -> _Worker:
        return self._workers[loader % len(self._workers)]

    def _answers(self, jobs: Sequence[_Job]) -> Iterator[Any]:
        """Answers in the order of the jobs; each worker processes its own jobs in this order."""
        waiting: dict[_Worker, deque[int]] = {}
        for place, job in enumerate(jobs):
            waiting.setdefault(job.worker, deque()).append(place)
        for worker, places in waiting.items():
            self._ask(jobs[places[0]], worker)
        ready: dict[int, tuple[bool, Any]] = {}
        for place in range(len(jobs)):
            while place not in ready:
                busy = [worker for worker, places in waiting.items() if places]
                answered = wait([worker.connection for worker in busy])
                for worker in [worker for worker in busy if worker.connection in answered]:
                    job = jobs[waiting[worker][0]]
                    try:
                        good, answer = worker.connection.recv()
                    except (EOFError, ConnectionError):
                        self._restore(worker, job)
                        continue
                    worker.losses = 0
                    if good:
                        job.done()
                    ready[waiting[worker].popleft()] = good, answer
                    if waiting[worker]:
                        self._ask(jobs[waiting[worker][0]], worker)
            good, answer = ready.pop(place)
            if not good:  # in order, so that the same error is raised whichever worker is faster
                raise answer
            yield answer

    def _ask(self, job: _Job, worker: _Worker) -> None:
        try:
            worker.connection.send(job.message)
        except ConnectionError:
            self._restore(worker, job)

    def _restore(self, worker: _Worker, job: _Job) -> None:
        """Restart a lost worker, repeat its operations, and send the request again."""
        while True:
            worker.end()
            worker.losses += 1
            if worker.losses > _MOST_LOSSES:
                raise StoreError(
                    "worker-lost",
                    f"a worker process was lost {worker.losses} times at the same place "
                    f"(exit {worker.process.returncode}).",
                    remedy="fewer --workers, if the memory of this machine ran out.",
                )
            worker.start()
            try:
                self._repeat(worker)
                worker.connection.send(job.message)
            except (EOFError, ConnectionError):
                continue
            return

    def _repeat(self, worker: _Worker) -> None:
        for number, loader in worker.loaders.items():
            worker.connection.send(("load", number, loader))
            worker.answer()
        living = set(self._keys)
        for entry in self._log:
            for key, arguments in entry.arguments.items():
                if key[0] in worker.loaders and key in living:
                    worker.connection.send(("do", key, entry.operation, arguments))
                    worker.answer()
