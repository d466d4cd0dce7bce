"""Roles of a real server may do what they were granted and nothing else, and no setting of the
server, database or role changes a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.engine import make_url

from calib.errors import CalibError, InputError, StoreError, StoreReadOnlyError
from calib.model.store.amendment import DetectorEdit, Retirement
from calib.model.store.backup import StoreRole
from calib.model.store.record import StoredCalibration
from calib.model.store.rule import DEMAND_ACTOR, Rule
from calib.model.store.signing import RecordedCheckpoint
from calib.store.api import maintenance
from calib.store.store import Store
from support import raw
from support.filled import add_summary_content, fill
from support.records import (
    HOUR,
    NOON,
    SERIAL,
    application,
    calibration,
    certification,
    detector,
    stamp,
)

PASSWORD = "correct-horse-battery"  # noqa: S105
HOSTILE = (
    "extra_float_digits = -10",
    "datestyle = 'German, DMY'",
    "timezone = 'Asia/Kathmandu'",
    "bytea_output = 'escape'",
    "transform_null_equals = on",
    "search_path = evil, public",
    "synchronous_commit = off",
    "intervalstyle = 'sql_standard'",
)


@pytest.fixture
def as_role(fresh_postgres_url: str) -> Iterator[Callable[[StoreRole], str]]:
    """Makes a role of the server with a kind's grants; returns the address with it."""
    name = make_url(fresh_postgres_url).database
    made = []

    def make(kind: StoreRole) -> str:
        role = f"{name}-{kind}"
        raw.execute(fresh_postgres_url, f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{PASSWORD}'")
        made.append(role)
        maintenance.grant(fresh_postgres_url, role, kind)
        address = make_url(fresh_postgres_url).set(username=role, password=PASSWORD)
        return address.render_as_string(hide_password=False)

    yield make
    for role in made:
        raw.execute(fresh_postgres_url, f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def add_summary(address: str) -> None:
    add_summary_content(address)


def apply(address: str) -> None:
    with Store.open(address) as store:
        found = store.calibrations.get(f"{SERIAL}:1")
        store.applications.record(application(found, f"{make_url(address).username}.expt"))


def derive(address: str) -> None:
    with Store.open(address) as store:
        seed = len(store.calibrations.list()) + 10
        store.calibrations.add(calibration(seed=seed), (NOON, None), stamp())


def certify(address: str) -> None:
    with Store.open(address) as store:
        found = store.calibrations.get(f"{SERIAL}:1")
        start = NOON - store.log.moment().position * HOUR  # another one for each role
        store.certifications.certify(certification(found, start), supersede=True)
        rule = "no" if store.rules.list()[0].value == "yes" else "yes"
        store.rules.set(Rule(0, DEMAND_ACTOR, rule, stamp()))


def edit(address: str) -> None:
    with Store.open(address) as store:
        place = make_url(address).username or ""
        change = DetectorEdit(0, SERIAL, None, None, place, None, "moved", stamp())
        store.detectors.edit(change, stamp())
        store.detectors.retire(Retirement(0, SERIAL, NOON, "replaced", stamp()), stamp())


def anchor(address: str) -> None:
    with Store.open(address) as store:
        store.log.add_checkpoint(RecordedCheckpoint(0, "cd" * 32, NOON, 7, "{}", stamp()), stamp())


MAY = {
    StoreRole.READER: set(),
    StoreRole.APPLIER: {apply},
    StoreRole.CONTRIBUTOR: {add_summary},
    StoreRole.DERIVER: {derive},
    StoreRole.CERTIFIER: {certify, edit},
    StoreRole.ANCHOR: {anchor},
    StoreRole.ADMIN: {apply, derive, certify, edit, anchor},
}


def test_a_role_may_do_what_its_kind_needs_and_nothing_else(
    fresh_postgres_url: str, as_role: Callable[[StoreRole], str]
) -> None:
    fill(fresh_postgres_url)
    for kind, may in MAY.items():
        address = as_role(kind)
        with Store.open(address) as store:
            assert store.resolve(SERIAL, NOON + HOUR, 150.0).calibration.version == 1
            assert store.log.audit().findings == ()
        for act in (apply, derive, certify, edit, anchor, add_summary):
            if act is add_summary and kind in (StoreRole.DERIVER, StoreRole.ADMIN):
                continue  # it may, but the row is there already
            if act in may:
                act(address)
            else:
                with pytest.raises(StoreReadOnlyError):
                    act(address)
        with pytest.raises(Exception, match="permission denied"):
            raw.execute(address, "DELETE FROM application")
    with Store.open(fresh_postgres_url) as store:
        assert store.log.audit().findings == ()


def test_only_the_owner_grants_and_only_to_roles_that_exist(
    fresh_postgres_url: str, as_role: Callable[[StoreRole], str]
) -> None:
    Store.create(fresh_postgres_url)
    address = as_role(StoreRole.ADMIN)
    refused = (
        (fresh_postgres_url, "nobody-of-that-name", "unknown-role"),
        (fresh_postgres_url, "", "bad-role"),
        (address, str(make_url(address).username), None),
        (address, "pg_monitor", "not-owner"),
        ("store.sqlite", "pipeline", "not-a-server"),
    )
    for place, role, code in refused:
        if code is None:
            continue
        with pytest.raises(CalibError) as caught:
            maintenance.grant(place, role, StoreRole.APPLIER)
        assert caught.value.code == code
    assert maintenance.grant(address, "a", StoreRole.READER, dry_run=True)[0] == (
        'GRANT USAGE ON SCHEMA "public" TO "a"'
    )


def test_no_setting_of_the_server_changes_a_value(fresh_postgres_url: str) -> None:
    Store.create(fresh_postgres_url)
    with Store.open(fresh_postgres_url) as store:
        stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
        store.certifications.certify(certification(stored))
        before = store.resolve(SERIAL, NOON, 150.0)
    name = make_url(fresh_postgres_url).database
    raw.execute(fresh_postgres_url, "CREATE SCHEMA evil")
    raw.execute(fresh_postgres_url, "CREATE TABLE evil.certification (position bigint)")
    for setting in HOSTILE:
        raw.execute(fresh_postgres_url, f"ALTER DATABASE {name} SET {setting}")
    with Store.open(fresh_postgres_url) as store:
        found = store.resolve(SERIAL, NOON, 150.0)
        assert (found.calibration.correction.values == before.calibration.correction.values).all()
        assert found.certification == before.certification
        assert store.log.audit().findings == ()
        assert same(store.calibrations.get("1"), stored)
        second, _ = store.calibrations.add(calibration(seed=1), (NOON, None), stamp())
        store.certifications.certify(certification(second), supersede=True)
        assert store.log.audit().findings == ()
    for setting in HOSTILE:
        raw.execute(fresh_postgres_url, f"ALTER DATABASE {name} RESET {setting.split()[0]}")
    with Store.open(fresh_postgres_url) as store:
        assert store.log.audit().findings == ()
        assert same(store.calibrations.get("2"), second)


def same(one: StoredCalibration, other: StoredCalibration) -> bool:
    return (one.id, one.starts, one.stored) == (other.id, other.starts, other.stored)


def test_a_query_that_a_policy_would_restrict_fails(
    fresh_postgres_url: str, as_role: Callable[[StoreRole], str]
) -> None:
    Store.create(fresh_postgres_url)
    with Store.open(fresh_postgres_url) as store:
        stored, _ = store.calibrations.add(calibration(), (NOON, None), stamp(), detector())
        store.certifications.certify(certification(stored))
    address = as_role(StoreRole.READER)
    raw.execute(fresh_postgres_url, "ALTER TABLE certification ENABLE ROW LEVEL SECURITY")
    raw.execute(fresh_postgres_url, "CREATE POLICY hide ON certification USING (position > 99)")
    with Store.open(address) as store, pytest.raises(StoreError, match="row-level security"):
        store.resolve(SERIAL, NOON, 150.0)
    with Store.open(fresh_postgres_url) as store:
        found = {finding.problem for finding in store.log.audit().findings}
    assert "the policy hide was not made by calib" in found


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("sslmod=require", "did you mean sslmode"),
        ("search_path=evil", "unknown parameter 'search_path'"),
        ("connect_timeout=1&x=1", "unknown parameter 'x'"),
    ],
)
def test_an_unknown_parameter_of_an_address_is_refused(query: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        Store.open(f"postgresql://ada@127.0.0.1:1/calib?{query}")
    assert caught.value.code == "bad-location"
