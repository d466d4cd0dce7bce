"""Read files, and write them atomically.

A file is written to a temporary one in the same folder, flushed to the disk and renamed to its
target, so that after a kill or on a full disk either the old file or the new one is left.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, Self

from calib.errors import CalibError, InputError, MissingFileError, StoreError
from calib.files.kinds import HEAD, FileKind
from calib.files.output_target import (
    OutputRule,
    exists,
    read_only,
    refuse_bad_name,
    same_file,
)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def read_bytes(path: Path, most: int = -1) -> bytes:
    """All bytes of a file, or the first ``most``; raises ``MissingFileError`` where it is missing
    or not readable."""
    try:
        with open_input(path) as file:
            return file.read(most)
    except MissingFileError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error


def open_input(path: Path) -> BufferedReader:
    """A file opened to read bytes; raises ``MissingFileError`` where it cannot be opened."""
    refuse_bad_name(path)
    try:
        # Opening a pipe may block, and a device may have no end.
        if path.exists() and not path.is_file() and not path.is_dir():
            raise MissingFileError(
                "missing-file",
                "this is a device or a pipe, not a file.",
                place=str(path),
                remedy="save its output to a file, and give that file.",
            )
        return path.open("rb")
    except OSError as error:
        if isinstance(error, CalibError):
            raise
        raise _unreadable(path, error) from error


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal, read in blocks."""
    with open_input(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def claim_folder(folder: Path, mark: str, note: str, kind: FileKind) -> None:
    """Create a folder whose files may be replaced, or reuse one that was created so before.

    It is recognised by the file ``mark``, of which ``note`` is the content and ``kind`` the kind.
    Raises ``InputError`` (``folder-in-use``) for a folder with other files, and what
    ``write_safely`` raises.
    """
    refuse_bad_name(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        in_use = any(folder.iterdir()) and not _is_of_kind(folder / mark, kind)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            "not-a-folder",
            "this is a file, or a path below a file, not a folder.",
            place=str(folder),
            remedy="name another folder.",
        ) from error
    except OSError as error:
        _raise_named(error, folder)
    if in_use:
        raise InputError(
            "folder-in-use",
            "the folder already contains files, which could be replaced.",
            place=str(folder),
            remedy="name a new folder, or remove this one.",
        )
    write_safely(folder / mark, note.encode(), kind, force=True)


def folder_for(path: Path) -> None:
    """Create the folder of a file where it does not exist.

    Raises ``StoreError`` and ``InputError`` as ``write_safely``.
    """
    refuse_bad_name(path)
    with _named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def write_safely(
    path: Path,
    data: bytes | Callable[[BinaryIO], None],
    kind: FileKind,
    *,
    inputs: Iterable[Path] = (),
    store: Iterable[Path] = (),
    force: bool = False,
) -> None:
    """Write ``data`` (bytes, or a function that writes them) to ``path`` atomically.

    Raises what ``OutputRule.target`` raises, and ``StoreError`` with the code ``disk-full`` or
    ``write-failed``. No temporary file is left behind.
    """
    with Outputs(inputs=inputs, store=store, force=force) as outputs:
        outputs.stage(path, data, kind)
        outputs.commit()


class Outputs:
    """Several outputs that are written together: staged in temporary files, then renamed.

    ``with Outputs(inputs=..., force=...) as outputs: outputs.stage(...); outputs.commit()``;
    what was staged and not committed is removed on exit.
    """

    def __init__(
        self, *, inputs: Iterable[Path] = (), store: Iterable[Path] = (), force: bool = False
    ) -> None:
        self._rule = OutputRule(tuple(inputs), tuple(store), force)
        self._staged: list[_Staged] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for staged in self._staged:
            staged.temporary.unlink(missing_ok=True)

    def stage(self, path: Path, data: bytes | Callable[[BinaryIO], None], kind: FileKind) -> str:
        """Write ``data`` to a temporary file beside ``path``; returns the SHA-256 of its bytes.

        Raises what ``OutputRule.target`` raises, and ``StoreError`` with the code ``disk-full`` or
        ``write-failed``.
        """
        target = self._rule.target(path, kind)
        if any(same_file(target, other.target) for other in self._staged):
            raise InputError(
                "output-twice",
                "two outputs have this name.",
                place=str(path),
                remedy="give each output its own name.",
            )
        temporary = target.parent / f".{target.name[:50]}.{secrets.token_hex(4)}.tmp"
        self._staged.append(_Staged(temporary, path, target, kind))
        with _named_errors(path), temporary.open("x+b") as file:
            if callable(data):
                data(file)
            else:
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()

    def commit(self) -> None:
        """Rename all staged files to their targets, in the order of staging.

        The rule is applied again to each, since other programs may have written meanwhile.
        """
        for staged in self._staged:
            if self._rule.target(staged.path, staged.kind) != staged.target:
                raise exists(staged.path)
        while self._staged:
            staged = self._staged[0]
            with _named_errors(staged.path):
                if self._rule.force:
                    staged.temporary.replace(staged.target)
                else:
                    _rename_new(staged.temporary, staged.target)
                _sync_folder(staged.target.parent)
            del self._staged[0]


class _Staged(NamedTuple):
    """An output in its temporary file."""

    temporary: Path
    path: Path
    """As it was named."""
    target: Path
    """The same with links resolved."""
    kind: FileKind


def _is_of_kind(path: Path, kind: FileKind) -> bool:
    """Whether this is a file of that kind."""
    try:
        with open_input(path) as file:
            return kind.recognises(file.read(HEAD))
    except OSError:
        return False


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` while writing ``path`` into a ``CalibError``."""
    try:
        yield
    except OSError as error:
        if isinstance(error, CalibError):
            raise
        _raise_named(error, path)


def _rename_new(temporary: Path, path: Path) -> None:
    """Rename unless the target exists by now (making a link fails then)."""
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise exists(path) from error
    except OSError:  # a file system without hard links
        temporary.replace(path)
    else:
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the rename durable; some network file systems cannot, and return EINVAL.

    It cannot be done either in a folder that is writable but not readable.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _raise_named(error: OSError, path: Path) -> NoReturn:
    if error.errno in _FULL:
        raise StoreError(
            "disk-full",
            f"the disk is full, or your quota on it ({error.strerror}); nothing was written.",
            place=str(path),
            remedy="free some space, or give another output file.",
        ) from error
    if error.errno in _FORBIDDEN:
        raise read_only(path) from error
    raise StoreError(
        "write-failed",
        f"the file could not be written ({error.strerror or error}).",
        place=str(path),
        remedy="try again, or give another output file.",
    ) from error


def _unreadable(path: Path, error: OSError) -> MissingFileError:
    if isinstance(error, FileNotFoundError):
        problem, remedy = "there is no such file.", "check the name and the folder."
    elif isinstance(error, IsADirectoryError):
        problem, remedy = "this is a folder, not a file.", "name the file in it."
    elif isinstance(error, PermissionError):
        problem, remedy = "you have no read permission for this file.", "ask its owner for it."
    else:
        problem, remedy = f"the file cannot be read ({error.strerror or error}).", ""
    return MissingFileError("missing-file", problem, place=str(path), remedy=remedy)
