"""Reflection tables: read column by column, written, rewritten in place."""

from __future__ import annotations

import io
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from calib.errors import FileFormatError, InputError, MissingFileError
from calib.files.atomic import file_sha256
from calib.files.dials.refl import (
    ELEMENTS,
    Column,
    Table,
    read_blocks,
    read_table,
    read_table_index,
    rewrite_columns,
    rewritten_columns,
    table_bytes,
)
from calib.files.dials.refl_header import read_index

MAGIC = "dials::af::reflection_table"
RAW_TYPES = ("Shoebox<>", "std::string", "a type from the future")

MEBIBYTE = 1 << 20


@st.composite
def columns(draw: st.DrawFn, nrows: int) -> Column:
    typename = draw(st.sampled_from([*ELEMENTS, *RAW_TYPES]))
    if typename in RAW_TYPES:
        return Column(typename, draw(st.binary(max_size=300)))
    dtype, shape = ELEMENTS[typename]
    return Column(typename, draw(hnp.arrays(np.dtype(dtype), (nrows, *shape))))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    nrows = draw(st.integers(0, 5))
    identifiers = draw(st.dictionaries(st.integers(0, 2**31), st.text(max_size=40), max_size=20))
    named = draw(st.dictionaries(st.text(max_size=300), columns(nrows), max_size=20))
    return Table(nrows, identifiers, named, draw(st.sampled_from([1, 2])))


def some_table(n: int = 4) -> Table:
    rng = np.random.default_rng(3)
    return Table(
        n,
        {0: "aaaa"},
        {
            "shoebox": Column("Shoebox<>", b"\x00\x01shoebox"),
            "id": Column("int", np.zeros(n, np.int32)),
            "xyzobs.mm.value": Column("vec3<double>", rng.normal(size=(n, 3))),
            "flags": Column("std::size_t", np.arange(n, dtype=np.uint64)),
        },
    )


def written(tmp_path: Path, table: Table, name: str = "a.refl") -> Path:
    path = tmp_path / name
    path.write_bytes(table_bytes(table))
    return path


