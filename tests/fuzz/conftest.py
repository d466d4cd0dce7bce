"""Files and a store with one certified calibration, made once and copied for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import done
from support.simulated import write_story
from support.workplace import copied_here


@pytest.fixture(scope="session")
def certified_story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files, and a store in which 24-0107:1 is certified and applied."""
    folder = tmp_path_factory.mktemp("fuzz") / "data"
    write_story(folder)
    store = ("--store", folder / "beamline.sqlite", "--by", "ada")
    done("init", *store[:2])
    done("derive", folder / "night1.expt", folder / "night1.refl", *store)
    done("certify", "24-0107:1", "--from", "2026-03-01", "--reason", "new", *store)
    done("apply", folder / "imported.expt", "-o", folder / "calibrated.expt", *store)
    bundle = folder / "all.calib-bundle"
    done("bundle", "create", "24-0107", "--with-usage", "-o", bundle, *store[:2])
    return folder


@pytest.fixture
def here(certified_story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy as the current folder, and of the store as CALIB_STORE."""
    folder = copied_here(certified_story, tmp_path, monkeypatch, "beamline.sqlite")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    return folder
