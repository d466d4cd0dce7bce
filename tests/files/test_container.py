"""Archives of arrays: read as written, and refused with anything else in them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.errors import InputError
from calib.files.native.container import (
    DTYPES,
    MOST_MEMBERS,
    npy_array,
    npy_bytes,
    zip_bytes,
    zip_members,
)

ARRAYS = {
    "point": np.arange(12.0).reshape(2, 6),
    "whole/own": np.arange(4, dtype=np.float32),
    "empty": np.zeros((0, 60)),
    "one": np.array(7, dtype=np.int64),
    "report": np.frombuffer(b"{}", dtype=np.uint8),
}
MEMBERS = {f"{name}.npy": npy_bytes(values) for name, values in ARRAYS.items()}
ARCHIVE = zip_bytes({"manifest.json": b"{}", **MEMBERS})


def test_members_come_back_in_their_order() -> None:
    found = zip_members(ARCHIVE)
    assert list(found) == ["manifest.json", *MEMBERS]
    assert {name: bytes(data) for name, data in found.items()} == {
        "manifest.json": b"{}",
        **MEMBERS,
    }


def test_programs_for_zip_archives_and_numpy_read_them() -> None:
    with zipfile.ZipFile(io.BytesIO(ARCHIVE)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.json", *MEMBERS]
    with np.load(io.BytesIO(ARCHIVE), allow_pickle=False) as loaded:
        for name, values in ARRAYS.items():
            assert np.array_equal(loaded[name], values)
            assert loaded[name].dtype == values.dtype


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_to_the_last_bit(name: str) -> None:
    values = ARRAYS[name]
    for data in (MEMBERS[f"{name}.npy"], as_numpy_writes(values)):
        found = npy_array(memoryview(data), name, values.dtype.str, values.shape)
        assert found.tobytes() == values.tobytes()
        assert (found.dtype, found.shape) == (values.dtype, values.shape)
        assert not found.flags.writeable


def as_numpy_writes(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, values, version=(1, 0))
    return out.getvalue()


@given(st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_other_bytes_are_no_archive(content: bytes) -> None:
    for given_ in (content, ARCHIVE + content, content + ARCHIVE, ARCHIVE[: len(content)]):
        if given_ != ARCHIVE:
            with pytest.raises(InputError):
                zip_members(given_)


@given(st.integers(0, len(ARCHIVE) - 1), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_no_byte_of_an_archive_can_be_another(place: int, by: int) -> None:
    changed = bytearray(ARCHIVE)
    changed[place] ^= by
    with pytest.raises(InputError):
        zip_members(bytes(changed))


def zipped(make: Callable[[zipfile.ZipFile], None]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        make(archive)
    return out.getvalue()


def member(name: str, **more: object) -> zipfile.ZipInfo:
    """A member as ``zip_bytes`` describes it, but for what is given."""
    found = zipfile.ZipInfo(name)
    found.create_system, found.external_attr = 3, 0o100644 << 16
    for attribute, value in more.items():
        setattr(found, attribute, value)
    return found


def commented(archive: zipfile.ZipFile) -> None:
    archive.writestr(member("point.npy"), b"")
    archive.comment = b"more"


def test_an_archive_of_another_writer_is_read_if_it_is_the_same() -> None:
    assert zipped(lambda a: a.writestr(member("point.npy"), b"12")) == zip_bytes(
        {"point.npy": b"12"}
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a.writestr(member("point.npy"), b"1" * 99, zipfile.ZIP_DEFLATED),
        lambda a: a.writestr(member("point.npy", date_time=(2026, 1, 1, 0, 0, 0)), b""),
        lambda a: a.writestr(member("point.npy", comment=b"more"), b""),
        lambda a: a.writestr(member("point.npy", extra=b"\x01\x00\x00\x00"), b""),
        lambda a: a.writestr(member("point.npy", external_attr=0o120777 << 16), b"/etc/passwd"),
        commented,
    ],
    ids=["compressed", "time", "comment", "extra", "link", "comment of all"],
)
def test_archives_with_anything_else_are_refused(make: Callable[[zipfile.ZipFile], None]) -> None:
    with pytest.raises(InputError):
        zip_members(zipped(make))


@pytest.mark.parametrize("flag", [0x1, 0x8, 0x800], ids=["encrypted", "streamed", "UTF-8"])
def test_flags_are_refused(flag: int) -> None:
    changed = bytearray(zip_bytes({"point.npy": b"12"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = changed.index(signature) + offset
        changed[place : place + 2] = flag.to_bytes(2, "little")
    with pytest.raises(InputError):
        zip_members(bytes(changed))


@pytest.mark.parametrize(
    "name",
    ["../point.npy", "/point.npy", "a//b.npy", "a/.npy", "Point.npy", "p\\q.npy", "a.exe", ""],
)
def test_names_of_members_are_no_paths(name: str) -> None:
    with pytest.raises(InputError, match="cannot have the name"):
        zip_members(zipped(lambda a: a.writestr(member(name), b"")))
    with pytest.raises(InputError, match="cannot have the name"):
        zip_bytes({name: b""})


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_occurs_once() -> None:
    def twice(archive: zipfile.ZipFile) -> None:
        for _ in range(2):
            archive.writestr(member("point.npy"), b"")

    with pytest.raises(InputError, match="occurs twice"):
        zip_members(zipped(twice))


def test_overlapping_members_and_gaps_are_refused() -> None:
    two = zip_bytes({"a.npy": b"1234", "b.npy": b"1234"})
    end = len(two) - 22
    size = (end - two.index(b"PK\x01\x02")) // 2
    first, second = two[end - 2 * size : end - size], two[end - size : end]
    swapped = two[: end - 2 * size] + second + first + two[end:]
    same = two[: end - 2 * size] + first + first.replace(b"a.npy", b"b.npy") + two[end:]
    for content in (swapped, same, b"\x00" + two, two.replace(b"1234PK", b"1234 PK", 1)):
        with pytest.raises(InputError):
            zip_members(content)


def full(archive: zipfile.ZipFile, names: Iterable[str]) -> None:
    for name in names:
        archive.writestr(member(name), b"")


def test_too_many_members_are_refused() -> None:
    many = {f"m{n}.npy": b"" for n in range(MOST_MEMBERS + 1)}
    with pytest.raises(InputError):
        zip_bytes(many)
    with pytest.raises(InputError):
        zip_members(zipped(lambda archive: full(archive, many)))


@pytest.mark.parametrize("dtype", ["O", "U3", "S3", "c16", "M8[s]", "f2", ">f8", "V8"])
def test_only_numbers_are_stored_and_read(dtype: str) -> None:
    values = np.zeros(3, dtype=dtype)
    data = memoryview(MEMBERS["point.npy"])
    assert values.dtype.str not in DTYPES
    with pytest.raises(InputError):
        npy_array(data, "point", values.dtype.str, (2, 6))
    if dtype != ">f8":  # stored as little-endian
        with pytest.raises(InputError):
            npy_bytes(values)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"'<f8'", b"'|O8'"),
        (b"False", b"True "),
        (b"(2, 6)", b"(6, 2)"),
        (b"(2, 6)", b"(2**9)"),
        (b"\x93NUMPY\x01", b"\x93NUMPY\x02"),
        (b"{'descr'", b"[{'desc'"),
        (b"\n", b" "),
    ],
)
def test_a_header_that_says_something_else_is_refused(old: bytes, new: bytes) -> None:
    data = MEMBERS["point.npy"]
    assert data.count(old) == 1
    with pytest.raises(InputError):
        npy_array(memoryview(data.replace(old, new)), "point", "<f8", (2, 6))


def test_an_array_has_the_bytes_of_its_shape() -> None:
    data = MEMBERS["point.npy"]
    for changed in (data[:-1], data + b"\0", data[:20], data[:9], b""):
        with pytest.raises(InputError):
            npy_array(memoryview(changed), "point", "<f8", (2, 6))
    for shape in ((2, 7), (12,), (2, 6, 1), (1,) * 5, (2**70, 6)):
        with pytest.raises(InputError):
            npy_array(memoryview(data), "point", "<f8", shape)
