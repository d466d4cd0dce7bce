"""Files that are made under another name first, so that nobody ever opens half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from calib.errors import StoreError


@contextlib.contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """An empty file to be filled, which gets the name ``path`` where the block ends well.

    What bears that name is never replaced: then ``FileExistsError`` is raised at the end. Raises
    ``StoreError`` (``store-not-made``) where no file can be made there.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    except OSError as error:
        raise StoreError(
            "store-not-made",
            f"no file can be made here: {error.strerror or error}.",
            place=str(path),
            remedy="name a folder that you may write.",
        ) from None
    try:
        yield draft
        try:
            path.hardlink_to(draft)  # unlike a rename, it never replaces what is there
        except FileExistsError:
            raise
        except OSError:  # a file system without links
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
