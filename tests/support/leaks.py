"""Processes, sockets and files that a test leaves open fail its own file."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def nothing_left_open() -> Iterator[None]:
    """Collect garbage after each file of tests.

    What is part of a reference cycle warns that it was left open when the collector finds it. By
    itself the collector does so in any later test, which fails for it or not from run to run.
    """
    yield
    gc.collect()
