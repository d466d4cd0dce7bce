"""Anchors: folders and git repositories to which checkpoints are appended.

Each checkpoint is a file of its own, ``checkpoint-POSITION-TIME.json``, and none is replaced. The
place must belong to somebody else than the store: a folder whose files the writer of the store
cannot change or remove, or a repository with an upstream that refuses rewritten branches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from calib.errors import CalibError, FileFormatError, InputError, StoreError
from calib.files.atomic import read_bytes, write_safely
from calib.files.kinds import CHECKPOINT, TIMESTAMP
from calib.files.native.checkpoint import checkpoint_in, read_checkpoint
from calib.files.native.key_history import KeyHistory
from calib.files.native.timestamps import read_timestamp, timestamp_path
from calib.model.store.log import Checkpoint
from calib.model.store.signing import Anchored

_PATTERN = "checkpoint-*.json"
_SECONDS = 120
_OWN_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
"""Variables that git sets for its hooks, and that would lead to another repository."""


@dataclass(frozen=True, slots=True)
class AnchoredCheckpoints:
    """The checkpoints in a place."""

    checkpoints: tuple[Checkpoint, ...]
    """In the order of their files: by position, then by time."""
    compromised: tuple[Path, ...]
    """The files that were signed with a key that is compromised."""
    timestamps: tuple[datetime, ...] = ()
    """The verified time stamps of the checkpoints that have one."""


def refuse_no_folder(place: Path) -> None:
    """Raise ``InputError`` (``no-anchor``) for anything but an existing folder."""
    if not place.is_dir():
        raise InputError(
            "no-anchor",
            "an anchor is an existing folder or git repository, and this is none.",
            place=str(place),
            remedy="create it, as a user other than the writer of the store.",
        )


def append_checkpoint(
    place: Path,
    checkpoint: Checkpoint,
    data: bytes,
    store: Sequence[Path] = (),
    timestamp: bytes | None = None,
) -> Anchored:
    """Write a checkpoint, of which ``data`` is the signed text, to a new file in a folder, and its
    time stamp beside it. In a repository it is committed, and pushed where the branch has an
    upstream.

    Raises what ``write_safely`` raises, and ``StoreError`` (``anchor-failed``, ``not-pushed``).
    """
    refuse_no_folder(place)
    name = f"checkpoint-{checkpoint.last_position:08d}-{checkpoint.made_at:%Y%m%dT%H%M%S.%fZ}.json"
    path = place / name
    names = [name]
    if timestamp is not None:
        token = timestamp_path(path)
        write_safely(token, timestamp, TIMESTAMP, store=store)
        names.append(token.name)
    write_safely(path, data, CHECKPOINT, store=store)
    if not (place / ".git").exists():
        return Anchored(path, None, None)
    try:
        _git(place, "add", "--", *names)
        subject = f"Add checkpoint at position {checkpoint.last_position}"
        _git(place, "commit", "--quiet", "-m", subject, "--only", "--", *names)
        commit = _git(place, "rev-parse", "HEAD")
    except StoreError:
        for one in names:
            (place / one).unlink(missing_ok=True)
            _forget(place, one)
        raise
    return Anchored(path, commit, _pushed(place))


def read_anchor(place: Path, public_key: Path, roots: Path | None = None) -> AnchoredCheckpoints:
    """All checkpoints in a folder, their signatures verified, and with root certificates their time
    stamps.

    Raises ``FileFormatError`` (``no-checkpoint``) where there is none, and what
    ``read_checkpoint`` raises for one that is not genuine.
    """
    paths = sorted(place.glob(_PATTERN))
    if not paths:
        raise FileFormatError(
            "no-checkpoint",
            "this folder contains no checkpoint.",
            place=str(place),
            remedy="give a folder to which calib audit anchor appended, or the file of a "
            "checkpoint.",
        )
    keys = KeyHistory.read(public_key)
    found, compromised, timestamps = [], [], []
    for path in paths:
        at = None if roots is None else read_timestamp(path, roots)
        timestamps += [] if at is None else [at]
        try:
            found.append(checkpoint_in(read_bytes(path), keys, path, public_key, at))
        except CalibError as error:
            if error.code != "key-compromised":
                raise
            compromised.append(path)
    return AnchoredCheckpoints(tuple(found), tuple(compromised), tuple(timestamps))


def newest_checkpoint(place: Path, public_key: Path) -> Checkpoint | None:
    """The last checkpoint in a folder; None where there is none, or its key is compromised."""
    names = sorted(place.glob(_PATTERN))
    if not names:
        return None
    try:
        return read_checkpoint(names[-1], public_key)
    except CalibError as error:
        if error.code != "key-compromised":
            raise
        return None


def _pushed(place: Path) -> str | None:
    try:
        upstream = _git(place, "rev-parse", "--abbrev-ref", "@{upstream}")
    except StoreError:
        return None
    try:
        _git(place, "push", "--quiet")
    except StoreError as error:
        raise StoreError(
            "not-pushed",
            f"the checkpoint was committed, but not pushed to {upstream}: {error.problem}",
            place=str(place),
            remedy=f"mend this, then run git -C {place} push.",
        ) from error
    return upstream


def _forget(place: Path, name: str) -> None:
    """Remove a file that was not committed from the index."""
    try:
        _git(place, "rm", "--cached", "--quiet", "--force", "--ignore-unmatch", "--", name)
    except StoreError:
        return


def _git(place: Path, *words: str) -> str:
    """The output of a git command in a repository; never asks for a password."""
    program = shutil.which("git")
    if program is None:
        raise StoreError(
            "anchor-failed", "git is not installed.", place=str(place), remedy="install git."
        )
    known = {name: text for name, text in os.environ.items() if name not in _OWN_VARIABLES}
    try:
        ended = subprocess.run(  # noqa: S603 - git with words of our own and a checked folder
            [program, "-C", str(place), *words],
            env={**known, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(place, words[0], str(error)) from error
    if ended.returncode:
        lines = (ended.stderr or ended.stdout).strip().splitlines()
        raise _failed(place, words[0], lines[-1] if lines else f"exit code {ended.returncode}")
    return ended.stdout.strip()


def _failed(place: Path, word: str, why: str) -> StoreError:
    return StoreError(
        "anchor-failed",
        f"git {word} failed: {why}.",
        place=str(place),
        remedy=f"see that git -C {place} commit works for this user.",
    )
