"""What the bar of a derivation says."""

from __future__ import annotations

import pytest

from calib_cli.progress import _pace


def test_the_time_left_is_what_the_pace_makes_of_the_rest() -> None:
    """The clock of a pass starts with its first dataset: nine in three seconds, thirty to go."""
    assert _pace(3.0, 10, 40) == ["3 datasets/s", "10 s left of this pass"]


@pytest.mark.parametrize(("done", "total"), [(0, 0), (0, 5), (1, 5), (5, 5)])
def test_no_pace_is_told_before_there_is_one_nor_at_the_end(done: int, total: int) -> None:
    assert _pace(3.0, done, total) == []
