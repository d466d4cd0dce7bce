"""The heads of the log as reports and receipts state them, signed where this user has a key."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from calib.errors import CalibError
from calib.model.store.log import LATEST, STORE_CHAIN, Checkpoint
from calib.model.store.protocol import StoreLike
from calib.model.store.signing import SignedHead


def signed_head(store: StoreLike, position: int = LATEST) -> SignedHead:
    """The head of the log up to a position, or of the whole log: any copy of it proves the log up
    to there."""
    from calib.files.native.keys import default_key

    head, key = store.log.head(position), default_key()
    if key.is_file():
        from calib.files.native.checkpoint import sign_head

        try:
            return sign_head(head, key)
        except CalibError:  # not a key, or unreadable: then it is not signed
            pass
    return SignedHead(head, None, None)


def log_heads(store: StoreLike, serials: Iterable[str], now: datetime) -> dict[str, Any]:
    """The heads of the chains of these detectors and of the store: with them any copy of the
    receipt proves the log up to here. Signed where this user has a key for checkpoints.
    """
    from calib.files.native.checkpoint import checkpoint_content
    from calib.files.native.keys import default_key

    heads = store.log.heads((STORE_CHAIN, *sorted(set(serials))))
    checkpoint, key = Checkpoint(now, heads), default_key()
    if key.is_file():
        try:
            return checkpoint_content(checkpoint, key)
        except CalibError:  # not a key, or unreadable: then it is not signed
            pass
    return checkpoint_content(checkpoint, None)
