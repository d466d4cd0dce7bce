"""Bundles as files: a header line, compressed JSON lines, and a hash of both.

See docs/reference/bundles.md. The hash is checked before anything is unpacked, so that a change of
any byte is found.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from calib.errors import CalibError, FileFormatError
from calib.files.atomic import read_bytes
from calib.model.base.bounds import ORDINAL, POSITION, Bounds, checked_instant
from calib.model.base.canonical import instant_from, microseconds
from calib.model.store.bundle import Bundle, BundleEntry, BundleRows
from calib.model.store.log import Entry
from calib.model.store.record import ChangeStamp

MAGIC = b"calib bundle 1\n"
_TRAILER = 65
"""Bytes: the SHA-256 of all before it in hexadecimal, and a newline."""
_LEAST_LIMIT = 64 * 2**20
_LARGEST_RATIO = 40
"""Limit of the unpacked size as a multiple of the file's, or the limit above if that is more."""
_OF_NESTED, _OF_ITEM = 72, 32
"""Bytes that an object or a list takes in memory, and that an item does, beside its text."""
_CHUNK = 2**20


def bundle_writer(bundle: Bundle) -> Callable[[BinaryIO], None]:
    """A writer of the bundle, for ``atomic.write_safely``."""

    def write(file: BinaryIO) -> None:
        digest, packer = hashlib.sha256(), zlib.compressobj(6)

        def put(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        put(MAGIC)
        for line in _lines(bundle):
            put(packer.compress(line))
        put(packer.flush())
        file.write(digest.hexdigest().encode("ascii") + b"\n")

    return write


def read_bundle(path: Path) -> Bundle:
    """The bundle in a file, verified: the file as a whole, its chain and its rows.

    Raises ``FileFormatError`` where it is none or not as it was made, and for one that would
    unpack to far more than its size.
    """
    data = read_bytes(path)
    try:
        if not data.startswith(MAGIC):
            raise _no_bundle(why="it does not begin as one")
        body, trailer = data[:-_TRAILER], data[-_TRAILER:]
        if hashlib.sha256(body).hexdigest().encode("ascii") + b"\n" != trailer:
            raise _no_bundle(why="bytes were changed or cut off since it was made")
        bundle = _bundle(_unpacked(body[len(MAGIC) :]))
        bundle.verify()
    except FileFormatError as error:
        raise FileFormatError(
            error.code, error.problem, place=str(path), remedy=error.remedy
        ) from error
    return bundle


def _lines(bundle: Bundle) -> Iterator[bytes]:
    yield _line(
        {
            "kind": "bundle",
            "format": "calib/bundle/1",
            "serial": bundle.serial,
            "calibration": bundle.calibration_id,
            "with_usage": bundle.with_usage,
            "code_version": bundle.code_version,
        }
    )
    for one in bundle.entries:
        yield _line({"kind": "entry", **_entry_content(one)})
    for rows in bundle.rows:
        yield _line(
            {
                "kind": "rows",
                "table": rows.table,
                "position": rows.position,
                "loose": rows.loose,
                "columns": {
                    name: [_plain(value) for value in values]
                    for name, values in rows.columns.items()
                },
            }
        )


def _line(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8") + b"\n"


def _entry_content(one: BundleEntry) -> dict[str, Any]:
    entry, signed = one.entry, None
    if one.signed:
        recorded = entry.recorded
        signed = {
            "actor": recorded.actor,
            "host": recorded.host,
            "command": recorded.command,
            "salt": entry.salt,
        }
    return {
        "position": entry.position,
        "recorded_at": _plain(entry.recorded.at),
        "by": one.by,
        "signed": signed,
        "reason": entry.recorded.reason,
        "chain": entry.chain,
        "ordinal": entry.ordinal,
        "what": entry.kind,
        "contents": dict(entry.contents),
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$t": microseconds(value)}
    if isinstance(value, bytes):
        return {"$b": base64.b64encode(value).decode("ascii")}
    return value


def _value(plain: Any) -> Any:
    if isinstance(plain, dict):
        ((tag, content),) = plain.items()
        if tag == "$t":
            return instant_from(content)
        if tag == "$b":
            return base64.b64decode(content, validate=True)
        raise ValueError(tag)
    if isinstance(plain, list):
        raise TypeError("list")
    return plain


def _instant(plain: Any) -> datetime:
    value = _value(plain)
    if not isinstance(value, datetime):
        raise TypeError
    return checked_instant(value, "the time of an entry")


def _unpacked(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON lines, unpacked in blocks up to the limit."""
    limit = max(_LEAST_LIMIT, _LARGEST_RATIO * len(body))
    unpacker, total = zlib.decompressobj(), 0
    pieces: list[bytes] = []
    try:
        rest = body
        while not unpacker.eof:
            piece = unpacker.decompress(rest, _CHUNK)
            rest = unpacker.unconsumed_tail
            if not piece and not rest and not unpacker.eof:
                raise _no_bundle(why="it ends too early")
            total += len(piece)
            total += _OF_NESTED * (piece.count(b"{") + piece.count(b"["))
            total += _OF_ITEM * piece.count(b",")
            if total > limit:
                raise _no_bundle(why=f"it would unpack to more than {limit} bytes")
            *whole, tail = piece.split(b"\n")
            for line in whole:
                pieces.append(line)
                yield json.loads(b"".join(pieces))
                pieces = []
            pieces.append(tail)
    except (zlib.error, ValueError, RecursionError) as error:
        raise _no_bundle(why=f"it cannot be unpacked ({error})") from error

    if any(pieces) or unpacker.unused_data:
        raise _no_bundle(why="something follows its end")


def _bundle(lines: Iterator[dict[str, Any]]) -> Bundle:
    entries, rows = [], []
    try:
        head = next(lines, {})
        if head.get("kind") != "bundle" or head.get("format") != "calib/bundle/1":
            raise _no_bundle(why="its first line does not say that it is one")
        for content in lines:
            if content["kind"] == "entry":
                entries.append(_entry(content))
            elif content["kind"] == "rows":
                rows.append(_rows(content))
            else:
                raise _no_bundle(why=f"it holds a line of the kind {content['kind']!r}")
        return Bundle(
            serial=_text(head["serial"]),
            calibration_id=None if head["calibration"] is None else _text(head["calibration"]),
            with_usage=bool(head["with_usage"]),
            code_version=_text(head["code_version"]),
            entries=tuple(entries),
            rows=tuple(rows),
        )
    except FileFormatError:
        raise
    except (
        AttributeError, KeyError, TypeError, ValueError, OverflowError, binascii.Error, CalibError,
    ) as error:  # fmt: skip
        raise _no_bundle(why=f"something is missing or misshapen ({error})") from error


def _entry(content: dict[str, Any]) -> BundleEntry:
    signed = content["signed"]
    who = signed or {"actor": "", "host": "", "command": "", "salt": ""}
    recorded = ChangeStamp(
        _instant(content["recorded_at"]),
        _text(who["actor"]),
        _text(who["host"]),
        _text(who["command"]),
        _text(content["reason"]),
    )
    entry = Entry(
        position=_whole(content["position"], POSITION),
        recorded=recorded,
        chain=_text(content["chain"]),
        ordinal=_whole(content["ordinal"], ORDINAL),
        kind=_text(content["what"]),
        contents={_text(table): _text(name) for table, name in content["contents"].items()},
        salt=_text(who["salt"]),
        previous=None if content["previous"] is None else _text(content["previous"]),
        hash=_text(content["hash"]),
    )
    return BundleEntry(entry, _text(content["by"]), signed is not None)


def _rows(content: dict[str, Any]) -> BundleRows:
    columns = {
        _text(name): tuple(_value(plain) for plain in values)
        for name, values in content["columns"].items()
    }
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError("columns of several lengths")
    return BundleRows(
        _text(content["table"]),
        _whole(content["position"], POSITION),
        columns,
        bool(content["loose"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any, bounds: Bounds) -> int:
    return int(bounds.checked(value, "a number"))


def _no_bundle(why: str) -> FileFormatError:
    return FileFormatError(
        "no-bundle",
        f"this is no bundle of calib as it was made: {why}.",
        remedy="get it again from where it was made.",
    )
