"""Changed files of every format: read as they are, or refused in time, and never believed."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from support.hostile_bundles import loaded_bundle
from support.hostile_files import READERS
from support.hostile_images import IMAGES
from support.isolated import READ, REFUSED, outcomes

LONG = os.environ.get("CALIB_TEST_PROFILE") == "long"
N, N_SEALED = (20_000, 5000) if LONG else (100, 12)


def assert_no_wrong_outcome(reader: Callable[[bytes], str], n: int) -> set[str]:
    """That all changes of these numbers end well; returns the kinds of outcomes."""
    numbers = [number.to_bytes(4, "big") for number in range(n)]
    found = list(outcomes(reader, numbers))
    wrong = [
        (int.from_bytes(number, "big"), one)
        for number, one in zip(numbers, found, strict=True)
        if one[0] not in (READ, REFUSED)
    ]
    assert not wrong, f"{len(wrong)} of {n}; first: {wrong[0]}"
    return {outcome for outcome, _ in found}


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_refused_or_read_as_it_is(name: str) -> None:
    assert assert_no_wrong_outcome(READERS[name], N) == {READ, REFUSED}


@pytest.mark.parametrize("name", IMAGES)
def test_the_header_of_a_changed_image_is_refused_or_read_within_bounds(name: str) -> None:
    assert assert_no_wrong_outcome(IMAGES[name], N) == {READ, REFUSED}


def test_a_changed_bundle_that_was_sealed_again_is_refused_or_read_for_ever() -> None:
    """A forged bundle can come with hashes that match it."""
    assert assert_no_wrong_outcome(loaded_bundle, N_SEALED) == {READ, REFUSED}
