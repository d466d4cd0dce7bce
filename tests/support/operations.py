"""Operations of executors that tests send to other processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from calib.errors import SolveError
from calib.model.experiment.dataset import Dataset


def given(*states: int) -> list[int]:
    """A loader of plain numbers."""
    return list(states)


def given_dataset(dataset: Dataset) -> list[Dataset]:
    """A loader of one dataset that is there already."""
    return [dataset]


def added(state: int, *terms: int) -> tuple[int, int]:
    """The state with terms added."""
    return state + sum(terms), state + sum(terms)


def added_or_died(state: int, term: int, mark: Path) -> tuple[int, int]:
    """The same; the first process to come to the state 5 dies instead."""
    if state == 5 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return added(state, term)


def died(state: int) -> tuple[int, int]:
    """Nothing comes back."""
    os.kill(os.getpid(), signal.SIGKILL)
    return state, state


def refused(state: int) -> tuple[int, int]:
    """An error with everything an error can have."""
    raise SolveError("no-good", f"{state} is no good.", place="here", remedy="another.")


def pid(state: int) -> tuple[int, int]:
    """Who holds this state."""
    return state, os.getpid()
