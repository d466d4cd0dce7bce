"""Profiles and fixtures that all tests share."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from support.copies import Copies, Fill
from support.dials import Dials
from support.draws import draw_alike_everywhere
from support.leaks import nothing_left_open as nothing_left_open
from support.postgres import Server, fresh_database, memory_folder, running_server

PROFILE = os.environ.get("CALIB_TEST_PROFILE", "default")
# The default profile is the same on every machine and run; the long one looks for new examples.
settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long",
    max_examples=1000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(PROFILE)
if PROFILE == "default":
    draw_alike_everywhere()

# Records of tests have times of their own. tests/store/test_clocks.py uses the default settings.
os.environ.setdefault("CALIB_CLOCK_GAP_DAYS", "200000")
os.environ.setdefault("CALIB_CLOCK_TOLERANCE_DAYS", "200000")

# The marker that a test gets with a fixture, so that `-m "not postgres"` leaves out all of them.
MARKER_OF_FIXTURE = {"real_data": "real_data", "dials": "dials", "postgres_server": "postgres"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they use; skip the long ones unless they were asked for."""
    for item in items:
        for fixture, marker in MARKER_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)
        if PROFILE != "long" and item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long: set CALIB_TEST_PROFILE=long"))


def missing(what: str) -> NoReturn:
    """Skip the test, since something outside the project is absent; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real metrology data, which are not part of the project."""
    name = os.environ.get("CALIB_REAL_DATA")
    if not name:
        missing("the real data are absent: CALIB_REAL_DATA names no folder")
    folder = Path(name)
    if not folder.is_dir():
        missing(f"the real data are absent: CALIB_REAL_DATA names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def public_cases(real_data: Path) -> Path:
    """The folder of files from public bug reports, in or beside that of the real data."""
    for folder in (real_data / "cases", real_data.parent / "cases"):
        if folder.is_dir():
            return folder
    missing(f"the public cases are absent: there is no folder {real_data.parent / 'cases'}")


@pytest.fixture(scope="session")
def dials() -> Dials:
    """Real DIALS programs: ``dials.run("dials.refine", "a.expt", "a.refl", cwd=tmp_path)``."""
    program = shutil.which("dials.refine")
    if program is None:
        missing("DIALS is absent: dials.refine is not on the PATH (Debian: apt-get install dials)")
    return Dials(Path(program).parent)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A running Postgres server, one per test process; failing to start is a failure."""
    with running_server(memory_folder()) as server:
        yield server


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Copies of stores that are made once per test process."""
    return Copies(tmp_path_factory.mktemp("originals"))


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Server) -> str:
    """The address of the server's own database, for what needs a server but no tables."""
    return postgres_server.url()


@pytest.fixture
def fresh_postgres_url(postgres_server: Server) -> Iterator[str]:
    """The address of a new empty database, dropped after the test."""
    with fresh_database(postgres_server) as name:
        yield postgres_server.url(name)


@pytest.fixture
def second_postgres_url(postgres_server: Server) -> Iterator[str]:
    """The address of another new empty database."""
    with fresh_database(postgres_server) as name:
        yield postgres_server.url(name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def copy_of(
    request: pytest.FixtureRequest, tmp_path: Path, copies: Copies
) -> Iterator[Callable[[Fill], str]]:
    """Returns where a copy is of the store that a function makes: a path, or an address."""
    with contextlib.ExitStack() as databases:

        def copied(fill: Fill) -> str:
            if request.param == "sqlite":
                path = tmp_path / "calib.sqlite"
                copies.file(fill, path)
                return str(path)
            server = request.getfixturevalue("postgres_server")
            return databases.enter_context(copies.database(fill, server))

        yield copied
