"""Help is quick: it loads nothing that only a calculation or a database needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.children import environment
from support.commands import ALL_COMMANDS

HEAVY = {
    "alembic",
    "fabio",
    "gemmi",
    "h5py",
    "msgpack",
    "numpy",
    "psycopg",
    "scipy",
    "sqlalchemy",
}
PROGRAM = """
import sys
from calib_cli.main import app
from typer.main import get_command
code = get_command(app).main([*sys.argv[1:], "--help"], prog_name="calib", standalone_mode=False)
assert code == 0
print("loaded:", *sys.modules)
"""


@pytest.mark.parametrize("words", ALL_COMMANDS, ids=str)
def test_help_loads_nothing_heavy(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "calib_cli.main" in loaded
    assert not HEAVY & loaded
