"""The key pair that signs checkpoints: Ed25519, as PEM files outside the store."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_config_path

from calib.errors import FileFormatError, InputError
from calib.files.atomic import read_bytes, write_safely
from calib.files.kinds import KEY
from calib.files.output_target import check_writable_target, refuse_bad_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )


def default_key() -> Path:
    """The default path of the private key, in the user's settings folder."""
    return user_config_path("calib", appauthor=False) / "audit.pem"


def public_path(private: Path) -> Path:
    """The path of the public key of a private one: ``KEY.pub`` beside it."""
    return private.with_name(private.name + ".pub")


def make_keys(private: Path) -> tuple[Path, Path]:
    """Make a key pair: the private key readable by its owner only, the public one beside it.

    Raises ``InputError`` where either exists: a key that has signed must not be lost.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    refuse_bad_name(private)
    with contextlib.suppress(OSError):  # what is wrong is reported below
        private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    public = public_path(private)
    for path in (private, public):
        if path.exists():
            raise InputError(
                "output-exists",
                "the key exists already; keys are never overwritten.",
                place=str(path),
                remedy="another file.",
            )
        check_writable_target(path, KEY)
    write_pair(Ed25519PrivateKey.generate(), private)
    return private, public


def write_pair(key: Ed25519PrivateKey, private: Path, *, force: bool = False) -> None:
    """Write a key in PEM format: the public key beside the private one, then the private one,
    readable by its owner only. ``force`` replaces existing keys."""
    from cryptography.hazmat.primitives import serialization

    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    known = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_safely(public_path(private), known, KEY, force=force)
    mask = os.umask(0o077)
    try:
        write_safely(private, secret, KEY, force=force)
    finally:
        os.umask(mask)


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_from_bytes(raw: bytes) -> Ed25519PublicKey:
    """The public key with these 32 bytes; raises ``ValueError`` for any other number of them."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(raw)


def read_private(path: Path) -> Ed25519PrivateKey:
    """The private key in a file; ``InputError`` (``no-key``) where there is none."""
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not path.exists():
        raise InputError(
            "no-key",
            "there is no key to sign with.",
            place=str(path),
            remedy="make one with calib audit key, or name yours with --key.",
        )
    try:
        key = load_pem_private_key(read_bytes(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key


def read_public(path: Path) -> Ed25519PublicKey:
    """The public key in a file; ``InputError`` (``no-key``) where there is none."""
    from cryptography.exceptions import InternalError, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if not path.exists():
        raise InputError(
            "no-key",
            "there is no public key to check the checkpoint with.",
            place=str(path),
            remedy="use --public-key FILE; calib audit key made it beside the private key.",
        )
    try:
        key = load_pem_public_key(read_bytes(path))
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return key


def _no_key(path: Path, kind: str) -> FileFormatError:
    return FileFormatError(
        "not-a-key",
        f"this is not a {kind} Ed25519 key in PEM format without a password.",
        place=str(path),
        remedy="make one with calib audit key.",
    )
