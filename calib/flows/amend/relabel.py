"""relabel: record a calibration again under the right serial, and withdraw the wrong one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from calib.errors import InputError
from calib.flows.shared.identity import checked_serial, known_detector
from calib.flows.shared.summaries import SummaryEntry
from calib.model.base.text import checked_words
from calib.model.result.summary import SummaryFile
from calib.model.store.amendment import Relabelling
from calib.model.store.certification_rules import Consequences
from calib.model.store.protocol import StoreLike
from calib.model.store.record import (
    CalibrationRecord,
    Certification,
    ChangeStamp,
    DetectorRecord,
    StoredCalibration,
)


@dataclass(frozen=True, slots=True, eq=False)
class Relabelled:
    """A calibration under the right serial, and what became of the one under the wrong serial."""

    wrong: StoredCalibration
    record: CalibrationRecord
    """The calibration under the right serial."""
    stored: StoredCalibration | None
    """The same as stored; None in a dry run."""
    relabelling: Relabelling
    registered: DetectorRecord | None
    """The detector with the right serial, where it was not registered before."""
    withdrawn: tuple[Certification, ...]
    """Certifications of the calibration under the wrong serial, none in force any more."""
    certified: tuple[Certification, ...]
    """Certifications under the right serial."""


def relabel(
    store: StoreLike,
    reference: str,
    right: str,
    *,
    serial: str | None,
    certify: bool,
    supersede: bool,
    reason: str,
    stamp: ChangeStamp,
    before: Callable[[Consequences], None],
    dry_run: bool = False,
) -> Relabelled:
    """Record a calibration again with another serial, with the old one as its parent, and withdraw
    the old one, in one transaction. With ``certify`` its certifications are recorded again, too.

    The detector with the right serial is registered where it is unknown. ``before`` is called with
    the consequences of the withdrawal before anything is written. Raises ``InputError`` for the
    serial that it has already (``same-serial``) or a calibration that was relabelled before
    (``relabelled``), and ``LayoutError`` where the detector has another layout.
    """
    wrong = store.calibrations.get(reference, serial)
    checked_serial(right)
    if right == wrong.record.serial:
        raise InputError(
            "same-serial",
            f"{wrong.name} has this serial already.",
            remedy="give the right serial with --to.",
        )
    store.calibrations.refuse_relabelled(wrong.id, wrong.name)
    detector, registered = _detector(store, wrong, right)
    record, files = _record(store, wrong, detector)
    relabelling = Relabelling(
        number=0,
        calibration_id=wrong.id,
        replacement_id=record.id,
        serial=right,
        reason=checked_words(reason.strip(), "the reason"),
        recorded=stamp.signature,
    )
    in_force = [
        one
        for one in store.certifications.list(wrong.record.serial)
        if one.calibration_id == wrong.id and one.withdrawn is None
    ]
    again = [
        replace(
            one,
            number=0,
            calibration_id=record.id,
            serial=right,
            reason=relabelling.reason,
            recorded=stamp,
        )
        for one in reversed(in_force)
        if certify
    ]
    if in_force:
        before(store.certifications.preview_withdraw(wrong.id)[1])
    if dry_run:
        return Relabelled(
            wrong, record, None, relabelling, registered, tuple(in_force), tuple(again)
        )
    provenance = store.calibrations.provenance(wrong.id)
    done, withdrawn, certified = store.calibrations.relabel(
        relabelling,
        record,
        stamp,
        registered,
        files,
        None if provenance is None else replace(provenance, parent=wrong.id),
        certify=again,
        supersede=supersede,
    )
    return Relabelled(
        wrong=wrong,
        record=record,
        stored=store.calibrations.get(record.id),
        relabelling=done,
        registered=registered,
        withdrawn=tuple(withdrawn),
        certified=tuple(certified),
    )


def _detector(
    store: StoreLike, wrong: StoredCalibration, right: str
) -> tuple[DetectorRecord, DetectorRecord | None]:
    """The detector with the right serial; the second is None unless it is to be registered.

    Raises ``LayoutError`` where it is registered with another layout.
    """
    old = store.detectors.get(wrong.record.serial)
    like = DetectorRecord(right, old.layout, old.time_zone, old.description)
    known = known_detector(store, right)
    if known is None:
        return like, like
    store.detectors.preview_add(like)
    return known, None


def _record(
    store: StoreLike, wrong: StoredCalibration, detector: DetectorRecord
) -> tuple[CalibrationRecord, list[SummaryFile | None]]:
    """The calibration and its summaries with the serial of the detector."""
    files: list[SummaryFile | None] = []
    uses = []
    for use, file in zip(wrong.record.report.datasets, store.summaries.read(wrong), strict=True):
        if file is None:
            files.append(None)
            uses.append(use)
            continue
        summary = SummaryEntry.read(file, wrong.name).summary
        new = SummaryEntry.of(
            replace(summary, serial=detector.serial, layout_id=detector.layout_id)
        ).file
        files.append(new)
        uses.append(replace(use, summary=new.id))
    record = replace(
        wrong.record,
        serial=detector.serial,
        layout_id=detector.layout_id,
        report=replace(wrong.record.report, datasets=tuple(uses)),
    )
    return record, files
