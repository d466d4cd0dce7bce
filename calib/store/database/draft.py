"""New files, written under a temporary name so that no other program opens an incomplete one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from calib.config.location import database_beside, refuse_address
from calib.errors import InputError, StoreError


@contextlib.contextmanager
def draft_file(path: Path) -> Iterator[Path]:
    """An empty temporary file, renamed to ``path`` if the block succeeds.

    An existing file is never replaced: ``FileExistsError`` is raised at the end. Raises
    ``InputError`` for an address (``bad-name``) and for a name that SQLite would take for the log
    of a database (``output-is-store``), and ``StoreError`` (``store-not-made``) if no file can be
    created in the folder.
    """
    refuse_address(path)
    if (database := database_beside(path)) is not None:
        raise InputError(
            "output-is-store",
            f"this name belongs to the log of the database {database}.",
            place=str(path),
            remedy="give another file name.",
        )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    except OSError as error:
        raise StoreError(
            "store-not-made",
            f"the file cannot be created: {error.strerror or error}.",
            place=str(path),
            remedy="choose a folder in which you may create files.",
        ) from None
    try:
        yield draft
        try:
            path.hardlink_to(draft)  # unlike a rename, it never replaces a file
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if os.path.lexists(path):
                raise FileExistsError(path) from None
            draft.rename(path)
        _sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
