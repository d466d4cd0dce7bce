"""Stores on a Postgres server that is unreachable, refuses, or permits only reads."""

from __future__ import annotations

import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from calib.errors import CalibError, InputError, StoreError, StoreReadOnlyError
from calib.store.api import maintenance
from calib.store.database.database import Database
from calib.store.database.retry import retry_read
from calib.store.log.log import add_stamp
from calib.store.schema import revision
from calib.store.store import Store
from support import raw
from support.postgres import Server
from support.records import HOUR, NOON, SERIAL, calibration, certification, detector, stamp

PASSWORD = "correct-horse-battery"  # noqa: S105


def full_text(error: CalibError) -> str:
    """The message and its traceback, as in a log file."""
    return "".join([str(error), repr(error), *traceback.format_exception(error)])


def test_an_unreachable_server_is_named_without_the_password() -> None:
    place = f"postgresql://ada:{PASSWORD}@127.0.0.1:1/calib"
    for use in (Store.open, Store.create, maintenance.upgrade):
        with pytest.raises(StoreError, match="the database server does not answer") as caught:
            use(place)
        assert (caught.value.code, caught.value.exit_code) == ("store-unreachable", 3)
        assert caught.value.place == "postgresql+psycopg://ada:***@127.0.0.1:1/calib"
        assert PASSWORD not in full_text(caught.value)


def test_a_wrong_password_is_refused_and_not_shown(postgres_url: str) -> None:
    address = make_url(postgres_url).set(password=PASSWORD)
    with pytest.raises(StoreError, match="refused this user or password") as caught:
        Store.open(address.render_as_string(hide_password=False))
    assert (caught.value.code, caught.value.exit_code) == ("store-refused", 3)
    assert PASSWORD not in full_text(caught.value)


def test_a_missing_database_is_not_a_store(postgres_url: str) -> None:
    address = make_url(postgres_url).set(database="no_such_database")
    with pytest.raises(InputError, match="the server has no such database") as caught:
        Store.open(address.render_as_string(hide_password=False))
    assert caught.value.code == "no-store"
    assert caught.value.remedy.startswith("createdb, then calib init --store ")


def hang_up(url: str) -> None:
    """Close every other connection to a database, as a restart does."""
    raw.execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def test_reads_and_writes_reconnect_if_they_had_not_begun(
    fresh_postgres_url: str,
) -> None:
    Store.create(fresh_postgres_url)
    with Store.open(fresh_postgres_url) as store:
        hang_up(fresh_postgres_url)
        assert store.detectors.add(detector(), stamp())
        hang_up(fresh_postgres_url)
        assert [record.serial for record in store.detectors.list()] == [SERIAL]
        assert len(raw.rows(fresh_postgres_url, "deed")) == 1


