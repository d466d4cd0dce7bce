"""Dataclasses as plain content and back: every record and report that the store keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.model.base.canonical import content_id
from calib.model.base.content import from_content, to_content
from calib.model.result import report
from calib.model.result.report import (
    Acceptance,
    BeforeAfter,
    Convergence,
    DatasetUse,
    DataShare,
    Determined,
    Deviating,
    Disagreement,
    Fit,
    GroupMotion,
    Halves,
    Influence,
    LearnedPrior,
    Misfit,
    PriorWidths,
    Reason,
    Report,
    Shell,
    Spread,
    Structure,
    WeakMode,
)
from calib.model.store import record
from calib.model.store.record import Application, Certification, ChangeStamp
from calib.model.store.validity import DistanceRange, Validity
from support.records import (
    BOTH,
    COUNTS,
    DATASETS,
    FINITE,
    FITS,
    HASHES,
    INSTANTS,
    SERIALS,
    SPREADS,
    STAMPS,
    TEXT,
    calibration,
)

SHELLS = st.builds(Shell, FINITE, FINITE, BOTH)
HALVES = st.builds(Halves, COUNTS, FINITE, st.none() | FINITE, FINITE)
CONVERGENCES = st.builds(Convergence, st.booleans(), COUNTS, FINITE, FINITE, COUNTS)
ACCEPTANCES = st.builds(Acceptance, st.booleans(), st.lists(TEXT, max_size=2).map(tuple))
VALIDITIES = st.tuples(INSTANTS, st.none() | INSTANTS).map(lambda pair: interval(*pair))
DISTANCES = st.floats(0.0, 1e4).map(lambda d: DistanceRange(d, 2.0 * d + 1.0))
CERTIFICATIONS = st.builds(
    Certification,
    number=COUNTS,
    calibration_id=HASHES,
    serial=SERIALS,
    version=COUNTS,
    validity=VALIDITIES,
    distances=DISTANCES,
    reason=TEXT,
    override=TEXT,
    recorded=STAMPS,
    withdrawn=st.none() | STAMPS,
    withdrawn_reason=TEXT,
)
APPLICATIONS = st.builds(
    Application,
    serial=SERIALS,
    calibration_id=HASHES,
    version=COUNTS,
    input_sha256=st.lists(HASHES, max_size=2).map(tuple),
    output_sha256=st.lists(HASHES, max_size=2).map(tuple),
    output_names=st.lists(TEXT, max_size=2).map(tuple),
    data_time=st.none() | INSTANTS,
    distance_mm=FINITE,
    why=TEXT,
    applied=STAMPS,
)
WEAK_MODES = st.builds(WeakMode, TEXT, FINITE)
DISAGREEMENTS = st.builds(
    Disagreement,
    st.tuples(FINITE, FINITE),
    FINITE,
    COUNTS,
    FINITE,
    st.lists(FINITE, max_size=2).map(tuple),
)
GROUPS = st.builds(
    GroupMotion,
    TEXT,
    COUNTS,
    st.lists(COUNTS, max_size=2).map(tuple),
    COUNTS,
    st.lists(FINITE, max_size=2).map(tuple),
    st.lists(st.none() | FINITE, max_size=2).map(tuple),
)
INFLUENCES = st.builds(Influence, FINITE, FINITE, COUNTS)
REJECTED = st.builds(
    Misfit,
    TEXT,
    st.lists(TEXT, max_size=2).map(tuple),
    st.none() | FINITE,
    st.none() | FINITE,
    COUNTS,
    COUNTS,
    st.none() | COUNTS,
    TEXT,
    st.sampled_from(Reason),
    st.none() | FINITE,
    st.none() | FINITE,
    st.none() | FINITE,
)
DATA_SHARES = st.builds(DataShare, TEXT, FINITE)
DETERMINED = st.builds(
    Determined,
    COUNTS,
    COUNTS,
    st.lists(st.none() | FINITE, max_size=2).map(tuple),
    st.lists(DATA_SHARES, max_size=2).map(tuple),
)
THREE = st.tuples(FINITE, FINITE, FINITE)
PRIOR_WIDTHS = st.builds(PriorWidths, COUNTS, st.booleans(), COUNTS, FINITE, FINITE, FINITE, THREE)
DEVIATING = st.builds(Deviating, st.booleans(), COUNTS, FINITE)
LEARNED_PRIORS = st.builds(
    LearnedPrior,
    st.lists(PRIOR_WIDTHS, max_size=2).map(tuple),
    st.lists(DEVIATING, max_size=2).map(tuple),
)
STRUCTURES = st.builds(
    Structure,
    st.lists(FINITE, max_size=2).map(tuple),
    FINITE,
    st.lists(COUNTS, max_size=2).map(tuple),
    st.lists(FINITE, max_size=2).map(tuple),
)
REPORTS = st.builds(
    Report,
    overall=FITS,
    panels=st.lists(FITS, max_size=2).map(tuple),
    shells=st.lists(SHELLS, max_size=2).map(tuple),
    halves=st.none() | HALVES,
    convergence=CONVERGENCES,
    datasets=st.lists(DATASETS, max_size=2).map(tuple),
    held_out_dropped=FINITE,
    gauge=st.integers(0, 6),
    null_directions=st.lists(TEXT, max_size=2).map(tuple),
    weak_modes=st.lists(WEAK_MODES, max_size=2).map(tuple),
    disagreements=st.lists(DISAGREEMENTS, max_size=2).map(tuple),
    groups=st.lists(GROUPS, max_size=2).map(tuple),
    misfits=st.lists(REJECTED, max_size=2).map(tuple),
    determined=st.none() | DETERMINED,
    prior=st.none() | LEARNED_PRIORS,
    structure=st.none() | STRUCTURES,
)
STRATEGIES: dict[type, st.SearchStrategy[Any]] = {
    Spread: SPREADS,
    BeforeAfter: BOTH,
    Fit: FITS,
    Shell: SHELLS,
    Halves: HALVES,
    Convergence: CONVERGENCES,
    DatasetUse: DATASETS,
    Acceptance: ACCEPTANCES,
    WeakMode: WEAK_MODES,
    Disagreement: DISAGREEMENTS,
    GroupMotion: GROUPS,
    Influence: INFLUENCES,
    Misfit: REJECTED,
    DataShare: DATA_SHARES,
    Determined: DETERMINED,
    PriorWidths: PRIOR_WIDTHS,
    Deviating: DEVIATING,
    LearnedPrior: LEARNED_PRIORS,
    Structure: STRUCTURES,
    Report: REPORTS,
    ChangeStamp: STAMPS,
    Certification: CERTIFICATIONS,
    Application: APPLICATIONS,
}


def interval(one: datetime, other: datetime | None) -> Validity:
    """From the earlier to the later one; open where there is no later one."""
    if other is None or other == one:
        return Validity(one, None)
    return Validity(min(one, other), max(one, other))


def as_json(value: Any) -> Any:
    """The way through a text file, instants in ISO 8601."""
    return json.loads(json.dumps(to_content(value), default=lambda t: t.isoformat()))


def test_no_dataclass_of_numbers_and_text_is_forgotten_here() -> None:
    found = {
        kind
        for module in (report, record)
        for kind in vars(module).values()
        if isinstance(kind, type)
        and is_dataclass(kind)
        and kind.__module__ == module.__name__
        and kind.__eq__ is not object.__eq__
    }
    assert found - set(STRATEGIES) == {record.CalibrationLine}


@pytest.mark.parametrize("kind", STRATEGIES, ids=lambda kind: str(kind.__name__))
@given(data=st.data())
def test_a_value_survives_the_way_through_its_content(kind: type, data: st.DataObject) -> None:
    value = data.draw(STRATEGIES[kind])
    assert from_content(kind, to_content(value)) == value
    assert from_content(kind, as_json(value)) == value


@pytest.mark.parametrize("kind", STRATEGIES, ids=lambda kind: str(kind.__name__))
@given(data=st.data())
def test_content_is_plain(kind: type, data: st.DataObject) -> None:
    def check(value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                assert type(key) is str
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)
        else:
            assert value is None or type(value) in {bool, int, float, str, datetime}

    check(to_content(data.draw(STRATEGIES[kind])))


@given(REPORTS, REPORTS)
def test_reports_have_one_name_exactly_if_they_say_the_same(one: Report, other: Report) -> None:
    names = [content_id({"format": "test", **to_content(value)}) for value in (one, other)]
    assert (names[0] == names[1]) == (one == other)


def test_every_field_of_a_report_counts_for_its_calibrations_name() -> None:
    first = calibration()
    other = replace(
        calibration(seed=1).report,
        weak_modes=(WeakMode("twist", 1.0),),
        disagreements=(Disagreement((1.0, 2.0), 3.0, 4, 0.5, (0.5,)),),
        groups=(GroupMotion("row 0", 1, (0, 1), 5, (0.1,) * 6, (0.1,) * 6),),
        misfits=(Misfit("night1", ("ab",), 2.0, 0.5, 3, 4),),
        determined=Determined(2, 1, (0.9,) * 6, (DataShare("twist", 0.5),)),
    )
    for field in fields(Report):
        value = getattr(other, field.name)
        if value == getattr(first.report, field.name):
            continue
        changed = replace(first, report=replace(first.report, **{field.name: value}))
        assert changed.report_id != first.report_id, field.name
        assert changed.id != first.id, field.name


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    number: float
    colour: Colour


@dataclass(frozen=True)
class Outer:
    many: tuple[Inner, ...]
    pair: tuple[int, str]
    perhaps: Inner | None
    when: datetime | None


def test_nested_tuples_enumerations_and_instants_come_back_as_what_they_were() -> None:
    value = Outer((Inner(1.5, Colour.RED),), (3, "a"), None, datetime(2026, 3, 1, tzinfo=UTC))
    assert from_content(Outer, as_json(value)) == value
    assert type(from_content(Outer, as_json(value)).many[0].colour) is Colour


def test_a_whole_number_is_read_as_the_float_that_was_meant() -> None:
    found = from_content(Inner, {"number": 2, "colour": "red"})
    assert type(found.number) is float


def test_content_that_lacks_something_is_an_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        from_content(Inner, {"number": 2.0})
    with pytest.raises(ValueError, match="zip"):
        from_content(Outer, {"many": [], "pair": [1], "perhaps": None, "when": None})


@dataclass(frozen=True, slots=True)
class Younger:
    """As a later version of a record might be: one field more, with a default."""

    old: float
    new: tuple[str, ...] = ()


def test_a_field_added_with_a_default_changes_no_older_content() -> None:
    assert to_content(Younger(1.0)) == {"old": 1.0}
    assert from_content(Younger, {"old": 1.0}) == Younger(1.0)
    assert from_content(Younger, to_content(Younger(1.0, ("a",)))) == Younger(1.0, ("a",))
