"""Logs, histories, bundles, summaries and whole stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.model.detector.correction import Correction
from calib.model.result.fit_table import FitTable, ShellTable
from calib.model.result.report import Shell
from calib.model.result.summary import Equations, Statement, Summary
from calib.model.store.backup import Backup, Check, Setting, StoreRevision, Upgraded
from calib.model.store.bundle import Bundle, BundleEntry, BundleRows, Loaded, OriginEntry
from calib.model.store.history import Belief, Event, ExplainedEvent, Knowledge
from calib.model.store.log import Audit, ChainHead, Checkpoint, Entry, Finding, Moment
from calib.model.store.provenance import Environment, Provenance
from calib.model.store.record import ChangeStamp
from calib.model.store.rule import Rule
from support.asymmetric import calibrations, drifts
from support.asymmetric.certified import certifications, instant, lines, placements
from support.asymmetric.numbers import Numbers

KNOWN_THEN = Moment(31, instant(3, 30, 6, 7, 8))
KNOWN_NOW = Moment(47, instant(4, 29, 9, 10, 11))


def entry(position: int, ordinal: int, kind: str, by: ChangeStamp, chain: str = "W-14") -> Entry:
    """An entry of the log."""
    numbers = Numbers(6000 + 10 * position)
    contents = {kind: numbers.name(), "artifact": numbers.name()}
    previous = None if not chain else numbers.name()
    return Entry(
        position, by, chain, ordinal, kind, contents, "5a17", previous, numbers.name()
    )  # fmt: skip


def entries() -> tuple[Entry, ...]:
    """The birth of a detector, a calibration, a certification."""
    return (
        entry(11, 2, "detector", ChangeStamp(instant(1, 2, 3, 4, 5), "kate", "vm-1"), ""),
        entry(
            23, 1, "calibration",
            ChangeStamp(instant(2, 3, 4, 5, 6), "liam", "vm-2", "calib derive night4.expt", ""),
        ),
        entry(
            29, 3, "certification",
            ChangeStamp(
                instant(3, 4, 5, 6, 7), "mona", "vm-3", "calib certify W-14:4", "after the swap"
            ),
        ),
    )  # fmt: skip


def events() -> tuple[ExplainedEvent, ...]:
    """One of each kind, the latest first."""
    first, second, _ = certifications()
    line, draft = lines()
    born, derived, certified = entries()
    placed, _ = placements()
    assert second.withdrawn is not None
    return (
        ExplainedEvent(Event(draft.stored, derived=draft), None, "N-05:1", drifts.narrow()),
        ExplainedEvent(Event(first.recorded, certified=first), certified, "", None),
        ExplainedEvent(Event(line.stored, derived=line), derived, "W-14:3", drifts.wide()),
        ExplainedEvent(Event(second.withdrawn, withdrawn=second), born, "", None),
        ExplainedEvent(Event(placed.recorded, placed=placed), None, "", None),
    )


def origins() -> tuple[OriginEntry, ...]:
    """What another store's log says: a certification signed, a calibration whose author is
    withheld."""
    _, derived, certified = entries()
    loaded = ChangeStamp(instant(5, 6, 7, 8, 9), "nina", "vm-4")
    withheld = entry(19, 2, "calibration", ChangeStamp(derived.recorded.at, "", "", "", "routine"))
    contents = {
        "reason": "certified elsewhere",
        "valid_from": instant(2, 11, 12),
        "valid_to": instant(2, 23, 5),
        "distance_min_mm": 133.5,
        "distance_max_mm": 277.25,
    }
    return (
        OriginEntry(BundleEntry(certified, "b1" * 32, True), "8f" * 32, 9, contents, loaded),
        OriginEntry(BundleEntry(withheld, "b2" * 32, False), None, None, {}, loaded),
    )


def knowledge(*, later: bool) -> Knowledge:
    """What held as known then; another calibration as known later."""
    first, second, _ = certifications()
    wide = calibrations.stored_wide()
    if not later:
        return Knowledge(KNOWN_THEN, (Belief(first, wide),))
    other = calibrations.stored(calibrations.wide(1500), 6, "6b", later=True)
    return Knowledge(KNOWN_NOW, (Belief(second, other), Belief(first, wide)))


def narrow_knowledge() -> Knowledge:
    """A calibration in the plane alone that was certified although it had failed."""
    _, _, third = certifications()
    return Knowledge(KNOWN_THEN, (Belief(third, calibrations.stored_narrow()),))


def audit() -> Audit:
    """A log with two findings."""
    found = (
        Finding("calibration", "position 23", "two columns were changed"),
        Finding("entry", "position 29", "its hash is another"),
    )
    return Audit(found, 43, 517, 5, 47)


def checkpoint() -> Checkpoint:
    """The ends of two chains."""
    heads = (ChainHead("", 3, 37, "c1" * 32), ChainHead("W-14", 17, 41, "c2" * 32))
    return Checkpoint(instant(4, 18, 19, 20, 21), heads)


def bundle(calibration_id: str | None) -> Bundle:
    """All counts differ."""
    rows = [
        BundleRows(table, 20 + n, {"id": tuple(range(n)), "other": (None,) * n}, False)
        for n, table in enumerate(
            ("calibration", "certification", "withdrawal", "placement", "application"), start=2
        )
    ]
    amended = ("detector_edit", "retirement", "relabelling") if calibration_id is None else ()
    rows += [
        BundleRows(table, 40 + n, {"id": tuple(range(n))}, False)
        for n, table in enumerate(amended, start=8)
    ]
    rows.append(BundleRows("calibration", 31, {"id": ("x",) * 5}, False))
    sent = tuple(BundleEntry(one, "b3" * 32, True) for one in entries())
    return Bundle("W-14", calibration_id, calibration_id is None, "0.9.3", sent, tuple(rows))


def loaded() -> Loaded:
    """A detector that the store did not know."""
    return Loaded("W-14", True, (("W-14:1", 9, True), ("W-14:2", None, False)), 37, (3, 5, 8), 53)


def summary() -> Summary:
    """One of the dataset night2 of the narrow detector, which panel 3 has no reflection of."""
    numbers = Numbers(7000)

    def equations() -> Equations:
        own = np.array([numbers.positive(9.0) * np.eye(6) for _ in range(5)])
        coupling = np.array([[numbers.signed(0.3) for _ in range(30)]])
        return Equations(own, coupling, np.array([numbers.signed(1.0) for _ in range(30)]))

    return Summary(
        Statement(
            use=calibrations.dataset(numbers, "night2", 151.87),
            point=Correction(np.array([[numbers.signed(0.1) for _ in range(6)] for _ in range(5)])),
            whole=equations(),
            working=equations(),
            half_a=equations(),
            half_b=equations(),
            chi_square=54_321.75,
            n_data=56_789.5,
            n_nuisance=19,
            kept="e9" * 32,
            used_on_panel=np.array([[101, 203, 307, 0, 409], [113, 211, 313, 0, 419]]),
            rejected_on_panel=np.array([3, 1, 4, 0, 5]),
            flagged_on_panel=np.array([2, 7, 6, 0, 8]),
            fits=FitTable.of(calibrations.fit(numbers) for _ in range(6)),
            shells=ShellTable.of([Shell(31.5, 2.25, calibrations.before_after(numbers))]),
            n_held_out=(7, 1234),
            null_directions=("beam tilt about x",),
        ),
        "N-05",
        "1a" * 32,
        "0.9.4",
        instant(2, 3, 4, 5, 6),
    )


def provenance() -> Provenance:
    """A machine and two files."""
    machine = Environment("3.11.7", "2.1.3", "1.14.2", "openblas 0.3.27", "EPYC 7763", 8, "Linux")
    paths = {"d1" * 32: "/data/night4.expt", "d2" * 32: "/data/night2.refl"}
    return Provenance(machine, paths, "9e" * 32)


def settings() -> tuple[Setting, ...]:
    """One that was set, one that was not."""
    return (
        Setting("store", "sqlite:///a.db", "CALIB_STORE", "a.db"),
        Setting("actor", None, "default", ""),
    )


def checks() -> tuple[Check, ...]:
    """One fine, one wrong."""
    return (
        Check("revision", True, "at 0013"),
        Check("foreign keys", False, "3 rows of panel are orphans", "restore a backup."),
    )


def rules() -> tuple[Rule, ...]:
    """A rule that was set and taken back."""
    return (
        Rule(5, "demand-actor", "no", ChangeStamp(instant(3, 3, 4, 5, 6), "oscar", "desk-7")),
        Rule(2, "demand-actor", "yes", ChangeStamp(instant(1, 7, 8, 9, 10), "peggy", "desk-8")),
    )


def backup() -> Backup:
    """A backup of 12.3 MB."""
    return Backup(Path("/backup/b.db"), "0012", "f3" * 32, 12_345_678)


def upgraded() -> Upgraded:
    """Two revisions up."""
    return Upgraded("0011", "0013", backup())


def revision() -> StoreRevision:
    """An older store."""
    return StoreRevision("0012", "0009", "0011")
