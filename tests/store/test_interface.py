"""Every method of the store is a read or a write, and flows need no more than StoreLike."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import calib.store.api
from calib.config.location import Location
from calib.errors import StoreReadOnlyError
from calib.model.store import protocol
from calib.model.store.protocol import StoreLike
from calib.store.api.entity import Access, EntityApi, access_of, read, write
from calib.store.database import errors
from calib.store.database.database import Database
from calib.store.store import Store

for _module in pkgutil.iter_modules(calib.store.api.__path__, "calib.store.api."):
    importlib.import_module(_module.name)
APIS = EntityApi.__subclasses__()


def public(owner: type) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, method in inspect.getmembers(owner, inspect.isfunction):
        if not name.startswith("_"):
            yield name, method


METHODS = {f"{api.__name__}.{name}": method for api in APIS for name, method in public(api)}
ENTITIES = [name for name in vars(StoreLike) if hasattr(protocol, name.capitalize())]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "calib.sqlite"
    Store.create(path)
    opened = Database(Location.parse(path))
    yield opened
    opened.close()


class Changing(EntityApi):
    """Its methods fail twice because the store changed, then return the number of calls."""

    calls = 0

    def fail_twice(self) -> int:
        self.calls += 1
        if self.calls < 3:
            raise errors.store_changed(self._database.location)
        return self.calls

    read_it = read(fail_twice)
    write_it = write(fail_twice)


@pytest.mark.parametrize("name", METHODS)
def test_every_public_method_is_marked_as_what_it_does(name: str) -> None:
    writes = "self._database.writing()" in inspect.getsource(inspect.unwrap(METHODS[name]))
    assert access_of(METHODS[name]) is (Access.WRITE if writes else Access.READ)


def test_a_method_without_a_mark_is_found() -> None:
    assert access_of(Changing.fail_twice) is None


def test_a_read_is_retried_where_the_store_changes(database: Database) -> None:
    assert Changing(database).read_it() == 3


def test_a_write_is_never_retried(database: Database) -> None:
    changing = Changing(database)
    with pytest.raises(errors.StoreChangedError):
        changing.write_it()
    assert changing.calls == 1


def test_a_write_to_a_read_only_store_is_refused_before_it_begins(database: Database) -> None:
    changing = Changing(database)
    database.refusal = errors.read_only(database.location)
    with pytest.raises(StoreReadOnlyError):
        changing.write_it()
    assert changing.calls == 0
    assert changing.read_it() == 3


def test_a_store_is_all_that_flows_require(tmp_path: Path) -> None:
    Store.create(tmp_path / "calib.sqlite")
    with Store.open(tmp_path / "calib.sqlite") as store:
        required: StoreLike = store  # mypy compares every signature
        assert required.address == str(tmp_path / "calib.sqlite")


@pytest.mark.parametrize("entity", ENTITIES)
def test_the_protocol_offers_every_method_of_the_store(entity: str, tmp_path: Path) -> None:
    """A client of a remote store that satisfies the protocol misses nothing."""
    Store.create(tmp_path / "calib.sqlite")
    with Store.open(tmp_path / "calib.sqlite") as store:
        api = getattr(store, entity)
    offered = public(getattr(protocol, entity.capitalize()))
    assert [name for name, _ in offered] == [name for name, _ in public(type(api))]
