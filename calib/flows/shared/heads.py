"""The head of the log as reports print it, signed where this user has a key."""

from __future__ import annotations

from calib.errors import CalibError
from calib.model.store.log import LATEST
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
