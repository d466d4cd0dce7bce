"""The one rule for existing files: which of them an output may replace.

All files that commands and library write pass here. A new name is created. An existing file is
replaced only with ``force``, and only if it is a regular file of the kind that is written, as its
first bytes show; an empty file has no kind. Never replaced are the inputs of the same act, the
files of the store and of any other SQLite database, folders, devices and pipes. A symbolic link is
resolved first: the rule is applied to its target, which is what is replaced.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from calib.config.location import database_beside, refuse_address
from calib.errors import InputError
from calib.files.kinds import HEAD, FileKind, kind_named

_ANOTHER = "give another output file."


@dataclass(frozen=True, slots=True)
class OutputRule:
    """What the outputs of one act may replace."""

    inputs: tuple[Path, ...] = ()
    """The files that it reads."""
    store: tuple[Path, ...] = ()
    """The files of the store that it works on (``StoreLike.files``)."""
    force: bool = False
    """Whether existing files of the same kind are replaced."""

    def target(self, path: Path, kind: FileKind) -> Path:
        """The file that is created or replaced: ``path`` with links resolved.

        Raises ``InputError`` where the rule forbids it, where ``path`` cannot be the name of a
        file, or where its folder does not exist or is not writable.
        """
        refuse_bad_name(path)
        self._refuse_own_files(path)
        found = _status(path)
        # Unlike the methods of Path these never raise.
        is_link = os.path.islink(path)  # noqa: PTH114
        real = Path(os.path.realpath(path)) if is_link else path
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise InputError(
                "output-is-folder",
                "the output is a folder.",
                place=str(path),
                remedy="name a file.",
            )
        if not os.path.isdir(real.parent):  # noqa: PTH112
            raise InputError(
                "no-output-folder",
                f"the folder {real.parent} does not exist.",
                place=str(path),
                remedy="create it, or give another output file.",
            )
        if found is not None:
            self._refuse_other_kinds(path, found, kind)
        elif is_link:
            raise InputError(
                "output-not-replaceable",
                f"this is a symbolic link to {real}, which does not exist.",
                place=str(path),
                remedy="remove the link, or give another output file.",
            )
        if not os.access(real.parent, os.W_OK | os.X_OK):
            raise read_only(path)
        return real

    def _refuse_own_files(self, path: Path) -> None:
        for source in self.inputs:
            if same_file(path, source):
                raise InputError(
                    "output-is-input",
                    f"the output would overwrite the input {source}.",
                    place=str(path),
                    remedy="give another output file; inputs are never overwritten, even with "
                    "--force.",
                )
        if any(same_file(path, own) for own in self.store) or database_beside(path) is not None:
            raise InputError(
                "output-is-store",
                "this file belongs to a store, which is never overwritten.",
                place=str(path),
                remedy=_ANOTHER,
            )

    def _refuse_other_kinds(self, path: Path, found: os.stat_result, kind: FileKind) -> None:
        there = _kind_of(path, found)
        if isinstance(there, bytes):
            if kind.recognises(there):
                if self.force:
                    return
                raise exists(path)
            there = kind_named(there)
        raise InputError(
            "output-not-replaceable" if self.force else "output-exists",
            f"the output exists already and is {there}; --force would replace only {kind.name}.",
            place=str(path),
            remedy=_ANOTHER if there != kind_named(b"") else f"remove it, or {_ANOTHER}",
        )


def check_writable_target(
    path: Path,
    kind: FileKind,
    *,
    inputs: tuple[Path, ...] = (),
    store: tuple[Path, ...] = (),
    force: bool = False,
) -> None:
    """Raise for an output that must not or cannot be written, before any work is done.

    Raises what ``OutputRule.target`` raises.
    """
    OutputRule(inputs, store, force).target(path, kind)


def refuse_bad_name(path: Path) -> None:
    """Raise ``InputError`` (``bad-name``) for a name that is not text, since names are printed and
    recorded, and for an address."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "bad-name",
            "the file's name is not UTF-8 text.",
            place=os.fsencode(path).decode("utf-8", "replace"),
            remedy="rename the file.",
        ) from error
    refuse_address(path)


def same_file(one: Path, other: Path) -> bool:
    """Whether two names lead to one file, existing or not, also by symbolic or hard links."""
    if os.path.realpath(one) == os.path.realpath(other):  # also where links form a loop
        return True
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def exists(path: Path) -> InputError:
    """The error for an output that exists, and that ``--force`` would replace."""
    return InputError(
        "output-exists",
        "the output exists already.",
        place=str(path),
        remedy="use --force, or give another output file.",
    )


def read_only(path: Path) -> InputError:
    """The error for an output in a folder that this user may not write to."""
    return InputError(
        "output-not-writable",
        f"you have no write permission in the folder {path.parent}.",
        place=str(path),
        remedy="give another output file, in a folder that you may write to.",
    )


def _status(path: Path) -> os.stat_result | None:
    """What the name leads to; None where it leads to nothing."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None  # what is wrong, if anything, is reported later
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            "bad-output-name",
            f"no file can have this name ({why}).",
            place=str(path),
            remedy=_ANOTHER,
        ) from error


def _kind_of(path: Path, found: os.stat_result) -> bytes | str:
    """The first bytes of a regular file, or else what is there instead."""
    if not stat.S_ISREG(found.st_mode):
        return "a device or a pipe"
    try:
        # Whatever takes its place meanwhile: a pipe would block without O_NONBLOCK.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return "a device or a pipe"
            return file.read(HEAD)
    except OSError:
        return "a file that cannot be read"
