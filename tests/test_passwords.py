"""No password is printed, in whatever form it was given."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from calib.config.location import Location
from calib.errors import CalibError, InputError
from calib.passwords import masked, without_password
from support.children import environment
from support.commands import calib

SECRET = "hunter2"  # noqa: S105
ADDRESSES = (
    "postgresql://ada:hunter2@host:5432/db",
    "postgresql://ada:hunt/er2@hunter2@host/db",
    "POSTGRES://ada:hunter2@[::1]:5432/db",
    "postgres:/ada:hunter2@host/db",
    "postgresql://ada:hunter2",
    "postgresql://host/db?user=ada&password=hunter2",
    "postgresql://host/db?sslpassword=hunter2&user=ada",
    "postgresql://host/db?pass%77ord=hunter2",
    "postgresql://host/db?PASSWORD=two hunter2",
    "host=db user=ada password=hunter2",
    "host=db password = 'a \\'hunter2' user=ada",
    "ada:hunter2@host/db",
    "mysql://ada:hunter2@host/db",
    "{'host': 'db', 'password': 'hunter2'}",
)
KEPT = (
    "postgresql://ada@host:5432/db",
    "postgresql://host:5432/db",
    "postgresql://h1:5432,h2:5433/db",
    "postgresql://[::1]:5432/db",
    "postgresql://ada@host/db?passfile=/home/ada/.pgpass",
    "24-0107:3 was certified by ana@beamline at 12:30",
    "/data/run:1/night@2.expt",
    'password authentication failed for user "ada"',
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_password_is_hidden_in_every_form(address: str) -> None:
    for text in (address, f"Error: {address} is away", f'"{address}"', f"--store={address}"):
        hidden = without_password(text)
        assert SECRET not in hidden
        assert without_password(hidden) == hidden
        assert SECRET not in masked(text)
        assert len(masked(text)) == len(text)


@pytest.mark.parametrize("text", KEPT)
def test_a_text_without_a_password_is_kept(text: str) -> None:
    assert without_password(text) == masked(text) == text


def test_a_mask_keeps_the_length_in_bytes() -> None:
    address = "postgresql://ada:pässwörd\udcff@host/db"
    encoded = [text.encode("utf-8", "surrogateescape") for text in (address, masked(address))]
    assert (len(encoded[0]), encoded[1]) == (
        len(encoded[1]),
        b"postgresql://ada:***********@host/db",
    )


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_error_hides_passwords_wherever_they_stand(address: str) -> None:
    error = InputError("code", f"{address} is bad.", place=address, remedy=f"not {address}.")
    for one in (error, pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert isinstance(one, CalibError)
        assert SECRET not in str(one) + repr(one) + one.problem + one.place + one.remedy


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "words",
    [
        ("list", "--store"),
        ("init", "--store"),
        ("list",),
        ("apply",),
        ("show",),
        ("apply", "a.expt", "-o"),
        ("derive",),
        ("db", "backup", "-o"),
        ("db", "restore"),
        ("bundle", "load"),
        ("summary", "show"),
        ("audit", "key"),
        ("audit", "verify", "--checkpoint"),
        ("usage", "push"),
        ("demo",),
        ("doctor", "--store"),
    ],
    ids=" ".join,
)
def test_no_command_prints_a_password_or_makes_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], address: str
) -> None:
    if "--store" in words and "://host" in address.replace("ada:hunter2@", ""):
        pytest.skip("asks a server")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALIB_STORE", str(tmp_path / "calib.sqlite"))
    answer = calib(*words, address, "--json")
    assert answer.code in (1, 2, 3)
    assert SECRET not in answer.stdout + answer.stderr
    assert [path.name for path in tmp_path.rglob("*") if SECRET in path.name] == []


def test_a_setting_is_cut_only_after_its_password_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALIB_JOURNAL", f"postgresql://ada:{SECRET * 30}@host/db")
    answer = calib("doctor", "--json")
    assert SECRET not in answer.stdout + answer.stderr


def test_a_location_is_not_shown_with_its_password() -> None:
    assert SECRET not in repr(Location.parse(ADDRESSES[0]))


def test_other_users_do_not_see_the_password_of_a_running_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never answers
        address = f"postgresql://ada:{SECRET}@127.0.0.1:{server.getsockname()[1]}/db"
        server.settimeout(60)
        with subprocess.Popen(
            [sys.executable, "-m", "calib_cli", "list", "--store", address], env=environment()
        ) as running:
            try:
                connection, _ = server.accept()
                shown = Path(f"/proc/{running.pid}/cmdline").read_bytes()
            finally:
                running.kill()
            connection.close()
    assert f"ada:{'*' * len(SECRET)}@127.0.0.1".encode() in shown
    assert SECRET.encode() not in shown
