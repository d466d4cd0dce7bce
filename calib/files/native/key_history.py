"""The keys that have signed checkpoints of a store: current, retired and compromised ones.

A history is the file ``KEY.keys`` beside a private key, in JSON, signed with the current key. Each
key that replaces another is endorsed with a signature by the other one, unless that one is
compromised: then others could endorse a key with it as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calib.errors import CalibError, FileFormatError
from calib.files.atomic import read_bytes
from calib.files.native.keys import public_bytes, public_from_bytes, public_path, read_public
from calib.model.base.bounds import checked_instant
from calib.model.base.canonical import canonical_bytes, instant_from
from calib.model.base.text import checked_words
from calib.model.store.signing import SigningKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_FORMAT = "calib/keys/1"


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """The keys of a store in the order in which they replaced each other, the current one last."""

    keys: tuple[SigningKey, ...]

    @property
    def current(self) -> SigningKey:
        """The key that signs now."""
        return self.keys[-1]

    def signer(self, signature: bytes, signed: bytes) -> SigningKey | None:
        """The key that made a signature over these bytes; None where none of them did."""
        return next((key for key in self.keys if _verifies(key, signature, signed)), None)

    def led_to_from(self, trusted: bytes) -> bool:
        """Whether endorsements lead from a public key (32 bytes) to the current key, none of them
        by a compromised key."""
        names = [key.public_key for key in self.keys]
        if trusted not in names:
            return False
        later = self.keys[names.index(trusted) :]
        return all(
            one.compromised_since is None
            and other.endorsement is not None
            and _verifies(one, other.endorsement, other.endorsed_bytes(one.public_key))
            for one, other in pairwise(later)
        )

    def file_bytes(self, private: Ed25519PrivateKey) -> bytes:
        """The text of the file, signed with the private key of the current key."""
        content = self._content()
        signature = private.sign(canonical_bytes(content)).hex()
        text = json.dumps({**content, "signature": signature}, indent=1, ensure_ascii=False)
        return f"{text}\n".encode()

    def _content(self) -> dict[str, Any]:
        return {"format": _FORMAT, "keys": [key.content() for key in self.keys]}

    @staticmethod
    def read(path: Path) -> KeyHistory:
        """The history in a file, its signature verified, or that of a public key in PEM format.

        Raises ``FileFormatError`` (``not-a-key``, ``keys-forged``) and what ``read_public`` raises.
        """
        if not path.exists() or not read_bytes(path).lstrip().startswith(b"{"):
            return KeyHistory((SigningKey(public_bytes(read_public(path)), None),))
        try:
            content = json.loads(read_bytes(path))
            if content["format"] != _FORMAT or not content["keys"]:
                raise ValueError("format")  # noqa: TRY301
            found = KeyHistory(tuple(_key_from(key) for key in content["keys"]))
            signature = bytes.fromhex(content["signature"])
            signed = canonical_bytes(found._content())
        except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
            if isinstance(error, CalibError) and error.code == "missing-file":
                raise
            raise FileFormatError(
                "not-a-key",
                "this is neither a public key nor a history of keys.",
                place=str(path),
                remedy="give the file .pub or .keys beside the private key.",
            ) from error
        if not _verifies(found.current, signature, signed):
            raise FileFormatError(
                "keys-forged",
                "the history of keys was changed after it was signed.",
                place=str(path),
                remedy="get it again from the person who signs the checkpoints.",
            )
        return found


def history_path(private: Path) -> Path:
    """The path of the history of a private key: ``KEY.keys`` beside it."""
    return private.with_name(private.name + ".keys")


def known_keys(private: Path) -> Path:
    """The file that holds the keys that belong to a private key: its history where there is one,
    else its public key."""
    history = history_path(private)
    return history if history.exists() else public_path(private)


def _key_from(content: Mapping[str, Any]) -> SigningKey:
    """The key with this ``content``; raises ``ValueError``, ``TypeError`` or ``KeyError``."""
    endorsement = content["endorsement"]
    if not isinstance(content["reason"], str):
        raise TypeError("reason")
    made_at, retired_at, compromised_since = (
        None if content[name] is None else checked_instant(instant_from(content[name]), name)
        for name in ("made_at", "retired_at", "compromised_since")
    )
    return SigningKey(
        public_bytes(public_from_bytes(bytes.fromhex(content["public_key"]))),
        made_at,
        retired_at,
        compromised_since,
        checked_words(content["reason"], "the reason"),
        None if endorsement is None else bytes.fromhex(endorsement),
    )


def _verifies(key: SigningKey, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        public_from_bytes(key.public_key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True
