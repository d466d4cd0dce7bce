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
from typing import BinaryIO, NoReturn, Self

from calib.errors import CalibError, InputError, MissingFileError, StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def read_bytes(path: Path) -> bytes:
    """All bytes of a file; raises ``MissingFileError`` where it is missing or not readable."""
    try:
        with open_input(path) as file:
            return file.read()
    except MissingFileError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error


def open_input(path: Path) -> BufferedReader:
    """A file opened to read bytes; raises ``MissingFileError`` where it cannot be opened."""
    _refuse_no_text(path)
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


def check_writable_target(path: Path, *, inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Raise for an output that must not or cannot be written, before any work is done.

    Raises ``InputError`` where ``path`` is one of ``inputs`` (also by another name: symbolic or
    hard link), is a folder, is in a folder that does not exist or is not writable, or exists and
    ``force`` is not set.
    """
    _refuse_no_text(path)
    for source in inputs:
        if _same_file(path, source):
            raise InputError(
                "output-is-input",
                f"the output would overwrite the input {source}.",
                place=str(path),
                remedy="give another output file; inputs are never overwritten, even with --force.",
            )
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass  # what is wrong, if anything, is reported below
    except OSError as error:
        raise InputError(
            "bad-output-name",
            f"no file can have this name ({error.strerror or error}).",
            place=str(path),
            remedy="give another output file.",
        ) from error
    if path.is_dir():
        raise InputError(
            "output-is-folder", "the output is a folder.", place=str(path), remedy="name a file."
        )
    if not path.parent.is_dir():
        raise InputError(
            "no-output-folder",
            f"the folder {path.parent} does not exist.",
            place=str(path),
            remedy="create it, or give another output file.",
        )
    if path.exists() and not force:
        raise InputError(
            "output-exists",
            "the output exists already.",
            place=str(path),
            remedy="use --force, or give another output file.",
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _read_only(path)


def claim_folder(folder: Path, mark: str, note: str) -> None:
    """Create a folder whose files may be replaced, or reuse one that was created so before.

    It is recognised by the file ``mark``, which contains ``note``. Raises ``InputError``
    (``folder-in-use``) for a folder with other files, and what ``check_writable_target`` raises.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        in_use = not (folder / mark).exists() and any(folder.iterdir())
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
    write_safely(folder / mark, note.encode(), force=True)


def write_safely(
    path: Path,
    data: bytes | Callable[[BinaryIO], None],
    *,
    inputs: Iterable[Path] = (),
    force: bool = False,
) -> None:
    """Write ``data`` (bytes, or a function that writes them) to ``path`` atomically.

    Raises what ``check_writable_target`` raises, and ``StoreError`` with the code ``disk-full``
    or ``write-failed``. No temporary file is left behind.
    """
    with Outputs(inputs=inputs, force=force) as outputs:
        outputs.stage(path, data)
        outputs.commit()


class Outputs:
    """Several outputs that are written together: staged in temporary files, then renamed.

    ``with Outputs(inputs=..., force=...) as outputs: outputs.stage(...); outputs.commit()``;
    what was staged and not committed is removed on exit.
    """

    def __init__(self, *, inputs: Iterable[Path] = (), force: bool = False) -> None:
        self._inputs = tuple(inputs)
        self._force = force
        self._staged: list[tuple[Path, Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for temporary, _path in self._staged:
            temporary.unlink(missing_ok=True)

    def stage(self, path: Path, data: bytes | Callable[[BinaryIO], None]) -> str:
        """Write ``data`` to a temporary file beside ``path``; returns the SHA-256 of its bytes.

        Raises what ``check_writable_target`` raises, and ``StoreError`` with the code
        ``disk-full`` or ``write-failed``.
        """
        check_writable_target(path, inputs=self._inputs, force=self._force)
        if any(_same_file(path, other) for _, other in self._staged):
            raise InputError(
                "output-twice",
                "two outputs have this name.",
                place=str(path),
                remedy="give each output its own name.",
            )
        temporary = path.parent / f".{path.name[:50]}.{secrets.token_hex(4)}.tmp"
        self._staged.append((temporary, path))
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
        """Rename all staged files to their targets, in the order of staging."""
        while self._staged:
            temporary, path = self._staged[0]
            with _named_errors(path):
                if self._force:
                    temporary.replace(path)
                else:
                    _rename_new(temporary, path)
                _sync_folder(path.parent)
            del self._staged[0]


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
        raise InputError(
            "output-exists",
            "the output exists already.",
            place=str(path),
            remedy="use --force, or give another output file.",
        ) from error
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
        raise _read_only(path) from error
    raise StoreError(
        "write-failed",
        f"the file could not be written ({error.strerror or error}).",
        place=str(path),
        remedy="try again, or give another output file.",
    ) from error


def _read_only(path: Path) -> InputError:
    return InputError(
        "output-not-writable",
        f"you have no write permission in the folder {path.parent}.",
        place=str(path),
        remedy="give another output file, in a folder that you may write to.",
    )


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


def _refuse_no_text(path: Path) -> None:
    """Raise ``InputError`` for a name that is not text, since names are printed and recorded."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "bad-name",
            "the file's name is not UTF-8 text.",
            place=os.fsencode(path).decode("utf-8", "replace"),
            remedy="rename the file.",
        ) from error


def _same_file(one: Path, other: Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):  # also where links form a loop
        return True
    try:
        return one.samefile(other)
    except OSError:
        return False
