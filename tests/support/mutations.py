"""Small random changes of files: of their bytes, and of one value of what they contain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgpack

NUMBERS: tuple[Any, ...] = (
    0, -1, 0.0, -0.0, 1e308, -1e308, 1e155, 1e20, 1e-300, 5e-324,
    2**31, 2**53 + 1, 2**62, 2**63 - 1, 2**63, -(2**63), 2**64 - 1,
)  # fmt: skip
"""What every format can hold."""
LONGER: tuple[Any, ...] = (float("nan"), float("inf"), float("-inf"), 10**400, -(10**5000 - 1))
"""What text can hold."""
OTHERS: tuple[Any, ...] = (
    None, True, False, "", "x", "a" * 300, "-rf", "a\x1b[2J", "\ud800", "é", "1e400", "NaN",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "2026-03-01", "../../etc",
    [], {}, [[]], [0.0, 0.0, 0.0], [1e308] * 3, {"x": 1},
)  # fmt: skip


def changed_bytes(chance: Random, content: bytes) -> bytes:
    """Some bytes changed, cut out, repeated or inserted."""
    out = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place, n = chance.randrange(len(out) + 1), chance.choice((1, 2, 4, 8, 64, 4096))
        piece = chance.choice((out[place : place + n], chance.randbytes(n), bytes(n), b"\xff" * n))
        match chance.randrange(4):
            case 0:
                out[place : place + len(piece)] = piece
            case 1:
                del out[place : place + n]
            case 2:
                out[place:place] = piece
            case _:
                if place < len(out):
                    out[place] ^= 1 << chance.randrange(8)
    return bytes(out)


def changed_value(chance: Random, content: Any, numbers: tuple[Any, ...] = NUMBERS) -> Any:
    """The content of lists and dictionaries with one to three changes, made in place."""
    for _ in range(chance.choice((1, 1, 1, 3))):
        holders = [one for one in _holders(content) if one]
        if not holders:
            return content
        holder = chance.choice(holders)
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        match chance.randrange(8):
            case 0:
                del holder[key]
            case 1:
                holder[key] = json_copy(chance.choice(list(_holders(content))))
            case 2 if isinstance(holder, list):
                holder.insert(key, holder[key])
            case 2 if isinstance(key, str):
                holder[chance.choice((key + "x", "", "__id__"))] = holder[key]
            case 3 if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
                holder[key] = -holder[key]
            case 4 if isinstance(holder[key], str) and holder[key]:
                at = chance.randrange(len(holder[key]))
                other = chance.choice(("", "0", "f", " ", "\n", "\u202e"))
                holder[key] = holder[key][:at] + other + holder[key][at + 1 :]
            case 5 | 6:
                holder[key] = chance.choice(numbers)
            case _:
                holder[key] = json_copy(chance.choice(OTHERS))
    return content


def json_copy(content: Any) -> Any:
    """A copy of lists and dictionaries."""
    if isinstance(content, dict):
        return {key: json_copy(value) for key, value in content.items()}
    return [json_copy(value) for value in content] if isinstance(content, list) else content


def _holders(content: Any) -> Iterator[Any]:
    if isinstance(content, dict | list):
        yield content
        for value in content.values() if isinstance(content, dict) else content:
            yield from _holders(value)


def changed_json(chance: Random, content: bytes) -> bytes:
    """JSON with another value, key or nesting somewhere, or a key that stands there twice."""
    found = changed_value(chance, json.loads(content), NUMBERS + LONGER[:4])
    text = json.dumps(found, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.1:
        text = text.replace("{", '{"' + chance.choice(("format", "id", "origin")) + '": 7,', 1)
    if chance.random() < 0.02:
        text = text.replace("[", "[" * 5000, 1)
    return text.encode("utf-8", "surrogatepass")


def changed_msgpack(chance: Random, content: bytes) -> bytes:
    """A message with another value, key or nesting somewhere."""
    found = msgpack.unpackb(content, strict_map_key=False)
    try:
        return bytes(msgpack.packb(changed_value(chance, found)))
    except (ValueError, TypeError, OverflowError):  # what a message cannot hold
        return changed_bytes(chance, content)


def changed_toml(chance: Random, content: bytes) -> bytes:
    """TOML with another value, key or line somewhere."""
    lines = content.decode().splitlines()
    at = chance.randrange(len(lines))
    key, _, _ = lines[at].partition("=")
    value = chance.choice((*NUMBERS, *LONGER[:3], *OTHERS))
    shown = json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf").replace(":", "=")
    match chance.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, chance.choice(lines))
        case 2:
            lines[at] = f"{key}x = {shown}"
        case 3:
            lines[at] = lines[at].replace(chance.choice("0123456789[],"), chance.choice("90,[]e-"))
        case _:
            lines[at] = f"{key}= {shown}"
    return "\n".join(lines).encode("utf-8", "surrogatepass")


Change = Callable[[Random, bytes], bytes]
