"""The progress bar of a derivation."""

from __future__ import annotations

import pytest

from calib_cli.progress import _pace


def test_the_time_left_follows_from_the_pace() -> None:
    """The clock of a pass starts with its first dataset: nine in three seconds, thirty to go."""
    assert _pace(3.0, 10, 40) == ["3 datasets/s", "10 s left of this pass"]


@pytest.mark.parametrize(("done", "total"), [(0, 0), (0, 5), (1, 5), (5, 5)])
def test_no_pace_is_shown_at_the_start_and_the_end(done: int, total: int) -> None:
    assert _pace(3.0, done, total) == []
