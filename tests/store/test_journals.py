"""The journal of a store's file, and the detection of network file systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib.config.location import Location
from calib.errors import StoreError
from calib.store.database.file_fingerprint import FileFingerprint
from calib.store.database.file_system import file_system_of, network_file_system
from calib.store.database.journal import Journal, has_wal
from calib.store.database.sqlite_file import StoreFile
from calib.store.store import Store
from support import raw
from support.records import detector, stamp

MOUNTS = r"""
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:26 / /home rw,nosuid shared:15 master:2 - nfs4 filer:/home rw,vers=4.2
31 22 0:27 / /home/ada/local rw - xfs /dev/sdb1 rw
32 22 0:28 / /data\040of\040all rw - fuse.sshfs ada@there:/data rw
33 22 0:29 / /dls rw - autofs systemd-1 rw
34 33 0:30 / /dls/i24 rw - gpfs i24 rw
35 22 0:31 / /twice rw - nfs filer:/twice rw
36 22 0:32 / /twice rw - tmpfs tmpfs rw
damaged line
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/srv/calib.sqlite", "ext4", ""),
        ("/home/ada/calib.sqlite", "nfs4", "nfs4"),
        ("/home/ada/local/calib.sqlite", "xfs", ""),
        ("/homes/calib.sqlite", "ext4", ""),
        ("/data of all/calib.sqlite", "fuse.sshfs", "fuse.sshfs"),
        ("/dls/i24/calib.sqlite", "gpfs", "gpfs"),
        ("/twice/calib.sqlite", "tmpfs", ""),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount_above(
    path: str, kind: str, network: str
) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind
    assert network_file_system(Path(path), MOUNTS) == network


def test_a_link_is_followed_to_the_file_system_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "near").symlink_to("/home/ada")
    assert file_system_of(tmp_path / "near" / "calib.sqlite", MOUNTS) == "nfs4"


def test_the_kernel_names_the_file_system_of_the_tests(tmp_path: Path) -> None:
    assert file_system_of(tmp_path) != ""
    assert file_system_of(tmp_path, "") == ""


def kept_by(path: Path) -> str:
    return str(raw.execute(str(path), "PRAGMA journal_mode")[0][0])


def test_the_next_write_changes_the_journal_to_the_configured_one(tmp_path: Path) -> None:
    path = tmp_path / "calib.sqlite"
    Store.create(path, Journal.ROLLBACK)
    assert (kept_by(path), has_wal(path)) == ("delete", False)
    with Store.open(path, read_only=True) as store:
        assert store.detectors.list() == []
    assert kept_by(path) == "delete"
    for serial, journal, kept in (
        ("a", Journal.ROLLBACK, "delete"),
        ("b", Journal.AUTO, "wal"),
        ("c", Journal.ROLLBACK, "delete"),
    ):
        with Store.open(path, journal=journal) as store:
            store.detectors.add(detector(serial), stamp())
        assert (kept_by(path), has_wal(path)) == (kept, kept == "wal")
    with Store.open(path) as store:
        assert [record.serial for record in store.detectors.list()] == ["a", "b", "c"]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_store_in_use_keeps_its_journal_and_is_written(tmp_path: Path) -> None:
    path = tmp_path / "calib.sqlite"
    Store.create(path)
    with Store.open(path) as reader, Store.open(path, journal=Journal.ROLLBACK) as writer:
        assert reader.detectors.list() == []
        assert writer.detectors.add(detector(), stamp())
        assert len(reader.detectors.list()) == 1
    assert has_wal(path)


def on_network(path: Path, *, read_only: bool = False) -> StoreFile:
    """A file as if it lay on NFS."""
    return StoreFile(
        Location.parse(path),
        path,
        read_only=read_only,
        wait_seconds=1.0,
        foreign_keys=True,
        journal=Journal.AUTO,
        network="nfs4",
    )


@pytest.mark.parametrize("read_only", [False, True])
def test_on_a_network_file_system_a_write_ahead_log_is_removed(
    tmp_path: Path, read_only: bool
) -> None:
    path = tmp_path / "calib.sqlite"
    Store.create(path)
    connection = on_network(path, read_only=read_only).connect_writer()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    with Store.open(path, journal=Journal.ROLLBACK) as other:  # the lock was released
        assert other.detectors.add(detector(), stamp())
    assert connection.execute("SELECT serial FROM detector").fetchall() == [(detector().serial,)]
    connection.close()
    assert not has_wal(path)


def test_on_a_network_file_system_a_write_ahead_log_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calib.sqlite"
    Store.create(path)
    with Store.open(path) as store:
        store.detectors.add(detector(), stamp())
        with pytest.raises(StoreError, match="does not work on a network file system") as caught:
            on_network(path).connect_writer()
    assert (caught.value.code, caught.value.exit_code) == ("store-on-network", 3)
    assert "end the programs that use it" in caught.value.remedy
    on_network(path).connect_writer().close()


def test_any_write_to_a_file_changes_its_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calib.sqlite"
    path.write_bytes(bytes(8192))
    before = FileFingerprint.once_stable(path, 60.0)
    assert before is not None
    assert before.is_unchanged()
    with path.open("r+b") as opened:  # same size, same header, one page further
        opened.seek(5000)
        opened.write(b"x")
    assert not before.is_unchanged()
    path.unlink()
    assert not before.is_unchanged()
    path.write_bytes(bytes(8192))
    # The machine may be slow.
    monkeypatch.setattr("calib.store.database.file_fingerprint.TICK_NS", 10**12)
    # Too recent to distinguish it from the next change.
    assert FileFingerprint.once_stable(path, 0.0) is None
