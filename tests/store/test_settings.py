"""Settings: the order of their four sources, and the errors for wrong values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calib.config.location import Location
from calib.config.settings import Settings, chosen_location, read_settings
from calib.errors import InputError
from calib.store.database.database import Database
from calib.store.database.journal import has_wal
from calib.store.store import Store
from support.records import DAY


def read(tmp_path: Path, system: str = "", own: str = "", **variables: str) -> Settings:
    """The settings from these two files (none where empty) and variables."""
    (tmp_path / "system.toml").write_text(system)
    (tmp_path / "own.toml").write_text(own)
    if own:
        variables["CALIB_CONFIG"] = str(tmp_path / "own.toml")
    return read_settings(variables, tmp_path / "system.toml")


def test_each_source_overrides_the_one_before(tmp_path: Path) -> None:
    everywhere = {"system": 'actor = "system"', "own": 'actor = "own"', "CALIB_ACTOR": "variable"}
    given: dict[str, str] = {}
    for place, value in everywhere.items():
        given[place] = value
        settings = read(tmp_path, **given)
        name = "variable" if place == "CALIB_ACTOR" else place
        assert settings.actor == name
        origin = "CALIB_ACTOR" if place == "CALIB_ACTOR" else str(tmp_path / f"{place}.toml")
        assert settings.all["actor"].origin == origin
        assert settings.all["journal"].origin == "default"


def test_root_certificates_in_the_home_folder_of_an_unknown_user_are_refused(
    tmp_path: Path,
) -> None:
    assert read(tmp_path, CALIB_TIMESTAMP_ROOTS="~/a.pem").timestamp_roots == Path.home() / "a.pem"
    with pytest.raises(InputError, match="names the home folder of an unknown user") as caught:
        _ = read(tmp_path, CALIB_TIMESTAMP_ROOTS="~nobody-9/a.pem").timestamp_roots
    assert (caught.value.code, caught.value.place) == ("bad-settings", "CALIB_TIMESTAMP_ROOTS")


def test_without_any_source_the_defaults_apply(tmp_path: Path) -> None:
    settings = read_settings({"CALIB_CONFIG": "", "CALIB_STORE": "  "}, tmp_path / "none.toml")
    assert (settings.store, settings.actor, settings.journal) == (None, None, "auto")
    assert (settings.wait_seconds, settings.connect_seconds) == (10.0, 10.0)
    assert (settings.clock_gap, settings.clock_tolerance) == (400 * DAY, DAY)
    assert {one.origin for one in settings.all.values()} == {"default"}


def test_every_setting_can_be_a_variable(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        CALIB_STORE="a.sqlite",
        CALIB_ACTOR=" ada ",
        CALIB_JOURNAL="rollback",
        CALIB_WAIT_SECONDS="2.5",
        CALIB_CONNECT_SECONDS="3",
        CALIB_CLOCK_GAP_DAYS="30",
        CALIB_CLOCK_TOLERANCE_DAYS="0.5",
    )
    assert (settings.clock_gap, settings.clock_tolerance) == (30 * DAY, DAY / 2)
    assert (settings.store, settings.actor, settings.journal) == ("a.sqlite", "ada", "rollback")
    assert (settings.wait_seconds, settings.connect_seconds) == (2.5, 3.0)


def test_the_path_of_a_store_is_relative_to_the_settings_file(tmp_path: Path) -> None:
    assert read(tmp_path, system='store = "a.sqlite"').store == str(tmp_path / "a.sqlite")
    assert read(tmp_path, system='store = "/data/a"').store == "/data/a"
    assert read(tmp_path, system='store = "~/a"').store == str(Path.home() / "a")
    address = "postgresql://ada@host/calib"
    assert read(tmp_path, system=f'store = "{address}"').store == address


@pytest.mark.parametrize(
    ("line", "place", "problem", "remedy"),
    [
        ('stor = "a"', "", "there is no setting 'stor'.", "use store."),
        ("colour = 1", "", "there is no setting 'colour'.", "use one of store, actor, journal, "),
        (
            "wait_seconds = true",
            ": wait_seconds",
            "'True' is not a valid value",
            "a number of seconds",
        ),
        (
            "wait_seconds = 0",
            ": wait_seconds",
            "'0' is not a valid value",
            "above 0 and at most 86400.",
        ),
        ('wait_seconds = "soon"', ": wait_seconds", "'soon' is not a valid value", "a number of"),
        ("wait_seconds = nan", ": wait_seconds", "'nan' is not a valid value", "a number of"),
        ("wait_seconds = [1]", ": wait_seconds", "'[1]' is not a valid value", "a number of"),
        ('journal = "wal"', ": journal", "'wal' is not a valid value", '"auto" or "rollback".'),
        ("actor = 1", ": actor", "'1' is not a valid value", "the name of a person or program."),
        ('actor = " "', ": actor", "' ' is not a valid value", "the name of a person or program."),
        ('store = "mysql://u:secret@h/d"', ": store", "mysql://u:***@h/d is not an address", ""),
        (
            "store = ",
            "",
            "this file is not valid TOML (",
            'lines such as store = "/data/calib.sqlite".',
        ),
        ('store = "~nobody-9/a"', ": store", "'~nobody-9/a' names the home folder", "whole path."),
        ('store = "a\\u0000"', ": store", "'/", "or set CALIB_STORE."),
        (f'store = "{"a" * 9999}"', ": store", "'/", "--store PATH"),
        (
            f"wait_seconds = {'9' * 400}",
            ": wait_seconds",
            f"'{'9' * 100}...' is not a valid value",
            "",
        ),
        (f"wait_seconds = 0x{'f' * 4000}", ": wait_seconds", "'int too large to show' is not", ""),
        (
            f"wait_seconds = {'9' * 5000}",
            "",
            "this file is not valid TOML (Exceeds the limit",
            "lines such",
        ),
        (
            f"actor = {'[' * 2000}{']' * 2000}",
            "",
            "this file is not valid TOML (maximum recursion",
            "",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_wrong_settings_are_refused_with_file_and_key(
    tmp_path: Path, line: str, place: str, problem: str, remedy: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, own=line)
    assert caught.value.place == f"{tmp_path / 'own.toml'}{place}"
    assert caught.value.problem.startswith(problem)
    assert remedy in caught.value.remedy
    assert "secret" not in str(caught.value)


def test_the_error_for_a_wrong_variable_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, CALIB_WAIT_SECONDS="soon")
    assert (caught.value.code, caught.value.place) == ("bad-settings", "CALIB_WAIT_SECONDS")


def test_a_settings_file_named_by_a_variable_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="named by CALIB_CONFIG does not exist") as caught:
        read(tmp_path, CALIB_CONFIG=str(tmp_path / "gone.toml"))
    assert caught.value.code == "no-file"


def test_devices_pipes_and_folders_are_not_settings_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/zero", str(tmp_path / "pipe"), str(tmp_path)):
        with pytest.raises(InputError, match="not a regular file"):
            read_settings({"CALIB_CONFIG": name}, tmp_path / "none.toml")


def test_stores_are_opened_with_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.toml"
    own.write_text('store = "here.sqlite"\njournal = "rollback"\n')
    monkeypatch.delenv("CALIB_STORE", raising=False)
    monkeypatch.setenv("CALIB_CONFIG", str(own))
    assert chosen_location(None).path == tmp_path / "here.sqlite"
    assert Store.create(chosen_location(None))
    assert not has_wal(tmp_path / "here.sqlite")
    with Store.open() as store:
        assert store.location.path == tmp_path / "here.sqlite"
    own.write_text("wait_seconds = 0.25\n")
    database = Database(Location.parse(tmp_path / "here.sqlite"))
    assert database.file is not None
    assert database.file.wait_seconds == 0.25
    database.close()
