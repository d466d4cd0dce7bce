"""Summaries that were changed in any way, sealed again or not: read as they are, or refused."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import numpy as np
import pytest

from calib.errors import CalibError
from calib.files.native.container import npy_bytes, zip_bytes
from calib.files.native.summary import MANIFEST, summary_bytes
from calib.files.native.summary_hdf5 import hdf5_bytes
from calib.model.detector.correction import Correction
from calib.model.result.summary import Additional, Summary
from support.isolated import CRASHED, FAILED, HUNG, READ, REFUSED, outcomes
from support.mutations import changed_bytes
from support.readers import misbehaving, solved_summary, summary_checksum
from support.summaries import SEAL, members_of, resealed, summary, written

MANY = 100 if os.environ.get("CALIB_TEST_PROFILE") == "long" else 1
"""Times the inputs of the default profile."""
NUMBERS = (
    0.0, -1.0, 1e-300, 1e30, 1e155, -1e308, 1.7e308, 5e-324, 2**53 + 1, 2**62, -(2**63), 2**63,
    2**64,
)  # fmt: skip
JSON: tuple[Any, ...] = (
    *NUMBERS,
    None,
    True,
    "",
    "\x1b[2J",
    "a" * 300,
    "-rf",
    [],
    {},
    [[]],
    float("nan"),
    float("inf"),
)


def seeded(seed: int | str) -> Random:
    """The same chances in every run."""
    return Random(seed)  # noqa: S311 - nothing is secret here


def changed_headers(chance: Random, content: bytes) -> bytes:
    """A number in a header of the archive, or in its directory, replaced by an extreme."""
    out = bytearray(content)
    places = [i for i in range(len(out) - 4) if out[i : i + 2] == b"PK"]
    place = chance.choice(places) + chance.randrange(2, 46)
    size = chance.choice((2, 4))
    value = chance.choice((0, 1, 8, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1, len(out)))
    out[place : place + size] = struct.pack("<Q", value)[:size]
    return bytes(out[: len(content)])


def changed_members(chance: Random, content: bytes) -> bytes:
    """Members changed, exchanged, dropped or added, and a manifest that states what they are."""
    members = members_of(content)
    names = [name for name in members if name != MANIFEST]
    one, other = chance.choice(names), chance.choice(names)
    match chance.randrange(5):
        case 0:
            members[one] = changed_bytes(chance, members[one])
        case 1:
            members[one], members[other] = members[other], members[one]
        case 2:
            del members[one]
        case 3:
            members["more.npy"] = members[one]
        case _:
            shape = tuple(chance.choice((0, 1, 6, 10, 60)) for _ in range(chance.randrange(4)))
            members[one] = npy_bytes(np.full(shape, chance.choice(NUMBERS), dtype=np.float64))
    return resealed(members)


def changed_manifest(chance: Random, content: bytes) -> bytes:
    """Any value of the manifest, or its text, replaced."""
    members = members_of(content)
    if chance.random() < 0.2:
        return zip_bytes({**members, MANIFEST: changed_bytes(chance, members[MANIFEST])})
    manifest = json.loads(members[MANIFEST])
    holder: Any = manifest
    key = chance.choice(list(manifest))
    while isinstance(holder[key], list | dict) and holder[key] and chance.random() < 0.8:
        holder = holder[key]
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key] = chance.choice(JSON)
    return zip_bytes({**members, MANIFEST: json.dumps(manifest).encode()})


KINDS = (changed_bytes, changed_headers, changed_members, changed_manifest)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_summary_is_refused_or_the_same(
    kind: Callable[[Random, bytes], bytes],
) -> None:
    chance = seeded(kind.__name__)
    inputs = [kind(chance, written()) for _ in range(60 * MANY)]
    for content, (outcome, what) in zip(inputs, outcomes(summary_checksum, inputs), strict=True):
        assert outcome in (READ, REFUSED), (outcome, what)
        # Some changes exchange equal bytes, or turn 5 into 5.0.
        assert outcome == REFUSED or what == summary().checksum, content[:200]


def with_value(one: Any, name: str, value: object) -> Any:
    """The dataclass with another value in a field."""
    return replace(one, **{name: value})


def other_summaries(chance: Random, n: int) -> Iterator[Summary]:
    """Summaries with an extreme in the place of some value, and every hash made anew."""
    for _ in range(n):
        found, extreme = summary(), chance.choice(NUMBERS)
        statement = found.statement
        try:
            match chance.randrange(7):
                case 0:
                    name = chance.choice(("chi_square", "n_data"))
                    statement = with_value(statement, name, float(extreme))
                case 1:
                    statement = replace(statement, n_nuisance=int(extreme))
                case 2:
                    name = chance.choice(("distance_mm", "wavelength_angstrom"))
                    use = with_value(statement.use, name, float(extreme))
                    statement = replace(statement, use=use)
                case 3:
                    equations = statement.whole
                    name = chance.choice(("own", "coupling", "vector"))
                    values = getattr(equations, name).copy()
                    values.flat[chance.randrange(values.size)] = extreme
                    statement = replace(statement, whole=with_value(equations, name, values))
                case 4:
                    values = statement.point.values.copy()
                    values.flat[chance.randrange(values.size)] = extreme
                    statement = replace(statement, point=Correction(values))
                case 5:
                    started = chance.choice(
                        (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))
                    )
                    found = replace(found, started=started)
                case _:
                    found = replace(found, serial=str(chance.choice(JSON)))
            yield replace(found, statement=statement)
        except (CalibError, OverflowError, ValueError):
            continue  # no summary can hold it


def test_a_summary_made_anew_with_any_value_is_refused_or_solved() -> None:
    """A changed summary can come with new hashes that match it."""
    made = list(other_summaries(seeded(9), 60 * MANY))
    inputs = []
    for one in made:
        try:
            inputs.append(summary_bytes(one))
        except (CalibError, ValueError):
            continue
    assert len(inputs) > len(made) / 2
    found = list(outcomes(solved_summary, inputs))
    assert {outcome for outcome, _ in found} == {READ, REFUSED}, found


def test_additions_of_any_kind_are_kept_or_refused() -> None:
    chance = seeded(3)
    made, inputs = [], []
    for number in range(20 * MANY):
        kind = chance.choice((np.uint8, np.int16, np.uint64, np.float32, np.float64))
        shape = [chance.choice((0, 1, 7)) for _ in range(chance.randrange(5))]
        key = chance.choice(("$a", "a", "", "wide", "\x00", "format2"))
        additional = Additional({f"a{number}/b": np.zeros(shape, kind)}, {key: chance.choice(JSON)})
        one = replace(summary(), additional=additional)
        try:
            inputs.append(summary_bytes(one))
        except (CalibError, ValueError):
            continue  # such as NaN
        made.append(one.checksum)
    assert list(outcomes(summary_checksum, inputs)) == [(READ, checksum) for checksum in made]


def test_a_changed_summary_in_hdf5_is_refused_or_the_same() -> None:
    """Without the hash at its end, which detects damage but no intention."""
    chance = seeded(1)
    content = hdf5_bytes(summary())[:-SEAL]
    head = 6000
    inputs = [
        changed_bytes(chance, content[:head])[:head].ljust(head, b"\0") + content[head:]
        for _ in range(40 * MANY)
    ]
    for outcome, what in outcomes(summary_checksum, inputs, limit_s=30.0):  # starts a process
        assert outcome in (READ, REFUSED), (outcome, what)
        assert outcome == REFUSED or what == summary().checksum


def test_every_kind_of_outcome_is_distinguished() -> None:
    inputs = [b"read", b"crash", b"fail", b"hang", b"refuse", b"again"]
    found = list(outcomes(misbehaving, inputs, limit_s=1.0))
    assert [outcome for outcome, _ in found] == [READ, CRASHED, FAILED, HUNG, REFUSED, READ]
    assert found[0] == (READ, "read")
    assert found[4:] == [(REFUSED, "odd"), (READ, "again")]
