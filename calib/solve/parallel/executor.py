"""Executors: apply operations to datasets in this process, in worker processes or on a cluster.

A derivation from many datasets is a sequence of steps that apply an operation to each dataset and
combine the results. An ``Operation`` is a module-level function ``(item, *arguments) -> (item,
result)`` without side effects. The item stays where the dataset is held, and only the small result
is returned. An item that is lost with its process is recomputed by repeating the operations.
Results are returned in the order of the datasets, so that sums are the same to the last bit on
every executor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

Item = Any
"""The value held for a dataset: first a ``Dataset``, later a ``DatasetState``."""
Operation = Callable[..., tuple[Item, Any]]
Loader = Callable[[], Sequence[Item]]
"""Returns the items of one or several datasets, such as those in a pair of files."""


class Executor(ABC):
    """Holds n datasets in a fixed order and applies operations to them."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of datasets."""

    @abstractmethod
    def load(
        self, loaders: Sequence[Loader], progress: Callable[[int], None] | None = None
    ) -> None:
        """Append the datasets of the loaders, in order; exceptions of the loaders are raised here.

        ``progress`` is called with the number of loaders done.
        """

    @abstractmethod
    def select(self, order: Sequence[int]) -> None:
        """Keep the datasets with these indices, in this order, and drop the others."""

    @abstractmethod
    def imap(
        self,
        operation: Operation,
        *shared: Any,
        each: Sequence[tuple[Any, ...]] | None = None,
    ) -> Iterator[Any]:
        """Results of ``operation(item, *shared, *each[i])``, in order, as an iterator.

        The iterator must be exhausted: the operation may not have been applied to datasets whose
        results were not taken. Exceptions of the operation are raised here.
        """

    @abstractmethod
    def close(self) -> None:
        """Release all datasets and processes; the executor cannot be used afterwards."""

    def map(
        self,
        operation: Operation,
        *shared: Any,
        each: Sequence[tuple[Any, ...]] | None = None,
    ) -> list[Any]:
        """List of all results of ``imap``."""
        return list(self.imap(operation, *shared, each=each))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalExecutor(Executor):
    """Holds the datasets in this process and processes them one after the other."""

    def __init__(self, items: Sequence[Item] = ()) -> None:
        self._items = list(items)

    def __len__(self) -> int:
        return len(self._items)

    def load(
        self, loaders: Sequence[Loader], progress: Callable[[int], None] | None = None
    ) -> None:
        for number, loader in enumerate(loaders, start=1):
            self._items += loader()
            if progress is not None:
                progress(number)

    def select(self, order: Sequence[int]) -> None:
        self._items = [self._items[place] for place in order]

    def imap(
        self,
        operation: Operation,
        *shared: Any,
        each: Sequence[tuple[Any, ...]] | None = None,
    ) -> Iterator[Any]:
        for place in range(len(self._items)):
            own = each[place] if each is not None else ()
            self._items[place], answer = operation(self._items[place], *shared, *own)
            yield answer

    def close(self) -> None:
        self._items = []
