"""The crash report: a file in the user's log folder with command line, versions and traceback."""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import traceback
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_PACKAGES = ("calib-metrology", "numpy", "scipy", "sqlalchemy", "sqlmodel", "typer", "gemmi")


def write_report(error: BaseException, words: list[str]) -> Path | None:
    """Write a report and return its path, or None if no folder can be written."""
    now = datetime.now(UTC)
    name = f"bug-{now:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    text = _report(error, words, now)
    for folder in _folders():
        path = folder / name
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            return path
    return None


def _folders() -> list[Path]:
    from platformdirs import user_log_path

    return [user_log_path("calib", appauthor=False), Path(tempfile.gettempdir())]


def _report(error: BaseException, words: list[str], now: datetime) -> str:
    from calib.config.location import without_password

    versions = [f"{name} {_version(name)}" for name in _PACKAGES]
    command = " ".join(["calib", *(without_password(word) for word in words)])
    # Messages of database drivers may quote the store's address.
    trace = without_password("".join(traceback.format_exception(error)))
    return "\n".join(
        [
            f"When: {now.isoformat()}",
            f"Command: {command}",
            f"System: Python {platform.python_version()} on {platform.platform()}",
            f"Packages: {', '.join(versions)}",
            "",
            trace,
        ]
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(absent)"
