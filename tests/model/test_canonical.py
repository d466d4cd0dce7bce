"""The canonical form of content and the names it gives."""

from __future__ import annotations

import hashlib
import json
from array import array
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import InputError
from calib.model.base.canonical import canonical_bytes, content_id, instant_from, microseconds

FINITE = st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
    lambda key: not key.startswith("$")
)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any) -> Any:
    """The same content, its mappings in the opposite order and its lists as tuples."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return tuple(shuffled(item) for item in value)
    return value


def plain(value: Any) -> Any:
    """What the canonical form says, tags taken off."""
    if isinstance(value, dict):
        return (
            float.fromhex(value["$f"])
            if "$f" in value
            else {key: plain(item) for key, item in value.items()}
        )
    return [plain(item) for item in value] if isinstance(value, list) else value


@given(CONTENT)
def test_the_order_of_keys_and_the_kind_of_sequence_do_not_count(content: Any) -> None:
    assert canonical_bytes(shuffled(content)) == canonical_bytes(content)


@given(CONTENT)
def test_nothing_is_lost_in_the_canonical_form(content: Any) -> None:
    assert plain(json.loads(canonical_bytes(content))) == content


@given(FINITE)
def test_a_float_is_written_to_its_last_bit(value: float) -> None:
    text = json.loads(canonical_bytes(value))["$f"]
    assert float.fromhex(text) == value
    other = np.nextafter(value, 0.0 if value else 1.0)
    assert canonical_bytes(float(other)) != canonical_bytes(value)


def test_the_form_itself_never_changes() -> None:
    """Goldens: a change here would rename everything in every store."""
    content = {
        "format": "calib/test/1",
        "β": [1, 0.1, -0.0, None, True, "é\n"],
        "a": {"t": datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)},
        "v": np.array([[1.0, -0.0, 0.25]]),
    }
    values = hashlib.sha256(np.array([1.0, 0.0, 0.25], dtype="<f8").tobytes()).hexdigest()
    expected = (
        '{"a":{"t":{"$t":1772366400000001}},"format":"calib/test/1",'
        '"v":{"$a":"' + values + '","$n":[1,3]},'
        '"β":[1,{"$f":"0x1.999999999999ap-4"},{"$f":"0x0.0p+0"},null,true,"é\\n"]}'
    )
    assert canonical_bytes(content).decode() == expected
    assert content_id(content) == hashlib.sha256(expected.encode()).hexdigest()


def test_minus_zero_is_zero() -> None:
    assert canonical_bytes(-0.0) == canonical_bytes(0.0)
    assert canonical_bytes(np.array([-0.0])) == canonical_bytes(np.array([0.0]))


def test_an_integer_is_no_float_and_a_truth_value_no_integer() -> None:
    assert len({canonical_bytes(value) for value in (1, 1.0, True, "1")}) == 4


def test_arrays_are_named_by_values_and_shape_not_by_how_they_lie_in_memory() -> None:
    values = np.arange(6.0).reshape(2, 3)
    assert canonical_bytes(np.asfortranarray(values)) == canonical_bytes(values)
    assert canonical_bytes(np.arange(12.0)[::2].reshape(2, 3) / 2.0) == canonical_bytes(values)
    assert canonical_bytes(values.reshape(3, 2)) != canonical_bytes(values)


@given(st.lists(FINITE))
def test_an_array_of_the_standard_library_is_one_of_numpy(values: list[float]) -> None:
    assert canonical_bytes(array("d", values)) == canonical_bytes(np.array(values, dtype=float))


def test_any_mapping_will_do() -> None:
    assert canonical_bytes(MappingProxyType({"a": 1})) == canonical_bytes({"a": 1})


def test_numbers_of_numpy_stand_for_themselves_or_are_refused() -> None:
    assert canonical_bytes(np.float64(0.1)) == canonical_bytes(0.1)
    with pytest.raises(InputError, match="is a int64"):
        canonical_bytes({"n": np.int64(3)})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"a": [1.0, float("nan")]}, r"\$\.a\[1\] is nan"),
        ({"a": float("inf")}, r"\$\.a is inf"),
        ({"a": np.array([np.nan])}, r"\$\.a contains NaN or infinity"),
        ({"a": array("d", [float("nan")])}, r"\$\.a contains NaN or infinity"),
        ({"a": array("f", [1.0])}, r"\$\.a is an array of type f"),
        ({"a": np.array([1, 2])}, r"\$\.a is an array of int64"),
        ({"a": np.array([1.0], dtype=np.float32)}, r"\$\.a is an array of float32"),
        ({"$a": 1}, r"\$ has the key '\$a'"),
        ({"a": {3: 1}}, r"\$\.a has the key 3"),
        ({"a": b"bytes"}, r"\$\.a is a bytes"),
        ({"a": {1, 2}}, r"\$\.a is a set"),
        ({"a": 1j}, r"\$\.a is a complex"),
    ],
)
def test_what_has_no_canonical_form_is_refused_with_its_place(content: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        canonical_bytes(content)


def test_content_must_state_its_format() -> None:
    with pytest.raises(InputError, match="must state its format"):
        content_id({"a": 1})
    with pytest.raises(InputError, match="must state its format"):
        content_id({"format": 1})


@given(st.integers(-(10**15), 10**15))
def test_an_instant_survives_the_way_through_its_microseconds(micros: int) -> None:
    assert microseconds(instant_from(micros)) == micros


@given(st.integers(-(10**15), 10**15), st.integers(-14 * 60, 14 * 60))
def test_an_instant_is_the_same_in_every_zone(micros: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    instant = instant_from(micros)
    assert microseconds(instant.astimezone(zone)) == micros
    assert canonical_bytes(instant.astimezone(zone)) == canonical_bytes(instant)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="2026-03-01T12:00:00 has no time zone"):
        microseconds(datetime(2026, 3, 1, 12))  # noqa: DTZ001 - the point of the test
