"""The canonical form of content, and the name that it gives: a SHA-256.

JSON in UTF-8 with sorted keys and no white space, in which

* a float is ``{"$f": HEX}`` with HEX its exact binary value (``float.hex``), -0.0 as 0.0;
* an instant is ``{"$t": N}`` with N the microseconds since 1970-01-01 UTC;
* an array of float64 is ``{"$a": SHA, "$n": SHAPE}`` with the SHA-256 of its values, row by row,
  as little-endian float64, -0.0 as 0.0 (a 60-panel calibration is verified in a tenth of a
  millisecond, where writing out each float takes seven);
* NaN and infinity are refused (a value that was not measured is null), as are keys that begin
  with ``$`` and any type other than mappings, sequences, text, integers, truth values and null.

Content names its own format under the key ``format``, so that no two kinds share a name.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from calib.errors import InputError

_PLAIN = frozenset({str, int, bool, type(None)})
_WRITTEN = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical_bytes(content: Any) -> bytes:
    """The canonical form of ``content``; raises ``InputError`` for what has none."""
    return _WRITTEN(_tagged(content, "$")).encode("utf-8")


def content_id(content: Mapping[str, Any]) -> str:
    """The SHA-256 of the canonical form, in hexadecimal."""
    if not isinstance(content.get("format"), str):
        raise InputError("no-format", "content to be named must state its format.")
    return hashlib.sha256(canonical_bytes(content)).hexdigest()


def microseconds(instant: datetime) -> int:
    """Microseconds since 1970-01-01 UTC; naive datetimes are refused."""
    if instant.tzinfo is None:
        raise InputError("naive-time", f"{instant.isoformat()} has no time zone.")
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant_from(micros: int) -> datetime:
    """The instant so many microseconds after 1970-01-01 UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def _tagged(value: Any, path: str) -> Any:
    teller = _TELLERS.get(type(value))
    if teller is not None:
        return teller(value, path)
    for kind, other in _TELLERS.items():
        if isinstance(value, kind):
            return other(value, path)
    if isinstance(value, Mapping):
        return _tagged_mapping(value, path)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return _tagged_sequence(value, path)
    raise InputError("no-canonical-form", f"{path} is a {type(value).__name__}.")


def _as_it_is(value: Any, _path: str) -> Any:
    return value


def _tagged_float(value: float, path: str) -> dict[str, Any]:
    if not math.isfinite(value):
        raise InputError("not-finite", f"{path} is {value}, which has no canonical form.")
    return {"$f": (float(value) + 0.0).hex()}


def _tagged_instant(value: datetime, _path: str) -> dict[str, Any]:
    return {"$t": microseconds(value)}


def _tagged_mapping(value: Mapping[Any, Any], path: str) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str) or key.startswith("$"):
            raise InputError("bad-key", f"{path} has the key {key!r}.")
    return {
        key: item if type(item) in _PLAIN else _tagged(item, f"{path}.{key}")
        for key, item in value.items()
    }


def _tagged_sequence(value: Sequence[Any], path: str) -> Any:
    if type(value) in (list, tuple) and _PLAIN.issuperset(map(type, value)):
        return value  # as it is: panels have a name, a status and a count each
    return [_tagged(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _tagged_array(values: np.ndarray[Any, Any], path: str) -> dict[str, Any]:
    if values.dtype != np.float64:
        raise InputError("no-canonical-form", f"{path} is an array of {values.dtype}.")
    if not np.isfinite(values).all():
        raise InputError("not-finite", f"{path} contains NaN or infinity.")
    packed = np.ascontiguousarray(values + 0.0, dtype="<f8").tobytes()
    return {"$a": hashlib.sha256(packed).hexdigest(), "$n": list(values.shape)}


_TELLERS: dict[type, Callable[[Any, str], Any]] = {
    str: _as_it_is,
    int: _as_it_is,  # truth values as well
    type(None): _as_it_is,
    float: _tagged_float,
    datetime: _tagged_instant,
    np.ndarray: _tagged_array,
    dict: _tagged_mapping,
    list: _tagged_sequence,
    tuple: _tagged_sequence,
}
"""How values of a class, or of one derived from it, are told."""
