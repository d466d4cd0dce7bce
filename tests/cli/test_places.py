"""Which store a command uses, and when it is created."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from calib.config.location import Location, default_location
from calib.store.database.database import Database
from calib.store.schema.revision import HEAD, migrate
from calib_cli.registry import COMMANDS
from support.commands import calib, done


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a store."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "data"))
    monkeypatch.delenv("CALIB_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


NEEDS_A_STORE = (
    "rederive 3-0999:1",
    "certify 3-0999:1 --from 2026-03-01 --reason new",
    "withdraw 3-0999:1 --reason wrong",
    "affected 3-0999:1",
    "apply some.expt",
    "identify some.cbf",
    "resolve 3-0999 --at 2026-03-05 --distance 150",
    "export 3-0999:1 -o some.expt",
    "explain some.expt",
    "publish geometry 3-0999 -o some.json",
    "usage push some.calib.json",
    "usage list",
    "list",
    "show 3-0999:1",
    "report 3-0999:1",
    "diff 3-0999:1 3-0999:2",
    "history 3-0999",
    "detector place 3-0999 --beamline I04 --from 2026-03-01",
    "detector edit 3-0999 --time-zone Europe/London --reason moved",
    "detector retire 3-0999 --reason replaced",
    "detector relabel 3-0999:1 --to 3-0998 --reason mistyped",
    "detector list",
    "detector show 3-0999",
    "summary export 3-0999:1 -o some.calib-summary",
    "summary show 3-0999:1",
    "db check",
    "db upgrade",
    "db backup",
    "db rules",
    "audit log",
    "audit verify",
    "audit clock --reason late --clock-checked",
    "audit checkpoint some.checkpoint",
    "audit anchor .",
    "bundle create 3-0999 -o some.calib-bundle",
)
DRY_RUNS = (
    "derive some.expt some.refl --dry-run",
    "combine 3-0999:1 --dry-run",
    "detector add 3-0999 --layout 'PILATUS 300K' --dry-run",
    "db set demand-actor yes --dry-run",
    "bundle load some.calib-bundle --dry-run",
    "layout add some.toml --shared --dry-run",
)
ANSWERS_WITHOUT = ("doctor", "db current", "init --dry-run")
CREATES = {"derive", "combine", "detector add", "db set", "bundle load", "db restore"}
CREATES |= {"init", "demo"}
WITHOUT_A_STORE = {"audit key", "audit keys", "audit rotate", "bundle show", "db grant"}
WITHOUT_A_STORE |= {"layout list", "layout show", "layout add", "split", "merge", "annotate"}


def test_every_command_is_known_to_create_a_store_or_not() -> None:
    calls = [f"{call} " for call in (*NEEDS_A_STORE, *ANSWERS_WITHOUT)]
    listed = {name for name in COMMANDS if any(call.startswith(f"{name} ") for call in calls)}
    assert listed - {"init"} | CREATES | WITHOUT_A_STORE == set(COMMANDS)


@pytest.mark.parametrize("call", [*NEEDS_A_STORE, *DRY_RUNS])
def test_a_command_that_needs_a_store_creates_none(home: Path, call: str) -> None:
    answer = calib(*shlex.split(call), "--json")
    path = default_location().path
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.error == {
        "code": "no-store",
        "problem": "there is no store yet.",
        "place": str(path),
        "remedy": f"set CALIB_STORE to an existing store, or create one: calib init --store {path}",
    }
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("call", ANSWERS_WITHOUT)
def test_a_command_that_can_answer_without_a_store_creates_none(home: Path, call: str) -> None:
    done(*shlex.split(call))
    assert list(home.iterdir()) == []


def test_the_remedy_for_a_user_without_a_store_works(home: Path) -> None:
    remedy = calib("list", "--json").error["remedy"]
    command = remedy.partition("create one: ")[2]
    done(*shlex.split(command)[1:])
    assert done("list", "--json").json == []


def test_the_first_change_creates_the_default_store(home: Path) -> None:
    done("detector", "add", "3-0999", "--layout", "PILATUS 300K")
    path = default_location().path
    assert path is not None
    assert path.is_relative_to(home / "home" / "data")
    assert path.exists()
    assert len(done("detector", "list", "--json").json) == 1


@pytest.mark.parametrize("named", ["option", "root option", "variable"])
def test_the_remedy_for_an_absent_store_is_init(
    home: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(home / "no where" / "calib.sqlite")
    words = {
        "option": ("list", "--store", place),
        "root option": ("--store", place, "list"),
        "variable": ("list",),
    }[named]
    if named == "variable":
        monkeypatch.setenv("CALIB_STORE", place)
    answer = calib(*words)
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr == (
        f"Error: {place}: there is no store here.\nTry: calib init --store '{place}'\n"
    )
    assert list(home.iterdir()) == []


def test_the_most_specific_setting_names_the_store(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("variable", "root", "own"):
        done("init", "--store", f"{name}.sqlite")
        done("detector", "add", name, "--layout", "PILATUS 300K", "--store", f"{name}.sqlite")
    monkeypatch.setenv("CALIB_STORE", "variable.sqlite")

    def serial(*words: str) -> str:
        (view,) = done(*words, "--json").json
        found: str = view["serial"]
        return found

    assert serial("detector", "list") == "variable"
    assert serial("--store", "root.sqlite", "detector", "list") == "root"
    words = ("--store", "root.sqlite", "detector", "list", "--store", "own.sqlite")
    assert serial(*words) == "own"


def test_init_creates_a_store_once(home: Path) -> None:
    words = ("init", "--store", "new.sqlite", "--json")
    dry = done(*words, "--dry-run").json
    assert (dry["created"], Path("new.sqlite").exists()) == (True, False)
    first = done(*words).json
    assert first == {
        "store": str(home / "new.sqlite"),
        "created": True,
    }
    before = Path("new.sqlite").read_bytes()
    assert done(*words).json["created"] is False
    assert done(*words, "--dry-run").json["created"] is False
    assert Path("new.sqlite").read_bytes() == before
    assert done("init", "--store", "new.sqlite").stdout == (
        f"The store already exists: {home / 'new.sqlite'}\n"
    )


def test_init_leaves_other_files_alone(home: Path) -> None:
    Path("notes.txt").write_text("not a database, but long enough to look like one" * 100)
    answer = calib("init", "--store", "notes.txt", "--json")
    assert (answer.code, answer.error["code"]) == (2, "not-a-store")
    assert Path("notes.txt").read_text().startswith("not a database")


def test_an_older_store_is_upgraded_only_by_db_upgrade(home: Path) -> None:
    Path("old.sqlite").touch()
    database = Database(Location.parse("old.sqlite"), foreign_keys=False)
    migrate(database, "0003")
    database.close()
    for name in ("list", "init"):
        answer = calib(name, "--store", "old.sqlite")
        assert answer.code == 2
        remedy = f"calib db upgrade --store {home / 'old.sqlite'}"
        assert answer.stderr.endswith(f"Try: {remedy}\n")
    words = ("db", "upgrade", "--store", "old.sqlite")
    before = Path("old.sqlite").read_bytes()
    dry = done(*words, "--dry-run")
    way = f"from revision 0003 to {HEAD}: {home / 'old.sqlite'}\n"
    assert dry.stdout == f"Would upgrade {way}"
    assert Path("old.sqlite").read_bytes() == before
    answer = done(*words, "--backup", "before.sqlite")
    assert answer.stdout == f"Backed up: before.sqlite\nUpgraded {way}"
    assert done("db", "current", "--store", "before.sqlite", "--json").json["revision"] == "0003"
    assert done(*words).stdout == (
        f"The store is already at revision {HEAD}: {home / 'old.sqlite'}\n"
    )
    assert done("list", "--store", "old.sqlite", "--json").json == []
