"""What is shipped: the wheel, its metadata, and the versions that were tested."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("calib", "calib_cli", "calib_migrations")
HEAVY = (
    "alembic",
    "fabio",
    "gemmi",
    "h5py",
    "matplotlib",
    "numpy",
    "scipy",
    "sqlalchemy",
    "sqlmodel",
)


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = folder.glob("*.whl")
    return zipfile.Path(archive)


def pins(name: str) -> dict[str, str]:
    """Package name to version, of every line in a constraints file."""
    lines = (ROOT / name).read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in wanted), wanted
    return {canonical(line.split("==")[0]): line.split("==")[1] for line in wanted}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def floors(requirements: list[str]) -> dict[str, str]:
    """Package name to the lower end of its range."""
    found = [re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", text) for text in requirements]
    return {canonical(match[1]): match[2] for match in found if match}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_carries_every_package(wheel: zipfile.Path, package: str) -> None:
    shipped = {p.name for p in (wheel / package).iterdir()}
    assert {"__init__.py", "py.typed"} <= shipped


def test_the_wheel_carries_nothing_else(wheel: zipfile.Path, project: dict[str, Any]) -> None:
    top = {p.name for p in wheel.iterdir() if not p.name.endswith(".dist-info")}
    assert top == set(PACKAGES)
    assert project["scripts"] == {"calib": "calib_cli.main:main"}


def test_the_lower_ends_promised_are_the_ones_tested(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *extras["postgres"], *extras["dask"]]
    promised = floors(requirements)
    assert len(promised) == len(requirements), "a dependency without a lower end"
    tested = pins("constraints-lowest.txt")
    assert {name: tested.get(name) for name in promised} == promised


def test_every_dependency_is_pinned(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *itertools.chain.from_iterable(extras.values())]
    names = {canonical(re.split(r"[\[>=]", text)[0]) for text in named} - {"calib-metrology"}
    assert names <= set(pins("constraints.txt"))


def test_importing_calib_loads_nothing_heavy() -> None:
    code = "import sys, calib, calib.errors, calib_cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())
