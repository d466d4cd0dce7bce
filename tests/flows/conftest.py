"""A separate store for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calib.store.store import Store
from support.copies import Copies


@pytest.fixture
def store(tmp_path: Path, copies: Copies) -> Iterator[Store]:
    copies.file(Store.create, tmp_path / "calib.sqlite")
    with Store.open(tmp_path / "calib.sqlite") as opened:
        yield opened
