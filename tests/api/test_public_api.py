"""``import calib`` offers the public functions and classes, loads them lazily, and they work."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import calib
from calib.config.actor import Actor
from support.children import run
from support.commands import done

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "scipy", "sqlalchemy", "sqlmodel", "pydantic", "typer", "rich", "h5py")
REQUIRED = {
    *("Store", "derive", "apply", "combine", "certify", "withdraw", "resolve"),
    *("Calibration", "CalibError"),
}
FUNCTIONS = (
    *("register", "derive", "certify", "resolve", "apply", "combine", "withdraw"),
    *("edit_detector", "retire_detector", "relabel"),
)
"""In the order in which their examples follow one another."""
FILES = [
    f"fixtures/small_{name}.{ending}" for name in ("near", "far") for ending in ("expt", "refl")
]
IMPORT = """
import sys
from time import process_time
before = process_time()
import calib
print(process_time() - before, *sys.modules)
"""
LOAD = """
import sys
import calib
calib.CalibError, calib.read_settings
print(*sys.modules)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the fixtures, as the current one."""
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CALIB_STORE", raising=False)
    monkeypatch.delenv("CALIB_ACTOR", raising=False)
    return tmp_path


def test_importing_calib_takes_less_than_a_tenth_of_a_second_and_loads_nothing_heavy() -> None:
    tries = [run(IMPORT).split() for _ in range(3)]
    assert min(float(seconds) for seconds, *_ in tries) < 0.1
    loaded = set(tries[0][1:])
    assert "calib" in loaded
    assert not loaded & set(HEAVY)
    assert not {name for name in loaded if name.startswith("calib.")} - {"calib.version"}


def test_errors_and_settings_are_loaded_without_numpy_or_the_database() -> None:
    loaded = set(run(LOAD).split())
    assert {"calib.errors", "calib.config.settings"} <= loaded
    assert not loaded & {"sqlalchemy", "scipy", "sqlmodel"}


def test_every_public_name_can_be_loaded_and_is_listed() -> None:
    assert set(calib.__all__) >= REQUIRED
    assert set(calib.__all__) - {"__version__"} == set(calib._MODULES)
    for name in calib.__all__:
        assert getattr(calib, name) is not None
        assert name in dir(calib)


def test_type_checkers_see_each_public_name_where_it_is_loaded_from() -> None:
    source = inspect.getsource(calib).partition("if TYPE_CHECKING:")[2].partition("\n_MODULES")[0]
    seen: dict[str, object] = {}
    exec(inspect.cleandoc(source), seen)  # noqa: S102 - the block of imports alone
    for name in calib._MODULES:
        assert seen[name] is getattr(calib, name)


def test_no_public_name_is_that_of_a_module_or_package() -> None:
    modules = {module.name for module in pkgutil.iter_modules(calib.__path__)}
    assert "report" in modules
    assert not modules & set(calib.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'calib' has no attribute 'make_coffee'"):
        _ = calib.make_coffee  # type: ignore[attr-defined]


def test_the_examples_of_the_docstrings_are_what_happens(here: Path) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    finder = doctest.DocTestFinder(recurse=False)
    for name in FUNCTIONS:
        (test,) = finder.find(getattr(calib, name), name, globs={})
        assert test.examples, name
        assert runner.run(test).failed == 0, name
    assert (here / "calibrated.expt").is_file()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_describe_every_parameter_in_order(name: str) -> None:
    function = getattr(calib, name)
    text = inspect.getdoc(function) or ""
    section = text.partition("Parameters\n----------\n")[2].partition("\nReturns\n")[0]
    lines = [line for line in section.splitlines() if line and not line.startswith(" ")]
    described = [part for line in lines for part in line.split(", ")]
    given = list(inspect.signature(function).parameters)
    assert described == given
    for heading in ("Returns", "Raises", "Examples"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in text


def test_an_open_store_is_used_and_left_open(here: Path) -> None:
    calib.Store.create("calib.db")
    with calib.Store.open("calib.db") as store:
        calib.derive([Path(name) for name in FILES], store=store, by="ana")
        calib.certify("3-0999:1", reason="new", store=store, by="ana")
        answer = calib.resolve(
            "3-0999", at=datetime(2026, 3, 5, tzinfo=UTC), distance_mm=100, store=store
        )
    assert answer.calibration.name == "3-0999:1"
    assert answer.certification.recorded.actor == "ana"


@pytest.mark.parametrize("dry_run", [True, False])
def test_only_a_dry_run_opens_the_store_for_reading_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    calib.Store.create("calib.db")
    opened: list[bool] = []
    open_store = calib.Store.open

    def recorded(place: str, *, read_only: bool, create: bool) -> calib.Store:
        opened.append(read_only)
        return open_store(place, read_only=read_only, create=create)

    monkeypatch.setattr(calib.Store, "open", staticmethod(recorded))
    before = Path("calib.db").read_bytes()
    result = calib.derive(FILES, store="calib.db", dry_run=dry_run)
    assert opened == [dry_run]
    assert (result.stored is None) == dry_run
    assert (Path("calib.db").read_bytes() == before) == dry_run


@pytest.mark.parametrize(
    "call",
    [
        lambda: calib.resolve("3-0999", at="2026-03-05", distance_mm=150.0),
        lambda: calib.apply("some.expt", "calibrated.expt"),
        lambda: calib.certify("3-0999:1", reason="new"),
        lambda: calib.withdraw("3-0999:1", reason="wrong"),
        lambda: calib.edit_detector("3-0999", time_zone="UTC", reason="wrong"),
        lambda: calib.retire_detector("3-0999", reason="replaced"),
        lambda: calib.relabel("3-0999:1", "3-0998", reason="wrong"),
        lambda: calib.register("3-0999", layout="PILATUS 300K", dry_run=True),
    ],
    ids=["resolve", "apply", "certify", "withdraw", "edit", "retire", "relabel", "dry run"],
)
def test_a_function_that_needs_a_store_creates_none(
    here: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(here / "data"))
    monkeypatch.delenv("CALIB_STORE", raising=False)
    with pytest.raises(calib.InputError, match="there is no store yet"):
        call()
    assert not (here / "data").exists()


def test_a_datetime_without_a_time_zone_is_refused(here: Path) -> None:
    calib.Store.create("calib.db")
    naive = datetime(2026, 3, 5)  # noqa: DTZ001 - the point of this test
    with pytest.raises(calib.InputError, match="at is a datetime without a time zone"):
        calib.resolve("3-0999", at=naive, distance_mm=100, store="calib.db")


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [
        ("distance_policy", "nearby", "'exact', 'nearest'"),
        ("time_policy", "latest", "'prior', 'closest'"),
    ],
)
def test_an_unknown_choice_is_refused_with_the_known_ones(
    here: Path, option: str, value: str, known: str
) -> None:
    calib.Store.create("calib.db")
    with pytest.raises(calib.InputError) as caught:
        calib.resolve("1", at="now", distance_mm=1, store="calib.db", **{option: value})
    assert caught.value.code == "bad-choice"
    assert known in caught.value.remedy


def test_a_change_is_stamped_with_the_actor_and_the_command(here: Path) -> None:
    calib.Store.create("calib.db")
    by = Actor("ana", personal=True, command="nightly.py --all")
    calib.derive(FILES, store="calib.db", by=by)
    (entry,) = done("audit", "log", "--last", "1", "--store", "calib.db", "--json").json
    assert (entry["by"], entry["command"]) == ("ana", "nightly.py --all")
    assert done("audit", "verify", "--store", "calib.db").code == 0


def test_a_store_that_demands_an_actor_refuses_a_login_name(here: Path) -> None:
    calib.Store.create("calib.db")
    calib.derive(FILES, store="calib.db")
    done("db", "set", "demand-actor", "yes", "--store", "calib.db", "--by", "ana")
    for change in (calib.certify, calib.withdraw):
        with pytest.raises(calib.InputError) as caught:
            change("3-0999:1", reason="new", store="calib.db")
        assert caught.value.code == "actor-demanded"
    assert calib.certify("3-0999:1", reason="new", store="calib.db", by="ana").certification.number
