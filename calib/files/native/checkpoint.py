"""Checkpoints as files: the last hashes of a log's chains in JSON, signed with Ed25519."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from calib.errors import CalibError, FileFormatError
from calib.files.atomic import read_bytes, write_safely
from calib.files.kinds import CHECKPOINT
from calib.files.native.keys import public_path, read_private, read_public
from calib.model.base.bounds import ORDINAL, POSITION, checked_instant
from calib.model.base.canonical import instant_from, microseconds
from calib.model.base.text import checked_words
from calib.model.store.log import ChainHead, Checkpoint


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
    signature = read_private(private_key).sign(checkpoint.signed_bytes())
    content = {
        **checkpoint.content(),
        "made_at": microseconds(checkpoint.made_at),
        "signature": signature.hex(),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    write_safely(
        path,
        f"{text}\n".encode(),
        CHECKPOINT,
        inputs=(private_key, public_path(private_key)),
        store=store,
        force=force,
    )


def read_checkpoint(path: Path, public_key: Path) -> Checkpoint:
    """The checkpoint in a file, its signature verified.

    Raises ``FileFormatError``: ``no-checkpoint`` where it is none, ``checkpoint-forged`` where it
    was changed after it was signed, or signed with another key.
    """
    from cryptography.exceptions import InvalidSignature

    key = read_public(public_key)
    try:
        content = json.loads(read_bytes(path))
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
        signature = bytes.fromhex(content["signature"])
        signed = checkpoint.signed_bytes()
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        if isinstance(error, CalibError) and error.code == "missing-file":
            raise
        raise FileFormatError(
            "no-checkpoint",
            "this is no checkpoint of calib.",
            place=str(path),
            remedy="give the file that calib audit checkpoint wrote.",
        ) from error
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        raise FileFormatError(
            "checkpoint-forged",
            f"the checkpoint was not signed with the key of {public_key}, or was changed since.",
            place=str(path),
            remedy="use your other copy, and the public key of the person who signed it "
            "(--public-key).",
        ) from None
    return checkpoint
