"""audit: verify the log, and sign its latest entries so that truncation is detected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from calib.errors import InputError, IntegrityError
from calib.files.native.anchors import (
    append_checkpoint,
    newest_checkpoint,
    read_anchor,
    refuse_no_folder,
)
from calib.files.native.checkpoint import (
    checkpoint_bytes,
    is_receipt,
    is_report,
    read_checkpoint,
    read_receipt_head,
    read_report_head,
    write_checkpoint,
)
from calib.files.native.key_history import KeyHistory, known_keys
from calib.files.native.key_rotation import Rotated, rotate_key
from calib.files.native.keys import default_key
from calib.files.native.timestamps import request_timestamp
from calib.flows.shared.anchored import (
    append_to_store,
    checkpoints_in_store,
    refuse_itself,
    refuse_no_checkpoint,
)
from calib.flows.shared.times import read_instant
from calib.model.base.text import checked_words
from calib.model.store.log import Audit, ChainHead, Checkpoint, Finding, LogHead
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp
from calib.model.store.signing import Anchored


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of comparing a store with its log, and the log with checkpoints."""

    audit: Audit
    checkpoint: Checkpoint | None
    """The newest that was compared; None without one."""
    n_checkpoints: int | None
    """In a folder of checkpoints; None where no folder was given."""
    compromised: tuple[Path, ...]
    """Checkpoints that were not compared, since others may have their key."""
    signed: bool | None = None
    """Whether the signature of a receipt or report was verified; None where none was given."""
    head: LogHead | None = None
    """The head of a report that was compared; None where none was given."""
    timestamps: tuple[datetime, ...] = ()
    """The verified time stamps of the checkpoints in a folder."""


def verify(
    store: StoreLike,
    checkpoint: Path | None = None,
    public_key: Path | None = None,
    head: str | None = None,
    place: StoreLike | None = None,
    roots: Path | None = None,
) -> Verified:
    """Compare the whole store with its log, and the log with a checkpoint or with all checkpoints
    in a folder, or with the heads in a receipt or report, where one is given, and with a ``head``
    as reports print it: ``POSITION:HASH``. ``place`` is a store with checkpoints, ``roots`` has
    the certificates with which time stamps in a folder are verified."""
    if head is not None:
        done = verify(store, checkpoint, public_key, None, place, roots)
        return _with_head(store, done, _head_from(head), done.signed)
    if place is not None:
        found, untrusted = checkpoints_in_store(place, public_key or known_keys(default_key()))
        refuse_no_checkpoint(found, untrusted, place)
        newest = found[-1] if found else None
        return Verified(_audited(store, found), newest, len(found), tuple(untrusted))
    if checkpoint is None:
        return Verified(store.log.audit(), None, None, ())
    if checkpoint.is_file() and is_report(checkpoint):
        printed, verified = read_report_head(checkpoint, public_key)
        return _with_head(store, Verified(store.log.audit(), None, None, ()), printed, verified)
    keys = public_key or known_keys(default_key())
    known: tuple[Checkpoint, ...]
    n_checkpoints: int | None = None
    signed: bool | None = None
    timestamps: tuple[datetime, ...] = ()
    compromised: tuple[Path, ...] = ()
    if checkpoint.is_dir():
        anchor = read_anchor(checkpoint, keys, roots)
        known, compromised = anchor.checkpoints, anchor.compromised
        n_checkpoints, timestamps = len(known), anchor.timestamps
    elif is_receipt(checkpoint):
        received, signed = read_receipt_head(checkpoint, public_key)
        known = (received,)
    else:
        known = (read_checkpoint(checkpoint, keys),)
    return Verified(
        _audited(store, known),
        known[-1] if known else None,
        n_checkpoints,
        compromised,
        signed,
        timestamps=timestamps,
    )


def _audited(store: StoreLike, known: Sequence[Checkpoint]) -> Audit:
    """The log compared with the heads in checkpoints, and these with one another."""
    heads = tuple({head: None for one in known for head in one.heads})
    audit = store.log.audit(heads)
    return replace(audit, findings=(*audit.findings, *_contradictions(heads)))


def _head_from(text: str) -> LogHead:
    found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text.strip().lower())
    if found is None:
        raise InputError(
            "bad-head",
            "this is not the head of a log.",
            remedy="give POSITION:HASH as a report prints it, such as 12: and 64 hexadecimal "
            "digits.",
        )
    return LogHead(int(found[1]), found[2])


