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
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from calib.errors import InputError

_PLAIN = frozenset({str, int, bool, type(None)})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical_bytes(content: Any) -> bytes:
    """The canonical form of ``content``; raises ``InputError`` for what has none."""
    text = json.dumps(
        _tagged(content, "$"), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    return text.encode("utf-8")


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
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError("not-finite", f"{path} is {value}, which has no canonical form.")
        return {"$f": (float(value) + 0.0).hex()}
    if isinstance(value, datetime):
        return {"$t": microseconds(value)}
    if isinstance(value, np.ndarray):
        return _tagged_array(value, path)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key.startswith("$"):
                raise InputError("bad-key", f"{path} has the key {key!r}.")
        return {
            key: item if type(item) in _PLAIN else _tagged(item, f"{path}.{key}")
            for key, item in value.items()
        }
    if type(value) in (list, tuple) and _PLAIN.issuperset(map(type, value)):
        return value  # as it is: panels have a name, a status and a count each
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_tagged(item, f"{path}[{index}]") for index, item in enumerate(value)]
    raise InputError("no-canonical-form", f"{path} is a {type(value).__name__}.")


def _tagged_array(values: np.ndarray[Any, Any], path: str) -> dict[str, Any]:
    if values.dtype != np.float64:
        raise InputError("no-canonical-form", f"{path} is an array of {values.dtype}.")
    if not np.isfinite(values).all():
        raise InputError("not-finite", f"{path} contains NaN or infinity.")
    packed = np.ascontiguousarray(values + 0.0, dtype="<f8").tobytes()
    return {"$a": hashlib.sha256(packed).hexdigest(), "$n": list(values.shape)}
