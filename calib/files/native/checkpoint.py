"""Checkpoints as files: the last hashes of a log's chains in JSON, signed with Ed25519."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from calib.errors import FileFormatError
from calib.files.atomic import read_bytes, write_safely
from calib.files.kinds import CHECKPOINT, HEAD, RECEIPT
from calib.files.native.key_history import KeyHistory, history_path
from calib.files.native.keys import public_bytes, public_path, read_private
from calib.model.base.bounds import ORDINAL, POSITION, checked_instant
from calib.model.base.canonical import instant_from, microseconds
from calib.model.base.text import checked_words
from calib.model.store.log import ChainHead, Checkpoint, LogHead
from calib.model.store.signing import SignedHead, SigningKey


def write_checkpoint(
    checkpoint: Checkpoint,
    private_key: Path,
    path: Path,
    *,
    store: Iterable[Path] = (),
    force: bool = False,
) -> None:
    """Sign a checkpoint and write it; ``store`` are the files of its store.

    Raises what ``read_private`` and ``write_safely`` raise.
    """
    write_safely(
        path,
        checkpoint_bytes(checkpoint, private_key),
        CHECKPOINT,
        inputs=(private_key, public_path(private_key), history_path(private_key)),
        store=store,
        force=force,
    )


def checkpoint_bytes(checkpoint: Checkpoint, private_key: Path) -> bytes:
    """The text of a signed checkpoint; raises what ``read_private`` raises."""
    content = checkpoint_content(checkpoint, private_key)
    return f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode()


def checkpoint_content(checkpoint: Checkpoint, private_key: Path | None) -> dict[str, Any]:
    """A checkpoint as plain JSON values, signed; without a key its signature is null."""
    signature = None
    if private_key is not None:
        signature = read_private(private_key).sign(checkpoint.signed_bytes()).hex()
    return {
        **checkpoint.content(),
        "made_at": microseconds(checkpoint.made_at),
        "signature": signature,
    }


def sign_head(head: LogHead, private_key: Path) -> SignedHead:
    """The head of a log, signed; raises what ``read_private`` raises."""
    key = read_private(private_key)
    signature = key.sign(head.signed_bytes()).hex()
    return SignedHead(head, public_bytes(key.public_key()).hex(), signature)


def read_report_head(path: Path, public_key: Path | None) -> tuple[LogHead, bool]:
    """The head of the log in a report in JSON, and whether its signature was verified.

    Without a public key, none is. Raises ``FileFormatError``: ``no-checkpoint`` where there is no
    head, ``checkpoint-forged`` where it was not signed with the key, or was changed since, and
    ``key-compromised`` where others may have had the key.
    """
    try:
        content = json.loads(read_bytes(path))["log_head"]
        head = LogHead(
            POSITION.checked(content["position"], "a position"),
            checked_words(content["hash"], "a hash"),
        )
        named = content["signature"]
        signature = None if named is None else bytes.fromhex(named)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _no_checkpoint(path) from error
    if public_key is None:
        return head, False
    keys = KeyHistory.read(public_key)
    signer = None if signature is None else keys.signer(signature, head.signed_bytes())
    if signer is None:
        raise _forged(path, public_key)
    if signer.compromised_since is not None:
        raise _compromised(signer, path)
    return head, True


def is_report(path: Path) -> bool:
    """Whether a file is a report in JSON with the head of a log."""
    try:
        return "log_head" in json.loads(read_bytes(path))
    except (ValueError, TypeError, RecursionError):
        return False


def read_checkpoint(path: Path, public_key: Path) -> Checkpoint:
    """The checkpoint in a file, its signature verified with a public key or a history of keys.

    Raises ``FileFormatError``: ``no-checkpoint`` where it is none, ``checkpoint-forged`` where it
    was changed after it was signed, or signed with another key, ``key-retired`` where its key was
    replaced before it was made, and ``key-compromised`` where others may have had its key.
    """
    keys = KeyHistory.read(public_key)
    return checkpoint_in(read_bytes(path), keys, path, public_key)


def checkpoint_in(
    data: bytes,
    keys: KeyHistory,
    path: Path,
    public_key: Path,
    proven_at: datetime | None = None,
) -> Checkpoint:
    """The same of the bytes of a file, with the ``keys`` that ``public_key`` contains; ``path`` is
    where the bytes are from. ``proven_at`` is when the checkpoint existed according to its time
    stamp: a key that was compromised later can be trusted."""
    checkpoint, signature = _parsed(data, path)
    if signature is None:
        raise _no_checkpoint(path)
    signer = keys.signer(signature, checkpoint.signed_bytes())
    if signer is None:
        raise _forged(path, public_key)
    _refuse_untrusted(signer, checkpoint, path, proven_at)
    return checkpoint


def read_receipt_head(path: Path, public_key: Path | None) -> tuple[Checkpoint, bool]:
    """The heads of the log in a receipt, and whether a signature was verified.

    Without a public key, no signature is. Raises as ``read_checkpoint`` does, and
    ``no-checkpoint`` for a receipt of a version that recorded no heads.
    """
    if public_key is not None:
        return read_checkpoint(path, public_key), True
    return _parsed(read_bytes(path), path)[0], False


def is_receipt(path: Path) -> bool:
    """Whether a file is a receipt, by its first bytes."""
    return RECEIPT.recognises(read_bytes(path)[:HEAD])


def _parsed(data: bytes, path: Path) -> tuple[Checkpoint, bytes | None]:
    """The checkpoint in the bytes of a file, also in a receipt, and its signature, not verified."""
    try:
        content = json.loads(data)
        if str(content["format"]).startswith("calib/receipt/"):
            content = content["log"]
        heads = tuple(
            ChainHead(
                checked_words(head["chain"], "the name of a chain"),
                ORDINAL.checked(head["ordinal"], "an ordinal"),
                POSITION.checked(head["position"], "a position"),
                checked_words(head["hash"], "a hash"),
            )
            for head in content["heads"]
        )
        made_at = checked_instant(instant_from(content["made_at"]), "its time")
        checkpoint = Checkpoint(made_at, heads)
        checkpoint.signed_bytes()
        named = content["signature"]
        return checkpoint, None if named is None else bytes.fromhex(named)
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise _no_checkpoint(path) from error


def _no_checkpoint(path: Path) -> FileFormatError:
    return FileFormatError(
        "no-checkpoint",
        "this is no signed checkpoint of calib.",
        place=str(path),
        remedy="give the file that calib audit checkpoint wrote.",
    )


def _forged(path: Path, public_key: Path) -> FileFormatError:
    return FileFormatError(
        "checkpoint-forged",
        f"the checkpoint was not signed with the key of {public_key}, or was changed since.",
        place=str(path),
        remedy="use your other copy, and the public key of the person who signed it "
        "(--public-key).",
    )


def _compromised(signer: SigningKey, path: Path) -> FileFormatError:
    return FileFormatError(
        "key-compromised",
        f"the key of this checkpoint is compromised since {signer.compromised_since:%Y-%m-%d}, "
        "so anybody who has it could have made it, with any date.",
        place=str(path),
        remedy="use a checkpoint signed with a later key.",
    )


def _refuse_untrusted(
    signer: SigningKey, checkpoint: Checkpoint, path: Path, proven_at: datetime | None
) -> None:
    """Raise for a compromised key, with which a checkpoint of any time can be made, unless it is
    proven to be older, and for a key that was retired before the checkpoint was made."""
    since = signer.compromised_since
    if since is not None and (proven_at is None or proven_at >= since):
        raise _compromised(signer, path)
    if signer.retired_at is not None and checkpoint.made_at > signer.retired_at:
        raise FileFormatError(
            "key-retired",
            f"the checkpoint is dated {checkpoint.made_at:%Y-%m-%d %H:%M}, but its key was retired "
            f"on {signer.retired_at:%Y-%m-%d %H:%M}.",
            place=str(path),
            remedy="make a checkpoint with the current key.",
        )
