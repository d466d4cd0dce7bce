"""Threads: the same answers in the same order, however many there are."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from calib.solve.parallel.threads import in_order, n_threads


@pytest.fixture(params=["1", "4"])
def some_threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    limit: str = request.param
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    return limit


def test_answers_come_in_the_order_of_the_parts(some_threads: str) -> None:
    assert n_threads() == int(some_threads)
    assert list(in_order(lambda part: part**2, range(50))) == [k**2 for k in range(50)]


@pytest.mark.usefixtures("some_threads")
def test_of_several_errors_the_first_part_s_is_raised() -> None:
    def fails(part: int) -> int:
        if part in (2, 3):
            raise ValueError(str(part))
        return part

    with pytest.raises(ValueError, match="2"):
        list(in_order(fails, range(6)))


def test_parts_are_worked_on_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    both = threading.Barrier(2, timeout=60.0)
    assert len(list(in_order(lambda _: both.wait(), range(4)))) == 4


@pytest.mark.parametrize(("limit", "count"), [("", 8), ("3", 3), ("64", 8), ("0", 1), ("many", 8)])
def test_there_are_as_many_threads_as_cores_unless_fewer_are_asked_for(
    limit: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert n_threads() == count


def test_sums_are_the_same_to_the_last_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=1000) for _ in range(20)]
    found = []
    for limit in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        found.append(sum(in_order(np.sum, parts)))
    assert found[0] == found[1]
