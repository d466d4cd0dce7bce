"""Heads of chains and checkpoints: what they refuse, and where the log ended."""

from __future__ import annotations

import pytest

from calib.errors import InputError
from calib.model.store.log import ChainHead, Checkpoint
from support.records import NOON

HASH = "ab" * 32


@pytest.mark.parametrize(
    ("ordinal", "position", "name"),
    [(0, 1, HASH), (1, 0, HASH), (1, 1, HASH[:-1]), (1, 1, HASH.upper()), (1, 1, "")],
)
def test_what_cannot_be_the_head_of_a_chain_is_refused(
    ordinal: int, position: int, name: str
) -> None:
    assert ChainHead("24-0107", 1, 1, HASH).hash == HASH
    with pytest.raises(InputError, match="is not the head of a chain") as caught:
        ChainHead("24-0107", ordinal, position, name)
    assert caught.value.code == "bad-head"


def test_a_checkpoint_reaches_to_the_last_position_of_any_chain() -> None:
    heads = (ChainHead("", 2, 5, HASH), ChainHead("a", 7, 9, HASH), ChainHead("b", 1, 6, HASH))
    assert Checkpoint(NOON, heads).last_position == 9
    assert Checkpoint(NOON, ()).last_position == 0
