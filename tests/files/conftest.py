"""Fixtures of the tests of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.model.experiment.dataset import Dataset
from support.pair_folder import Folder, simulated


@pytest.fixture(scope="module")
def first() -> Dataset:
    return simulated(1, (57.8, 57.8, 150.2), "first")


@pytest.fixture(scope="module")
def second() -> Dataset:
    return simulated(2, (79.0, 79.0, 37.0), "second")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
