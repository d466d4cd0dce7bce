"""Replacement of the key that signs checkpoints."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from calib.errors import FileFormatError, InputError
from calib.files.atomic import write_safely
from calib.files.kinds import KEYS
from calib.files.native.key_history import KeyHistory, history_path, known_keys
from calib.files.native.keys import public_bytes, public_path, read_private, write_pair
from calib.model.store.signing import SigningKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Rotated(NamedTuple):
    """The result of a rotation."""

    private: Path
    """Now with the new key."""
    history: Path
    retired: Path | None
    """The previous private key; None where there was none any more."""
    keys: KeyHistory


def rotate_key(
    private: Path, now: datetime, reason: str, compromised_since: datetime | None = None
) -> Rotated:
    """Make a new key in place of the current one, and record both in the history of keys.

    The previous private key is kept as ``KEY.1``, ``KEY.2``, ... It endorses the new one unless it
    is compromised or lost. Raises ``InputError`` (``no-key``, ``bad-moment``) and
    ``FileFormatError`` (``keys-differ``) where history and key do not belong together.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if compromised_since is not None and compromised_since > now:
        raise InputError(
            "bad-moment",
            f"the key cannot be compromised since {compromised_since:%Y-%m-%d %H:%M}, which is in "
            "the future.",
            remedy="give the first time at which others may have had it.",
        )
    current = read_private(private) if private.exists() else None
    earlier = _completed(KeyHistory.read(known_keys(private)), current, private)
    made = Ed25519PrivateKey.generate()
    old = earlier.current
    new = SigningKey(public_bytes(made.public_key()), now)
    if current is not None and compromised_since is None:
        endorsement = current.sign(new.endorsed_bytes(old.public_key))
        new = replace(new, endorsement=endorsement)
    old = replace(old, retired_at=now, compromised_since=compromised_since, reason=reason)
    keys = KeyHistory((*earlier.keys[:-1], old, new))
    retired = None
    if current is not None:
        retired = next(path for path in _names(private) if not path.exists())
        os.link(private, retired)
    # After a kill before the last step the history has one key more than were made; the next
    # rotation omits it.
    write_safely(history_path(private), keys.file_bytes(made), KEYS, force=True)
    write_pair(made, private, force=True)
    return Rotated(private, history_path(private), retired, keys)


def _completed(keys: KeyHistory, current: Ed25519PrivateKey | None, private: Path) -> KeyHistory:
    """The history that ends with the current key."""
    if current is None:
        return keys
    known = public_bytes(current.public_key())
    if keys.current.public_key == known:
        return keys
    before = keys.keys[:-1]
    if before and before[-1].public_key == known:
        last = replace(before[-1], retired_at=None, compromised_since=None, reason="")
        return KeyHistory((*before[:-1], last))
    raise FileFormatError(
        "keys-differ",
        f"{known_keys(private)} does not belong to this private key.",
        place=str(private),
        remedy=f"put back {public_path(private).name} and {history_path(private).name} of this key "
        "from a copy.",
    )


def _names(private: Path) -> list[Path]:
    """Names for retired keys."""
    return [private.with_name(f"{private.name}.{n}") for n in range(1, 1000)]
