"""The crash report: a file in the user's log folder with command line, versions and traceback."""

from __future__ import annotations

import os
import platform
import stat
import tempfile
import traceback
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from calib.passwords import without_password

_PACKAGES = ("calib-metrology", "numpy", "scipy", "sqlalchemy", "sqlmodel", "typer", "gemmi")
_OWN = 0o700


def write_report(error: BaseException, words: list[str]) -> Path | None:
    """Write a report and return its path, or None if no folder can be written.

    The folder belongs to this user, who alone may read it: the log folder, or else a new one in
    the folder of temporary files.
    """
    now = datetime.now(UTC)
    name = f"bug-{now:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    text = _report(error, words, now).encode("utf-8", "backslashreplace")
    for folder_of in (_log_folder, _new_folder):
        try:
            folder = folder_of()
            _write_new(folder, name, text)
        except OSError:
            continue
        return folder / name
    return None


def _log_folder() -> Path:
    from platformdirs import user_log_path

    folder = user_log_path("calib", appauthor=False)
    folder.mkdir(mode=_OWN, parents=True, exist_ok=True)
    return folder


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="calib-bug-"))


def _write_new(folder: Path, name: str, text: bytes) -> None:
    """Write a new file in a folder of this user.

    The folder is held open meanwhile, so that another user who may write beside it cannot put a
    link in its place. Raises ``OSError`` where it is a link or belongs to another user.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        status = os.fstat(held)
        if status.st_uid != os.geteuid():
            raise PermissionError(f"{folder} belongs to another user")  # noqa: EM102
        if stat.S_IMODE(status.st_mode) != _OWN:
            os.fchmod(held, _OWN)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=held), "wb") as file:
            file.write(text)
    finally:
        os.close(held)


def _report(error: BaseException, words: list[str], now: datetime) -> str:
    versions = [f"{name} {_version(name)}" for name in _PACKAGES]
    command = " ".join(["calib", *(without_password(word) for word in words)])
    # Messages of database drivers may quote the store's address; each line by itself, since what
    # looks like an address hides all up to the next @.
    trace = "".join(traceback.format_exception(error))
    return "\n".join(
        [
            f"When: {now.isoformat()}",
            f"Command: {command}",
            f"System: Python {platform.python_version()} on {platform.platform()}",
            f"Packages: {', '.join(versions)}",
            "",
            *(without_password(line) for line in trace.split("\n")),
        ]
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(absent)"
