"""A log that is deleted while the store is open: noticed, and nothing more is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calib.errors import IntegrityError
from calib.store.store import Store
from support import raw
from support.children import run
from support.records import detector, stamp

OTHER = """
import json, sys
from support.records import detector, stamp
from calib.store.store import Store
with Store.open(sys.argv[1]) as store:
    store.detectors.add(detector("24-0003"), stamp())
    print(json.dumps([record.serial for record in store.detectors.list()]))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new store."""
    Store.create(tmp_path / "calib.db")
    return tmp_path / "calib.db"


def delete_log(path: Path, *endings: str) -> None:
    for ending in endings:
        path.with_name(f"{path.name}{ending}").unlink()


def serials(store: Store) -> list[str]:
    return sorted(record.serial for record in store.detectors.list())


@pytest.mark.parametrize("endings", [("-wal", "-shm"), ("-wal",), ("-shm",)], ids="".join)
@pytest.mark.parametrize("access", ["read", "write"])
def test_a_deleted_log_is_noticed_at_the_next_access(
    path: Path, endings: tuple[str, ...], access: str
) -> None:
    with Store.open(path) as store:
        store.detectors.add(detector("24-0001"), stamp())
        assert serials(store) == ["24-0001"]
        delete_log(path, *endings)
        with pytest.raises(IntegrityError) as caught:
            if access == "read":
                serials(store)
            else:
                store.detectors.add(detector("24-0002"), stamp())
        assert caught.value.code == "store-log-lost"
        assert caught.value.problem.startswith(
            f"{' and '.join(f'calib.db{ending}' for ending in endings)} was deleted or replaced"
        )
        assert serials(store) == ["24-0001"]  # nobody wrote meanwhile, so the log was copied
        store.detectors.add(detector("24-0002"), stamp())
        assert store.log.audit().findings == ()
    assert raw.execute(str(path), "PRAGMA integrity_check") == [("ok",)]


def test_a_log_deleted_during_a_write_is_noticed_after_the_commit(path: Path) -> None:
    with Store.open(path) as store:
        serials(store)
        with pytest.raises(IntegrityError, match="was deleted"), store._database.writing():
            delete_log(path, "-wal", "-shm")


def test_the_log_of_another_program_in_its_place_is_kept(path: Path) -> None:
    with Store.open(path) as store:
        store.detectors.add(detector("24-0001"), stamp())
        assert serials(store) == ["24-0001"]
        delete_log(path, "-wal", "-shm")
        others = json.loads(run(OTHER, str(path)))
        assert "24-0003" in others
        for _ in range(2):  # the connections of reads, then those of writes
            try:
                store.detectors.add(detector("24-0002"), stamp())
            except IntegrityError as error:
                assert error.code == "store-log-lost"
        assert "24-0003" in serials(store)
    with Store.open(path) as store:
        assert "24-0003" in serials(store)
        assert store.log.audit().findings == ()
    assert raw.execute(str(path), "PRAGMA integrity_check") == [("ok",)]


def test_a_log_that_others_use_and_empty_is_no_finding(path: Path) -> None:
    with Store.open(path) as store:
        assert serials(store) == []
        run(OTHER, str(path))
        assert serials(store) == ["24-0003"]
        raw.execute(str(path), "PRAGMA wal_checkpoint(TRUNCATE)")
        store.detectors.add(detector("24-0001"), stamp())
        assert serials(store) == ["24-0001", "24-0003"]