def assert_same_column(one: Column, other: Column) -> None:
    assert one.typename == other.typename
    if isinstance(one.values, bytes) or isinstance(other.values, bytes):
        assert one.values == other.values
    else:
        assert one.values.dtype == other.values.dtype
        np.testing.assert_array_equal(one.values, other.values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@given(table=tables())
def test_a_table_survives_writing_and_reading(table: Table, folder: Path) -> None:
    path = written(folder, table)
    read = read_table(path)
    assert (read.nrows, read.identifiers, read.version) == (
        table.nrows,
        table.identifiers,
        table.version,
    )
    assert list(read.columns) == list(table.columns)
    for name, column in table.columns.items():
        assert_same_column(read.columns[name], column)
    assert table_bytes(read) == path.read_bytes()


@given(table=tables())
def test_a_table_is_the_msgpack_that_dials_describes(table: Table) -> None:
    magic, version, header = msgpack.unpackb(table_bytes(table), strict_map_key=False)
    assert (magic, version) == (MAGIC, table.version)
    assert set(header) == {"identifiers", "nrows", "data"}
    assert header["identifiers"] == table.identifiers
    for name, (typename, (count, payload)) in header["data"].items():
        assert (typename, count) == (table.columns[name].typename, table.nrows)
        values = table.columns[name].values
        assert payload == (values if isinstance(values, bytes) else values.tobytes())


def test_elements_are_little_endian_memory_in_row_order() -> None:
    table = Table(
        1,
        {},
        {
            "matrix": Column("mat3<double>", np.arange(9.0).reshape(1, 3, 3)),
            "hkl": Column("cctbx::miller::index<>", np.array([[1, -2, 3]], np.int32)),
            "n": Column("std::size_t", np.array([7], np.uint64)),
        },
    )
    data = table_bytes(table)
    assert struct.pack("<9d", *range(9)) in data
    assert struct.pack("<3i", 1, -2, 3) in data
    assert struct.pack("<Q", 7) in data


@given(table=tables(), data=st.data())
def test_rewriting_changes_the_named_columns_only(
    table: Table, data: st.DataObject, folder: Path
) -> None:
    path = written(folder, table)
    of_numbers = [n for n, c in table.columns.items() if not isinstance(c.values, bytes)]
    names = data.draw(st.lists(st.sampled_from(of_numbers), unique=True)) if of_numbers else []
    replaced = {}
    for name in names:
        dtype, shape = ELEMENTS[table.columns[name].typename]
        replaced[name] = data.draw(hnp.arrays(np.dtype(dtype), (table.nrows, *shape)))
    out = io.BytesIO()
    rewritten_columns(path, replaced)(out)
    expected = Table(
        table.nrows,
        table.identifiers,
        {
            name: Column(column.typename, replaced.get(name, column.values))
            for name, column in table.columns.items()
        },
        table.version,
    )
    assert out.getvalue() == table_bytes(expected)


@pytest.mark.parametrize(("column", "kind"), [(7, "int"), (None, "int"), ("id", 7), ("id", ["id"])])
def test_names_of_columns_and_types_are_text(tmp_path: Path, column: object, kind: object) -> None:
    path, data = tmp_path / "x.refl", {column: [kind, [1, bytes(4)]]}
    header = {"identifiers": {}, "nrows": 1, "data": data}
    path.write_bytes(msgpack.packb(["dials::af::reflection_table", 1, header]))
    with pytest.raises(FileFormatError) as caught:
        read_table(path)
    assert caught.value.code == "bad-table"


def test_rewriting_keeps_unknown_header_entries(tmp_path: Path) -> None:
    payload = struct.pack("<2d", 1.5, 2.5)
    header = {
        "version note": [None, True, -3, 1.5, {"x": b"\x00" * 300}],
        "nrows": 2,
        "data": {"d": ["double", [2, payload]]},
        "identifiers": {0: "aaaa"},
    }
    source, target = tmp_path / "a.refl", tmp_path / "b.refl"
    source.write_bytes(msgpack.packb([MAGIC, 2, header]))
    rewrite_columns(source, target, {"d": np.array([9.0, 8.0])})
    expected = source.read_bytes().replace(payload, struct.pack("<2d", 9.0, 8.0))
    assert target.read_bytes() == expected != source.read_bytes()


def test_only_named_columns_are_read(tmp_path: Path) -> None:
    read = read_table(written(tmp_path, some_table()), ["flags", "not there", "id"])
    assert list(read.columns) == ["flags", "id"]
    assert "shoebox" not in read
    with pytest.raises(InputError, match="the table has no column 'not there' of numbers"):
        read.array("not there")


def test_a_table_read_in_blocks_is_the_table(tmp_path: Path) -> None:
    path = written(tmp_path, some_table(10))
    whole, names = read_table(path), ("flags", "not there", "id", "xyzobs.mm.value")
    blocks = list(read_blocks(path, names, 3))
    assert [block.nrows for block in blocks[:-1]] == [3] * (len(blocks) - 1)
    assert sum(block.nrows for block in blocks) == whole.nrows
    for name in set(names) & set(whole.columns):
        together = np.concatenate([block.array(name) for block in blocks])
        assert np.array_equal(together, whole.array(name))


def test_reading_some_columns_of_a_large_table_takes_little_memory(tmp_path: Path) -> None:
    n = 1000
    path = written(
        tmp_path,
        Table(
            n,
            {},
            {
                "shoebox": Column("Shoebox<>", bytes(64 * MEBIBYTE)),
                "flags": Column("std::size_t", np.arange(n, dtype=np.uint64)),
            },
        ),
    )
    tracemalloc.start()
    try:
        flags = read_table(path, ["flags"]).array("flags")
        rewrite_columns(path, tmp_path / "b.refl", {"flags": flags})
        file_sha256(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(flags, np.arange(n))
    assert peak < 16 * MEBIBYTE
    assert (tmp_path / "b.refl").read_bytes() == path.read_bytes()


def test_real_tables_survive_byte_for_byte(real_data: Path) -> None:
    paths = sorted(real_data.glob("*/*.refl"))
    assert paths
    for path in paths:
        table = read_table(path)
        assert table_bytes(table) == path.read_bytes()
        assert table.array("miller_index").shape == (table.nrows, 3)


# Bad input


def with_header(**changes: Any) -> bytes:
    header = {"identifiers": {}, "nrows": 1, "data": {"d": ["double", [1, bytes(8)]]}}
    header |= changes
    return bytes(msgpack.packb([MAGIC, 1, {k: v for k, v in header.items() if v is not None}]))


AGAIN = "Try: write the table again with DIALS."
GIVE = "Try: give a .refl file written by DIALS."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"",
            ": the file is empty, expected a reflection table. Try: write it again with DIALS.",
        ),
        (
            b"hello world",
            f": the file begins with b'hello wo', expected a reflection table. {GIVE}",
        ),
        (
            b' {"__id__": "ExperimentList"}',
            ": this is JSON, such as an experiment list, expected a reflection table. "
            "Try: give the .refl file in its place.",
        ),
        (
            b"\x89HDF\r\n\x1a\n",
            ": this is an HDF5 file, expected a reflection table. "
            "Try: convert it with DIALS to a .refl file in msgpack.",
        ),
        (
            msgpack.packb(["something else", 1, {}]),
            f": the file begins with 'something else' before byte 16, expected a {MAGIC}. {AGAIN}",
        ),
        (
            msgpack.packb([MAGIC, 3, {}]),
            ": reflection table of version 3, expected 1 or 2. "
            "Try: use a newer calib, or write the table with an older DIALS.",
        ),
        (
            with_header(nrows=None),
            f": header entry 'nrows' is missing, expected a number. {AGAIN}",
        ),
        (
            with_header(identifiers=7),
            f": header entry 'identifiers' is '7', expected a map. {AGAIN}",
        ),
        (
            with_header(nrows=2),
            f", column d: 1 rows, expected 2 as in the rest of the table. {AGAIN}",
        ),
        (
            with_header(data={"d": ["double", [1, bytes(7)]]}),
            f", column d: 7 bytes, expected 8 for 1 rows of double. {AGAIN}",
        ),
        (
            with_header(data={"d": ["double", [1, "text"]]}),
            f": the file has the byte 0xa4 before byte 70, expected a column of bytes. {AGAIN}",
        ),
        (
            with_header(identifiers={"a": "b"}),
            f": the identifiers hold ('a', 'b'), expected a number and a text. {AGAIN}",
        ),
        (
            with_header(x=b"\x91", data=None).replace(b"\xc4\x01\x91", b"\x91" * 99_999),
            f": the file is nested too deeply before byte 70, expected a table. {AGAIN}",
        ),
        (
            with_header(data={"d": ["double", bytes(8)]}),
            ": the file has the byte 0xc4 before byte 68, "
            f"expected a list (values of column d). {AGAIN}",
        ),
    ],
)
def test_a_file_that_is_not_a_table_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.refl"
    path.write_bytes(data)
    with pytest.raises(FileFormatError) as caught:
        read_table(path)
    assert str(caught.value) == f"{path}{message}"


