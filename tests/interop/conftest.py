"""Fixtures of the tests with other programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calib.store.store import Store
from support.copies import Copies


@pytest.fixture
def store(tmp_path: Path, copies: Copies) -> Iterator[Store]:
    """A new store in a folder of its own."""
    folder = tmp_path / "store"
    folder.mkdir()
    copies.file(Store.create, folder / "calib.sqlite")
    with Store.open(folder / "calib.sqlite") as opened:
        yield opened
