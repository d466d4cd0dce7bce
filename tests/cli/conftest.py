"""Files and a store that the commands work on, made once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.commands import done
from support.simulated import write_story
from support.workplace import copied_here

STORE = "beamline.sqlite"


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files, and a store in which 24-0107:3 is not certified yet."""
    folder = tmp_path_factory.mktemp("story") / "data"
    write_story(folder)
    store = ("--store", folder / STORE)
    night1 = folder / "night1.expt", folder / "night1.refl"
    night2 = folder / "night2.expt", folder / "night2.refl"
    done("init", *store)
    for files in (night1, night2, (*night1, *night2)):
        done("derive", *files, *store, "--by", "ada")
    return folder


@pytest.fixture
def here(story: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the files as the current folder, and of the store as CALIB_STORE."""
    return copied_here(story, tmp_path, monkeypatch, STORE)


@pytest.fixture(scope="session")
def certified_store(story: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the story, in which 24-0107:3 is certified for March 2026."""
    words = ("--from", "2026-03-01", "--to", "2026-04-01", "--reason", "new")
    with pytest.MonkeyPatch.context() as patched:
        folder = copied_here(story, tmp_path_factory.mktemp("certified"), patched, STORE)
        done("certify", "24-0107:3", *words)
    return folder / STORE


@pytest.fixture
def certified(here: Path, certified_store: Path) -> Path:
    """The folder of ``here``, with 24-0107:3 certified for March 2026."""
    shutil.copy(certified_store, here / STORE)
    return here