def _with_head(store: StoreLike, done: Verified, head: LogHead, signed: bool | None) -> Verified:
    """The result with a finding if the log up to the position of the head has another hash."""
    audit = done.audit
    if head.position > audit.last_position:
        problem = f"the log ends at position {audit.last_position}, before that of the head"
    elif store.log.head(head.position) != head:
        problem = "the log up to here has another hash than the head: it was rewritten"
    else:
        problem = ""
    if problem:
        finding = Finding("entry", f"position {head.position}", problem)
        audit = replace(audit, findings=(*audit.findings, finding))
    return replace(done, audit=audit, head=head, signed=signed)


def _contradictions(heads: Sequence[ChainHead]) -> tuple[Finding, ...]:
    """A finding for each entry of which two checkpoints have different hashes."""
    seen: dict[tuple[str, int], ChainHead] = {}
    return tuple(
        Finding(
            "entry",
            f"number {head.ordinal} of the chain of {head.chain or 'the store'}",
            "two checkpoints have different hashes of this entry: the log was rewritten between "
            "them",
        )
        for head in heads
        if seen.setdefault((head.chain, head.ordinal), head) != head
    )


def make_checkpoint(
    store: StoreLike, private_key: Path | None, output: Path, now: datetime, *, force: bool = False
) -> Checkpoint:
    """Sign the last hash of each chain and write them to a file, to be kept elsewhere."""
    checkpoint = Checkpoint(now, store.log.heads())
    write_checkpoint(
        checkpoint, private_key or default_key(), output, store=store.files, force=force
    )
    return checkpoint


def anchor(
    store: StoreLike,
    private_key: Path | None,
    folders: Sequence[Path],
    stamp: ChangeStamp,
    stores: Sequence[StoreLike] = (),
    timestamp_url: str | None = None,
) -> tuple[Checkpoint, tuple[Anchored, ...]]:
    """Sign the last hash of each chain and append them to each folder, and to the log of each of
    these other stores. An authority with that address stamps the files in the folders.

    Raises ``IntegrityError`` (``log-rewritten``) where the log no longer contains what the newest
    checkpoint of a place contains; then nothing is appended.
    """
    key = private_key or default_key()
    checkpoint = Checkpoint(stamp.at, store.log.heads())
    data = checkpoint_bytes(checkpoint, key)
    for folder in folders:
        refuse_no_folder(folder)
        newest = newest_checkpoint(folder, known_keys(key))
        if newest is not None:
            _refuse_rewritten(newest, checkpoint, str(folder))
    for place in stores:
        refuse_itself(store, place)
        place.require_writable()
        found, _ = checkpoints_in_store(place, known_keys(key))
        if found:
            _refuse_rewritten(found[-1], checkpoint, place.address)
    token = request_timestamp(timestamp_url, data) if folders and timestamp_url else None
    done = [append_checkpoint(folder, checkpoint, data, store.files, token) for folder in folders]
    done += [append_to_store(place, checkpoint, data, key, stamp) for place in stores]
    return checkpoint, tuple(done)


def _refuse_rewritten(before: Checkpoint, now: Checkpoint, place: str) -> None:
    """Raise where a chain has become shorter, or ends at the same entry with another hash."""
    ends = {head.chain: head for head in now.heads}
    for head in before.heads:
        end = ends.get(head.chain)
        shorter = end is None or end.ordinal < head.ordinal
        if shorter or (end is not None and end.ordinal == head.ordinal and end != head):
            raise IntegrityError(
                "log-rewritten",
                f"the log does not contain entry {head.ordinal} of the chain of "
                f"{head.chain or 'the store'}, which the checkpoint of "
                f"{before.made_at:%Y-%m-%d %H:%M} UTC contains: it was truncated or rewritten.",
                place=place,
                remedy="see what is missing with calib audit verify --checkpoint, and restore the "
                "store from a backup.",
            )


def rotate(
    private_key: Path | None, reason: str, compromised_since: str | None, now: datetime
) -> Rotated:
    """Replace the key that signs checkpoints. ``compromised_since`` is a time as text, UTC where it
    has no offset."""
    if not reason.strip():
        raise InputError(
            "no-reason", "the rotation of a key needs a reason.", remedy="use --reason TEXT."
        )
    checked_words(reason, "the reason")
    since = None if compromised_since is None else read_instant(compromised_since, "UTC", now)
    return rotate_key(private_key or default_key(), now, reason, since)


def read_keys(file: Path | None, trusted: Path | None) -> tuple[Path, KeyHistory, bool | None]:
    """The file of a history of keys, the history, and whether endorsements lead to its current key
    from a trusted public key; None where no key is given."""
    path = file or known_keys(default_key())
    keys = KeyHistory.read(path)
    if trusted is None:
        return path, keys, None
    return path, keys, keys.led_to_from(KeyHistory.read(trusted).current.public_key)
