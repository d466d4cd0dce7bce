"""Commands start quickly: each loads what it uses. Help loads neither numpy nor a database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.children import run
from support.commands import ALL_COMMANDS

HEAVY = {
    "alembic",
    "fabio",
    "gemmi",
    "h5py",
    "matplotlib",
    "msgpack",
    "numpy",
    "psycopg",
    "scipy",
    "sqlalchemy",
    "sqlmodel",
}
PROGRAM = """
import json, os, sys
from calib_cli.main import app
from typer.main import get_command
command = get_command(app)
for words in json.loads(sys.argv[1]):
    sys.stdout.flush()
    if os.fork() == 0:  # so that each command begins with the modules of the program only
        code = command.main([*words, "--help"], prog_name="calib", standalone_mode=False)
        assert code == 0
        print("loaded:", json.dumps([words, sorted(sys.modules)]))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


def test_help_loads_nothing_heavy() -> None:
    printed = run(PROGRAM, json.dumps(ALL_COMMANDS)).splitlines()
    found = [json.loads(line[8:]) for line in printed if line.startswith("loaded: ")]
    assert [tuple(words) for words, _ in found] == ALL_COMMANDS
    for words, loaded in found:
        assert "calib_cli.main" in loaded
        assert not HEAVY & set(loaded), words


REFINING = {"calib.solve.dataset.fit", "calib.solve.dataset.normal_equations", "gemmi", "msgpack"}
"""Models of crystals and scans, and what reads reflections."""
SOLVING = {"calib.solve.panels.system", "scipy"}
FORMATS = {"fabio", "h5py", "cryptography"}
UPGRADING = {"alembic", "psycopg", "asyncpg"}
KEEPING = {
    "calib.store.maintenance.backup",
    "calib.store.maintenance.check",
    "calib.store.maintenance.upgrade",
}
TRAVELLING = {"calib.store.bundle.export", "calib.store.bundle.load"}
UNUSED_OF_SCIPY = {f"scipy.{name}" for name in ("interpolate", "optimize", "sparse", "spatial")}
"""The solver uses scipy.linalg and scipy.special; each of these takes longer to load than both
(scipy 1.10 loads scipy.sparse by itself)."""
NEVER = {"distributed", "matplotlib"} | KEEPING | TRAVELLING
COMMAND = """
import sys
from calib_cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *sys.modules)
"""
NOT_USED = {
    "list": REFINING | FORMATS | UPGRADING | SOLVING,
    "history 24-0107": REFINING | FORMATS | UPGRADING,  # compares calibrations by chi-square
    "resolve 24-0107 --at 2026-03-05 --distance-mm 200": REFINING | FORMATS | UPGRADING | SOLVING,
    "apply night1.expt --calibration 24-0107:3 -o out.expt": FORMATS
    | UPGRADING
    | SOLVING
    | {"gemmi"},
    "combine 24-0107:3 --without night1 --json": REFINING | UPGRADING | {"fabio"},
    "derive night1.expt night1.refl --json": UPGRADING | {"fabio"},
}


@pytest.mark.parametrize("command", NOT_USED)
def test_a_command_loads_only_what_it_uses(certified: Path, command: str) -> None:
    assert certified == Path.cwd()
    loaded = run(COMMAND, *command.split()).splitlines()[-1].split()
    assert loaded[0] == "loaded:"
    of_scipy = run("import sys, scipy.linalg, scipy.special; print(*sys.modules)").split()
    unused = NOT_USED[command] | NEVER | (UNUSED_OF_SCIPY - set(of_scipy))
    assert set() == unused & set(loaded)