def test_an_interrupted_read_is_retried(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    turns = []
    with Store.open(fresh_postgres_url) as store:

        @retry_read
        def question(database: Database) -> object:
            with database.reading() as connection:
                turns.append(connection.exec_driver_sql("SELECT 1").scalar())
                if len(turns) == 1:
                    hang_up(fresh_postgres_url)
                return connection.exec_driver_sql("SELECT 2").scalar()

        assert question(store._database) == 2
    assert turns == [1, 1]


def test_an_interrupted_write_is_not_retried(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    turns = 0
    with Store.open(fresh_postgres_url) as store:

        @retry_read
        def change(database: Database) -> None:
            nonlocal turns
            with database.writing() as connection:
                turns += 1
                add_stamp(connection, stamp())
                hang_up(fresh_postgres_url)
                add_stamp(connection, stamp())

        with pytest.raises(StoreError, match="the database server does not answer") as caught:
            change(store._database)
        assert (caught.value.code, caught.value.exit_code) == ("store-unreachable", 3)
        assert (turns, raw.rows(fresh_postgres_url, "deed")) == (1, [])

        @retry_read
        def change_and_read(database: Database) -> None:
            nonlocal turns
            with database.writing() as connection:
                turns += 1
                add_stamp(connection, stamp())
            with database.reading() as connection:
                hang_up(fresh_postgres_url)
                connection.exec_driver_sql("SELECT 1")

        with pytest.raises(StoreError, match="the database server does not answer"):
            change_and_read(store._database)
        assert (turns, len(raw.rows(fresh_postgres_url, "deed"))) == (2, 1)


def test_an_interrupted_commit_is_reported_as_uncertain(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    with Store.open(fresh_postgres_url) as store:
        with (
            pytest.raises(StoreError, match="not known whether the change was recorded") as caught,
            store._database.writing() as connection,
        ):
            add_stamp(connection, stamp())
            hang_up(fresh_postgres_url)
        assert caught.value.code == "store-unreachable"
        assert "calib audit log" in caught.value.remedy
        assert store.detectors.add(detector(), stamp())


def test_a_role_without_write_access_can_resolve(
    postgres_server: Server, fresh_postgres_url: str
) -> None:
    Store.create(fresh_postgres_url)
    with Store.open(fresh_postgres_url) as store:
        stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
        store.certifications.certify(certification(stored))
    role = make_url(fresh_postgres_url).database
    raw.execute(fresh_postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    try:
        address = make_url(fresh_postgres_url).set(username=role, password=PASSWORD)
        with pytest.raises(StoreError, match="cannot be read: permission denied") as caught:
            Store.open(address.render_as_string(hide_password=False))
        assert caught.value.code == "store-unreadable"
        raw.execute(fresh_postgres_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        with Store.open(address.render_as_string(hide_password=False)) as store:
            assert store.resolve(SERIAL, NOON, 150.0).calibration.id == stored.id
            assert store.calibrations.corrections(SERIAL)
            assert len(store.calibrations.list()) == 1
            with pytest.raises(StoreReadOnlyError, match="may read the store, but not write to it"):
                store.certifications.certify(certification(stored, NOON + HOUR))
            with pytest.raises(StoreReadOnlyError, match="may read the store, but not write to it"):
                store.require_writable()  # as before long work
    finally:
        raw.execute(fresh_postgres_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_standby_may_only_be_read(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    name = make_url(fresh_postgres_url).database
    raw.execute(fresh_postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with Store.open(fresh_postgres_url) as store:
        assert store.detectors.list() == []
        with pytest.raises(StoreReadOnlyError) as caught:
            store.detectors.add(detector(), stamp())
        assert (caught.value.code, caught.value.exit_code) == ("store-read-only", 3)
        with pytest.raises(StoreReadOnlyError):
            store.require_writable()


def until(url: str, found: str) -> None:
    """Wait until a question finds a row."""
    end = time.monotonic() + 60.0
    while not raw.execute(url, found):
        assert time.monotonic() < end, found
        time.sleep(0.01)


def test_a_read_that_deadlocks_with_an_upgrade_is_retried(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    turns = 0
    with (
        Store.open(fresh_postgres_url) as store,
        raw.connection(fresh_postgres_url) as upgrade,
        ThreadPoolExecutor(1) as beside,
    ):
        upgrade.execute("SET deadlock_timeout = '10min'")  # so that the read is the one aborted

        @retry_read
        def question(database: Database) -> object:
            nonlocal turns
            turns += 1
            with database.reading() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM detector")
                if turns == 1:
                    upgrade.execute("BEGIN; LOCK TABLE calibration")
                    waiting = beside.submit(upgrade.execute, "LOCK TABLE detector; COMMIT")
                    ended.append(waiting)
                    until(fresh_postgres_url, "SELECT 1 FROM pg_locks WHERE NOT granted")
                return connection.exec_driver_sql("SELECT count(*) FROM calibration").scalar()

        ended: list[Future[object]] = []
        assert question(store._database) == 0
        ended[0].result()
    assert turns == 2


def test_a_read_that_the_server_times_out_is_retried(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    name = make_url(fresh_postgres_url).database
    limit = "idle_in_transaction_session_timeout"
    raw.execute(fresh_postgres_url, f"ALTER DATABASE {name} SET {limit} = '100ms'")
    turns = 0
    with Store.open(fresh_postgres_url) as store:

        @retry_read
        def question(database: Database) -> object:
            nonlocal turns
            turns += 1
            with database.reading() as connection:
                pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
                if turns == 1:
                    until(
                        fresh_postgres_url,
                        f"SELECT WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})",
                    )
                return connection.exec_driver_sql("SELECT 2").scalar()

        assert question(store._database) == 2
    assert turns > 1


def encoded(server: Server, encoding: str) -> str:
    """The name of a new database that keeps its text in an encoding."""
    name = f"calib_{encoding.lower()}"
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'")
    return name


def test_a_database_that_cannot_hold_every_text_is_refused(postgres_server: Server) -> None:
    for encoding in ("SQL_ASCII", "LATIN1"):
        place = postgres_server.url(encoded(postgres_server, encoding))
        with pytest.raises(InputError, match=f"stores text as {encoding}") as caught:
            Store.create(place)
        assert caught.value.code == "not-unicode"
        assert "createdb --encoding UTF8" in caught.value.remedy
        assert raw.execute(place, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [
            (0,)
        ]


def test_text_that_the_encoding_of_a_store_cannot_hold_is_refused(
    postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = postgres_server.url(encoded(postgres_server, "LATIN1"))
    with monkeypatch.context() as patched:  # as older programs created it
        patched.setattr(revision, "require_unicode", lambda *_: None)
        Store.create(place)
    with Store.open(place) as store:
        assert store.detectors.add(replace(detector(), description="größer"), stamp())
        with pytest.raises(InputError, match="encoding cannot hold this text") as caught:
            store.detectors.add(replace(detector("24-0108"), description="→"), stamp())
        assert caught.value.code == "not-unicode"
        assert [one.description for one in store.detectors.list()] == ["größer"]
    maintenance.back_up(place, tmp_path / "backup.sqlite")
    with Store.open(tmp_path / "backup.sqlite") as store:
        assert [one.description for one in store.detectors.list()] == ["größer"]


def test_times_are_read_in_utc_whatever_the_time_zone_of_the_server(
    fresh_postgres_url: str,
) -> None:
    Store.create(fresh_postgres_url)
    name = make_url(fresh_postgres_url).database
    raw.execute(fresh_postgres_url, f"ALTER DATABASE {name} SET timezone = 'Asia/Kathmandu'")
    with Store.open(fresh_postgres_url) as store:
        stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
        assert stored.starts == (NOON,)
        assert stored.stored.at == NOON
        certified = store.certifications.certify(certification(stored, NOON))
        assert store.certifications.list(SERIAL) == [certified]
        assert certified.validity.start.utcoffset() == NOON.utcoffset()
