"""Values at and beyond the limits of every reader, and places in JSON to put them."""

from __future__ import annotations

import contextlib
import copy
import faulthandler
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from support.commands import Answer, calib

NUMBERS: tuple[Any, ...] = (
    0, -1, 0.0, -0.0, 1e308, -1e308, 1e155, -1e155, 1e20, 1e-300, 5e-324,
    float("nan"), float("inf"), float("-inf"),
    2**31 - 1, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, -(2**63), 10**400,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, "", "x", [], {}, [1e308], "a\x1b[2J", "-rf", "a" * 300)
TIMES = (
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00+00:00",
    "1899-12-31T23:59:59+00:00",
    "2200-01-01T00:00:01+00:00",
    "9999-12-31T23:59:59.999999-12:00",
    "2026-03-01",
)
PATIENCE_S = 300.0
"""A command that takes longer hangs. Linear algebra is deaf to signals, so the process ends."""


def few(n: int) -> settings:
    """A few examples in the default profile, and twenty times as many in the long one; files of an
    example are overwritten by the next."""
    return settings(
        max_examples=max(1, n * settings().max_examples // 50),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """End the test process with a traceback if the block does not end."""
    faulthandler.dump_traceback_later(PATIENCE_S, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def answered(*words: object) -> Answer:
    """Run a command, which must end with an answer or an error that helps, and in time."""
    with patience():
        answer = calib(*words, "--json")
    assert answer.code in {0, 1, 2, 3}, answer
    assert "Traceback" not in answer.stderr
    if answer.code:
        error = answer.stderr.splitlines()
        drafted = answer.code == 1 and answer.stdout
        assert drafted or answer.error["problem"], error
    return answer


def leaves(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in JSON that is neither an object nor a list."""
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def with_leaf(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the content with another value at a path."""
    out = copy.deepcopy(content)
    place = out
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return out


ANY_NUMBER = st.sampled_from(NUMBERS)
ANYTHING = st.sampled_from((*NUMBERS, *OTHERS, *TIMES))
