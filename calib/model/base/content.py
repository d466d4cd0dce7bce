"""Frozen dataclasses as plain content (mappings, lists, numbers, text), and back.

A field that equals its default is omitted, and restored when content is read: a field that is
added later, with a default, changes neither older content nor its hash. The conversion of each
class is worked out once, since reports have thousands of values.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache, partial
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Maker = Callable[[Any], Any]
"""Converts a value to content, or content to a value."""


def to_content(value: Any) -> Any:
    """Convert dataclasses to mappings, tuples to lists, enumerations to their values."""
    kind: Any = type(value)
    encode = _encoder(kind)
    return value if encode is None else encode(value)


@cache
def _encoder(kind: type) -> Maker | None:
    """The conversion of a class's values to content; None if they need none."""
    if is_dataclass(kind):
        defaults = tuple((f.name, f.default) for f in fields(kind))

        def encode(value: Any) -> dict[str, Any]:
            given = ((name, getattr(value, name), default) for name, default in defaults)
            return {
                name: to_content(own)
                for name, own, default in given
                if default is MISSING or own != default
            }

        return encode
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, Mapping):
        return lambda value: {key: to_content(item) for key, item in value.items()}
    if issubclass(kind, tuple | list):
        return lambda value: [to_content(item) for item in value]
    return None


def from_content(kind: type[T], content: Any) -> T:
    """The value of class ``kind`` with this content (ISO text is read as an instant).

    Raises ``TypeError``, ``ValueError``, ``KeyError`` or ``AttributeError`` for anything else:
    values of another type are never coerced.
    """
    wanted: Any = kind
    value: T = _maker(wanted)(content)
    return value


@cache
def _maker(kind: Any) -> Maker:
    """The conversion of content to a value of some type."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = _maker(next(arg for arg in get_args(kind) if arg is not type(None)))
        return lambda content: None if content is None else inner(content)
    if origin is tuple:
        if get_args(kind)[-1] is Ellipsis:
            each = _maker(get_args(kind)[0])
            return lambda content: tuple(each(item) for item in _items(content))
        makers = tuple(_maker(inner) for inner in get_args(kind))
        return lambda content: tuple(
            make(item) for make, item in zip(makers, _items(content), strict=True)
        )
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_maker(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _LEAVES.get(kind, lambda content: content)


def _items(content: Any) -> Sequence[Any]:
    if not isinstance(content, list | tuple):
        raise _misplaced(content, "list")
    return content


def _instant(content: Any) -> datetime:
    return datetime.fromisoformat(content) if isinstance(content, str) else _of(datetime, content)


def _number(content: Any) -> float:
    try:
        return float(content if isinstance(content, float) else _whole(content))
    except OverflowError as error:
        raise ValueError(str(error)) from error


def _whole(content: Any) -> int:
    if isinstance(content, bool):
        raise _misplaced(content, "int")
    return _of(int, content)


def _of(kind: type[T], content: Any) -> T:
    if not isinstance(content, kind):
        raise _misplaced(content, kind.__name__)
    return content


def _misplaced(content: Any, wanted: str) -> TypeError:
    return TypeError(f"{type(content).__name__} instead of {wanted}")


_LEAVES: dict[Any, Maker] = {
    datetime: _instant,
    float: _number,
    int: _whole,
    str: partial(_of, str),
    bool: partial(_of, bool),
}


def _dataclass_maker(kind: type) -> Maker:
    hints = get_type_hints(kind)
    parts = tuple((f.name, _maker(hints[f.name]), f.default is MISSING) for f in fields(kind))

    def make(content: Any) -> Any:
        return kind(
            **{name: own(content[name]) for name, own, needed in parts if needed or name in content}
        )

    return make