def test_a_pickle_is_refused_with_the_way_to_convert_it(tmp_path: Path) -> None:
    path = tmp_path / "strong.pickle"
    path.write_bytes(b"\x80\x02cdials_array_family_flex_ext\n")
    with pytest.raises(FileFormatError) as caught:
        read_table(path)
    assert str(caught.value) == (
        f"{path}: this is a pickle, which runs code when it is loaded; calib never loads one. "
        "Try: convert it with DIALS, on a computer where you trust the file: python -c 'from "
        'dials.array_family import flex; flex.reflection_table.from_file("strong.pickle")'
        '.as_file("strong.refl")\''
    )


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"none\.refl: there is no such file\."):
        read_table(tmp_path / "none.refl")


@given(table=tables(), data=st.data())
def test_a_truncated_table_is_refused(table: Table, data: st.DataObject) -> None:
    whole = table_bytes(table)
    length = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(FileFormatError) as caught:
        read_index(io.BytesIO(whole[:length]), "a.refl")
    if length > 1:
        assert caught.value.code == "truncated"
        assert str(caught.value).startswith(f"a.refl: the file is cut off: it has {length} bytes,")


@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_with_a_calib_error(
    data: st.DataObject, folder: Path
) -> None:
    damaged = bytearray(table_bytes(some_table()))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = folder / "damaged.refl"
    path.write_bytes(damaged)
    try:
        read_table(path)
    except FileFormatError as error:
        assert str(path) in error.place


def test_other_shapes_and_missing_columns_are_refused_before_writing(tmp_path: Path) -> None:
    path = written(tmp_path, some_table())
    with pytest.raises(InputError, match=r"a.refl: there is no column 'xyz' of numbers\."):
        rewritten_columns(path, {"xyz": np.zeros(4)})
    with pytest.raises(InputError, match=r"a.refl: there is no column 'shoebox' of numbers\."):
        rewritten_columns(path, {"shoebox": np.zeros(4)})
    with pytest.raises(InputError, match=r"column flags: \(3,\) values, expected \(4,\)\."):
        rewritten_columns(path, {"flags": np.zeros(3, np.uint64)})
    with pytest.raises(InputError, match=r"float64 values do not fit std::size_t\."):
        rewritten_columns(path, {"flags": np.zeros(4)})
    with pytest.raises(InputError, match=r"column d: \(3,\) does not fit double with 4 rows\."):
        Table(4, {}, {"d": Column("double", np.zeros(3))})


def test_rewriting_never_overwrites_its_source(tmp_path: Path) -> None:
    path = written(tmp_path, some_table())
    before = path.read_bytes()
    with pytest.raises(InputError, match="would overwrite the input"):
        rewrite_columns(path, path, {"flags": np.zeros(4, np.uint64)}, force=True)
    assert path.read_bytes() == before


def test_the_index_names_columns_without_reading_them(tmp_path: Path) -> None:
    index = read_table_index(written(tmp_path, some_table()))
    assert (index.nrows, index.identifiers, index.version) == (4, {0: "aaaa"}, 1)
    assert {name: span.size for name, span in index.columns.items()} == {
        "shoebox": 9,
        "id": 16,
        "xyzobs.mm.value": 96,
        "flags": 32,
    }
