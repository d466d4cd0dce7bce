"""Frozen dataclasses as plain content (mappings, lists, numbers, text), and back.

A field that stands at its default is left out, and filled in again on the way back: so a field
which is added later, with a default, changes neither what older content says nor its name.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_content(value: Any) -> Any:
    """Dataclasses become mappings, tuples lists, enumerations their values; the rest stays."""
    if is_dataclass(value) and not isinstance(value, type):
        said = ((f, getattr(value, f.name)) for f in fields(value))
        return {f.name: to_content(v) for f, v in said if f.default is MISSING or v != f.default}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: to_content(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_content(item) for item in value]
    return value


def from_content(kind: type[T], content: Any) -> T:
    """The dataclass ``kind`` whose ``to_content`` this is (ISO text is read as an instant)."""
    value: T = _built(kind, content)
    return value


@lru_cache(maxsize=256)
def _kinds(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields(kind)}


def _built(kind: Any, content: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if content is None:
            return None
        inner = next(arg for arg in get_args(kind) if arg is not type(None))
        return _built(inner, content)
    if origin is tuple:
        item_kinds = get_args(kind)
        if item_kinds[-1] is Ellipsis:
            return tuple(_built(item_kinds[0], item) for item in content)
        return tuple(_built(k, item) for k, item in zip(item_kinds, content, strict=True))
    if isinstance(kind, type) and is_dataclass(kind):
        defaults = {f.name for f in fields(kind) if f.default is not MISSING}
        made = {
            name: _built(inner, content[name])
            for name, inner in _kinds(kind).items()
            if name in content or name not in defaults
        }
        return kind(**made)
    if kind is datetime and isinstance(content, str):
        return datetime.fromisoformat(content)
    if isinstance(kind, type) and (issubclass(kind, Enum) or kind is float):
        return kind(content)
    return content
