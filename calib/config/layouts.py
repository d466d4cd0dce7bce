"""Layouts of the user: files of detector families in the settings folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from calib.errors import FileFormatError, MissingFileError
from calib.model.detector.families import Registry, built_in, extended
from calib.model.detector.known_detector import KnownDetector, read_family

SUFFIX = ".toml"


def layouts_folder() -> Path:
    """The folder of the user's layouts, in the settings folder."""
    from platformdirs import user_config_path

    return user_config_path("calib", appauthor=False) / "layouts"


def known_detectors(folder: Path | None = None, *, without: Sequence[Path] = ()) -> Registry:
    """The built-in detectors and those of the user, less the files ``without``.

    Raises ``FileFormatError`` for a file that cannot be used, and ``InputError`` for a name that
    occurs twice.
    """
    folder = layouts_folder() if folder is None else folder
    try:
        files = sorted(path for path in folder.glob(f"*{SUFFIX}") if path not in without)
    except OSError:
        files = []
    registry = built_in()
    for path in files:
        registry = extended(registry, read_layouts(path))
    return registry


def read_layouts(path: Path) -> list[KnownDetector]:
    """The detectors in a file of a family.

    Raises ``MissingFileError`` and ``FileFormatError``.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - never raise
        raise MissingFileError(  # a pipe may never end
            "missing-file", "this is not a regular file.", place=str(path), remedy="name a file."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingFileError(
            "missing-file",
            f"the file cannot be read ({error.strerror or error}).",
            place=str(path),
            remedy="check the name, the folder and its permissions.",
        ) from error
    except ValueError as error:
        raise FileFormatError(
            "bad-family",
            f"this is not text in UTF-8 ({error}).",
            place=str(path),
            remedy="give a file in TOML; docs/reference/layouts.md describes it.",
        ) from error
    return read_family(text, str(path))
