"""Datasets, each where it lives: operations go to them, and only small answers come back.

A derivation from many datasets is a chain of steps "each dataset does something, the answers are
put together". An ``Operation`` is a function of a module ``(state, *arguments) -> (state,
answer)`` that changes nothing else: what it leaves of a dataset stays where it is, so that
datasets can live in this process, in others, or on other machines, and one that was lost there can
be made again by repeating the operations. Answers come in the order of the datasets, whoever
computed them, so that sums are the same to the last bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

Item = Any
"""What an operation leaves of a dataset: a ``Dataset`` first, a ``DatasetState`` later."""
Operation = Callable[..., tuple[Item, Any]]
Loader = Callable[[], Sequence[Item]]
"""Gives the first states of one or several datasets, such as those in a pair of files."""


class Executor(ABC):
    """n datasets in a certain order."""

    @abstractmethod
    def __len__(self) -> int:
        """How many datasets there are."""

    @abstractmethod
    def load(
        self, loaders: Sequence[Loader], progress: Callable[[int], None] | None = None
    ) -> None:
        """Add the datasets that the loaders give, in their order; what they raise is raised.

        ``progress`` is called with how many loaders are done.
        """

    @abstractmethod
    def select(self, order: Sequence[int]) -> None:
        """Go on with these datasets, by their places, in this order; others are dropped."""

    @abstractmethod
    def imap(
        self,
        operation: Operation,
        *shared: Any,
        each: Sequence[tuple[Any, ...]] | None = None,
    ) -> Iterator[Any]:
        """The answers of ``operation(state, *shared, *each[i])``, in order, one at a time.

        To be taken to the end: datasets whose answers were not taken may not have done it. What an
        operation raises is raised here.
        """

    @abstractmethod
    def close(self) -> None:
        """Let everything go; the fleet is of no use after that."""

    def map(
        self,
        operation: Operation,
        *shared: Any,
        each: Sequence[tuple[Any, ...]] | None = None,
    ) -> list[Any]:
        """All answers of ``imap``."""
        return list(self.imap(operation, *shared, each=each))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalExecutor(Executor):
    """Datasets in this process, one after the other."""

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
