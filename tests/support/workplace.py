"""A folder of prepared files as the current folder of a test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def copied_here(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> Path:
    """A fresh copy of a folder as the current one, its ``store`` as CALIB_STORE, used by ada."""
    folder = tmp_path / "here"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CALIB_STORE", str(folder / store))
    monkeypatch.setenv("CALIB_ACTOR", "ada")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "settings"))
    return folder
