"""Executor on an existing Dask cluster.

Each dataset is a chain of tasks, one for each operation, whose result is the pair of state and
answer; only answers are fetched. The scheduler knows how each result was computed, so that
the datasets of a lost worker are recomputed by another one, from reading the files on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from calib.errors import InputError, StoreError
from calib.solve.parallel.executor import Executor, Loader, Operation

_CONNECT_S = 10
_ADDRESS = re.compile(r"(?:[a-z]+://)?[^\s/]+:[0-9]{1,5}/?")
_REMEDY = "--scheduler tcp://HOST:PORT, as dask scheduler printed it."


class DaskExecutor(Executor):
    """Holds datasets on the workers of one cluster, which must be able to read the files."""

    def __init__(self, scheduler: str) -> None:
        if _ADDRESS.fullmatch(scheduler) is None:  # a client would wait, then print a traceback
            raise InputError(
                "no-scheduler", f"{scheduler!r} is no address of a Dask scheduler.", remedy=_REMEDY
            )
        try:
            self._client = _Client(  # type: ignore[no-untyped-call]
                scheduler, timeout=_CONNECT_S, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise InputError(
                "no-scheduler",
                f"no Dask scheduler answers at {scheduler} ({type(error).__name__}).",
                remedy=_REMEDY,
            ) from error
        self._places: list[Future[Any]] = []

    def __len__(self) -> int:
        return len(self._places)

    def load(
        self, loaders: Sequence[Loader], progress: Callable[[int], None] | None = None
    ) -> None:
        loaded = [self._client.submit(_load, loader, pure=False) for loader in loaders]
        counts = [self._client.submit(len, items, pure=False) for items in loaded]
        for number, (items, count) in enumerate(zip(loaded, counts, strict=True), start=1):
            self._places += [
                self._client.submit(_item_at, items, place, pure=False)
                for place in range(self._answer(count))
            ]
            if progress is not None:
                progress(number)

    def select(self, order: Sequence[int]) -> None:
        self._places = [self._places[place] for place in order]

    def imap(
        self,
        operation: Operation,
        *shared: Any,
        each: Sequence[tuple[Any, ...]] | None = None,
    ) -> Iterator[Any]:
        # A task as well: a scattered value would be lost with the worker that holds it.
        given = self._client.submit(_arguments, shared, pure=False)
        self._places = [
            self._client.submit(
                _apply, held, operation, given, each[place] if each else (), pure=False
            )
            for place, held in enumerate(self._places)
        ]
        answers = [self._client.submit(_answer_of, held, pure=False) for held in self._places]
        while answers:
            yield self._answer(answers.pop(0))

    def close(self) -> None:
        self._places = []
        self._client.close()  # type: ignore[no-untyped-call]

    @staticmethod
    def _answer(future: Future[Any]) -> Any:
        try:
            return future.result()
        except KilledWorker as error:
            raise StoreError(
                "worker-lost",
                f"workers of the cluster were lost again and again ({error}).",
                remedy="workers with more memory, or fewer threads each.",
            ) from error


class _Client(Client):
    """A client that ends the thread of its event loop when it cannot connect."""

    def start(self, **kwargs: Any) -> None:
        try:
            super().start(**kwargs)  # type: ignore[no-untyped-call]
        except BaseException:
            self._loop_runner.stop()  # type: ignore[no-untyped-call]
            raise


def _arguments(shared: tuple[Any, ...]) -> tuple[Any, ...]:
    return shared


def _load(loader: Loader) -> Sequence[Any]:
    return loader()


def _item_at(items: Sequence[Any], place: int) -> tuple[Any, None]:
    return items[place], None


def _apply(
    held: tuple[Any, Any], operation: Operation, shared: tuple[Any, ...], own: tuple[Any, ...]
) -> tuple[Any, Any]:
    return operation(held[0], *shared, *own)


def _answer_of(held: tuple[Any, Any]) -> Any:
    return held[1]
