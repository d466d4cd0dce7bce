"""The fixtures that reach outside the project: do they give what they promise?"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from support.dials import FOREIGN_VARIABLES, Dials
from support.postgres import STOP_SECONDS, Server, fresh_database, running_server


def plain(url: str) -> str:
    """The address as psycopg itself takes it, without SQLAlchemy's name of the driver."""
    return url.replace("postgresql+psycopg:", "postgresql:", 1)


def complaint(server: Server) -> str:
    """What a client hears who has the wrong password, or finds nobody listening."""
    with pytest.raises(psycopg.OperationalError) as caught:
        server.connect()
    return str(caught.value)


def tables(url: str) -> list[str]:
    with psycopg.connect(plain(url)) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return [name for (name,) in rows]


def test_postgres_answers(postgres_url: str) -> None:
    with psycopg.connect(plain(postgres_url)) as connection:
        assert connection.execute("SELECT 6 * 7").fetchone() == (42,)


def test_postgres_listens_on_the_loopback_only(postgres_server: Server) -> None:
    with postgres_server.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)


def test_postgres_asks_for_the_password(postgres_server: Server) -> None:
    assert "password authentication failed" in complaint(Server(postgres_server.port, "wrong"))


@pytest.mark.parametrize("turn", [1, 2])
def test_a_fresh_database_is_empty_every_time(fresh_postgres_url: str, turn: int) -> None:
    assert tables(fresh_postgres_url) == []
    with psycopg.connect(plain(fresh_postgres_url)) as connection:
        connection.execute("CREATE TABLE left_over (turn integer)")
    assert tables(fresh_postgres_url) == ["left_over"], turn


def test_a_fresh_database_is_gone_afterwards(postgres_server: Server) -> None:
    with fresh_database(postgres_server) as name, postgres_server.connect(name) as left_open:
        assert conninfo_to_dict(left_open.info.dsn)["dbname"] == name
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        postgres_server.connect(name)


@pytest.fixture
def reachable_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder for temporary folders which every user can enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="calib-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        monkeypatch.setenv("TMPDIR", name)
        yield folder


@pytest.mark.postgres
def test_a_server_leaves_nothing_behind(reachable_folder: Path) -> None:
    with running_server() as server, server.connect() as connection:
        assert connection.info.port == server.port
        assert any(reachable_folder.iterdir())
    assert list(reachable_folder.iterdir()) == []
    with pytest.raises(psycopg.OperationalError):
        server.connect()


@pytest.mark.postgres
def test_a_server_ends_with_the_process_that_started_it(reachable_folder: Path) -> None:
    code = (
        "import os; from support.postgres import running_server;"
        "context = running_server(); print(context.__enter__().port, flush=True); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 9, done.stderr
    server = Server(int(done.stdout), "unknown")
    end = time.monotonic() + STOP_SECONDS
    while "refused" not in complaint(server):
        assert time.monotonic() < end, "the server outlives its process"
        time.sleep(0.05)
    assert any(reachable_folder.iterdir())


def test_dials_answers_with_its_version(dials: Dials, tmp_path: Path) -> None:
    assert dials.run("dials.version", cwd=tmp_path).stdout.startswith("DIALS 3.")


def test_dials_does_not_see_this_python_environment(
    dials: Dials, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FOREIGN_VARIABLES:
        monkeypatch.setenv(name, "/nowhere")
    assert not set(FOREIGN_VARIABLES) & set(dials.environment())


def test_a_failing_dials_program_shows_its_output(dials: Dials, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"dials\.refine absent\.expt: exit [1-9]"):
        dials.run("dials.refine", "absent.expt", cwd=tmp_path)
    assert dials.run("dials.refine", "absent.expt", cwd=tmp_path, check=False).returncode != 0


def test_the_real_data_are_the_ones_described(real_data: Path) -> None:
    assert {"thaumatin_6M", "lcysteine_2M", "stills_cspad"} <= {p.name for p in real_data.iterdir()}
