"""Checkpoints of a store in the log of another store, whose writers are other people."""

from __future__ import annotations

from pathlib import Path

from calib.errors import CalibError, FileFormatError, InputError
from calib.files.native.checkpoint import checkpoint_in
from calib.files.native.key_history import KeyHistory
from calib.files.native.keys import public_bytes, read_private
from calib.model.store.log import Checkpoint
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp
from calib.model.store.signing import Anchored, RecordedCheckpoint


def refuse_itself(store: StoreLike, place: StoreLike) -> None:
    """Raise ``InputError`` (``no-anchor``) where a store would be an anchor of itself."""
    files = {path.resolve() for path in store.files}
    if place.address == store.address or files & {path.resolve() for path in place.files}:
        raise InputError(
            "no-anchor",
            "a store cannot be an anchor of itself.",
            place=place.address,
            remedy="give a store of other writers.",
        )


def append_to_store(
    place: StoreLike, checkpoint: Checkpoint, data: bytes, private_key: Path, stamp: ChangeStamp
) -> Anchored:
    """Record a checkpoint, of which ``data`` is the signed text, in a store."""
    key = public_bytes(read_private(private_key).public_key()).hex()
    recorded = place.log.add_checkpoint(
        RecordedCheckpoint(
            number=0,
            public_key=key,
            made_at=checkpoint.made_at,
            last_position=checkpoint.last_position,
            content=data.decode(),
            recorded=stamp.signature,
        ),
        stamp,
    )
    return Anchored(place.address, None, None, recorded.number)


def checkpoints_in_store(place: StoreLike, public_key: Path) -> tuple[list[Checkpoint], list[Path]]:
    """The checkpoints in a store that were signed with one of these keys, in the order of
    recording, and the places of those whose key is compromised.

    Those of other keys are of other stores. Raises what ``read_checkpoint`` raises for one that was
    not signed with the key that it names.
    """
    keys = KeyHistory.read(public_key)
    mine = {key.fingerprint for key in keys.keys}
    found, compromised = [], []
    for one in place.log.checkpoints():
        if one.public_key not in mine:
            continue
        where = Path(f"{place.address}, position {one.number}")
        try:
            found.append(checkpoint_in(one.content.encode(), keys, where, public_key))
        except CalibError as error:
            if error.code != "key-compromised":
                raise
            compromised.append(where)
    return found, compromised


def refuse_no_checkpoint(
    found: list[Checkpoint], compromised: list[Path], place: StoreLike
) -> None:
    """Raise ``FileFormatError`` (``no-checkpoint``) where a store has none of these keys."""
    if not found and not compromised:
        raise FileFormatError(
            "no-checkpoint",
            "this store contains no checkpoint that was signed with this key.",
            place=place.address,
            remedy="give a store to which calib audit anchor appended, and the public key.",
        )
