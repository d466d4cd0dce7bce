"""Names that stand in stored files, and of which ids are made, never change.

``stored_names.json`` says of each kind of content which fields it has, in which order, of which
kind and with which default (a field at its default is left out of what is stored). Classes and
modules may be renamed: they are not part of it.
"""

from __future__ import annotations

import json
import types
from dataclasses import MISSING, Field, fields, is_dataclass, make_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from calib.model.base.canonical import canonical_bytes, content_id
from calib.model.detector.correction import PARAMETER_KEYS, PARAMETERS, Freedom, PanelStatus
from calib.model.result.report import Acceptance, Report
from calib.model.result.summary import Part
from calib.model.store.log import Checkpoint
from calib.model.store.provenance import Environment
from calib.model.store.record import Application, calibration_content
from calib.model.store.rule import CHOICES
from calib.solve.options import Crystals, SolveOptions
from calib.solve.prior import PanelPrior
from support import records

EXPECTED = json.loads((Path(__file__).parent / "stored_names.json").read_text())
ROOTS = {
    "report": Report,
    "acceptance": Acceptance,
    "application": Application,
    "checkpoint": Checkpoint,
    "environment": Environment,
}
"""What is stored as the content of a dataclass."""
CANONICAL = (
    '{"a":{"$a":"781e8c856a3f54544f6a3d4fccaab687f5d6a9c59d3cf76d1c911dc8ceb1ee03","$n":[2'
    ',2]},"f":[{"$f":"0x1.999999999999ap-4"},{"$f":"0x0.0p+0"},{"$f":"0x1.0f0cf064dd592p+7'
    '3"}],"format":"calib/test/1","i":[1,true],"n":null,"t":{"$t":1772366400000001},"ü":"é'
    '\\n"}'
)
CANONICAL_ID = "471dfa266ae85083a94b4a06b1226c6a05e86184dc13885f9dad5d30d3a57fcf"


def described(kind: Any) -> Any:
    """The names below a type."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return {field.name: _field(field, hints[field.name]) for field in fields(kind)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [member.value for member in kind]
    if get_origin(kind) in (Union, types.UnionType):
        inner = [described(one) for one in get_args(kind) if one is not types.NoneType]
        return {"optional": inner}
    if get_origin(kind) is tuple:
        return {"tuple": ["..." if one is Ellipsis else described(one) for one in get_args(kind)]}
    return getattr(kind, "__name__", str(kind))


def _field(field: Field[Any], kind: Any) -> Any:
    if field.default is MISSING:
        return described(kind)
    default = field.default.value if isinstance(field.default, Enum) else field.default
    return {"default": default, "of": described(kind)}


def stored_names() -> dict[str, Any]:
    """All that ``stored_names.json`` holds."""
    layout = records.layout()
    calibration = calibration_content(
        serial="",
        layout_id="",
        distances_mm=(),
        freedom=Freedom.FULL,
        panels_id="",
        covariance_sha256="",
        parameters={},
        code_version="",
        report_id="",
        acceptance=Acceptance(True, ()),
    )
    options = SolveOptions(Freedom.FULL, PanelPrior())
    return {
        **{name: described(kind) for name, kind in ROOTS.items()},
        "calibration": list(calibration),
        "calibration parameters": options.content(layout),
        "layout": list(layout.identity()),
        "panel parameters": list(PARAMETERS),
        "shown panel parameters": list(PARAMETER_KEYS),
        "freedom": described(Freedom),
        "panel status": described(PanelStatus),
        "crystals": described(Crystals),
        "summary parts": described(Part),
        "rules": {name: list(values) for name, values in CHOICES.items()},
    }


@pytest.mark.parametrize("kind", EXPECTED)
def test_stored_names_stay_the_same(kind: str) -> None:
    found = json.loads(json.dumps(stored_names()[kind]))
    assert json.dumps(found, indent=1) == json.dumps(EXPECTED[kind], indent=1)


def test_every_kind_is_held() -> None:
    assert list(stored_names()) == list(EXPECTED)


def test_a_renamed_field_or_another_default_would_be_seen() -> None:
    one = make_dataclass("One", [("name", str), ("number", int, 1)])
    other = make_dataclass("Other", [("label", str), ("number", int, 1)])
    third = make_dataclass("Third", [("name", str), ("number", int, 2)])
    same = make_dataclass("Same", [("name", str), ("number", int, 1)])
    assert described(one) == described(same)
    assert described(one) != described(other)
    assert described(one) != described(third)


def test_the_canonical_form_stays_the_same() -> None:
    """One value of each kind that has a form."""
    content = {
        "format": "calib/test/1",
        "a": np.array([[1.0, -0.0], [0.1, 2e-300]]),
        "f": [0.1, -0.0, 1e22],
        "n": None,
        "i": [1, True],
        "t": datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC),
        "ü": "é\n",
    }
    assert canonical_bytes(content).decode() == CANONICAL
    assert content_id(content) == CANONICAL_ID
