"""What the command line shows of certifications, detectors and whole stores."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from calib.model.store.backup import StoreRevision
from calib.model.store.log import Audit, ClockCorrection, LogHead
from calib.model.store.signing import Anchored, SignedHead, SigningKey
from calib.report.affected import affected_blocks, affected_view
from calib.report.applications import (
    application_table,
    application_view,
    applied_table,
    applied_view,
)
from calib.report.blocks import Sentences
from calib.report.bundle import bundle_facts, bundle_view, loaded_blocks, loaded_view
from calib.report.calibration.listing import line_view
from calib.report.certifications import (
    certification_table,
    certification_view,
    change_blocks,
    change_sentences,
    change_view,
)
from calib.report.detector.detectors import (
    detector_blocks,
    detector_facts,
    detector_table,
    detector_view,
    panel_frames_view,
)
from calib.report.detector.placements import placement_view
from calib.report.keys import keys_blocks, keys_view
from calib.report.log import (
    anchor_view,
    audit_blocks,
    audit_view,
    checkpoint_view,
    clock_blocks,
    clock_view,
    entry_view,
    head_facts,
    head_sentence,
    head_view,
    log_table,
)
from calib.report.maintenance import (
    backup_facts,
    backup_view,
    check_blocks,
    checks_view,
    doctor_blocks,
    doctor_view,
    revision_facts,
    revision_view,
    rule_blocks,
    rules_view,
    upgrade_view,
)
from calib.report.resolution import resolution_blocks, resolution_view
from calib.report.scalar import moment_view
from support.asymmetric import calibrations, certified, detector, recorded
from support.asymmetric.case import Case
from support.asymmetric.certified import instant


def certification(*, changing: bool) -> Case:
    """calib certify, calib withdraw."""
    words = [certification_view(one) for one in certified.certifications()]
    found = certified.changes() if changing else ()
    changes = [change_view(one) for one in found]
    view = {"certifications": words, "changes": changes}
    sentences = tuple(change_sentences(changes))
    return Case(
        view,
        [
            certification_table(words),
            *change_blocks(changes, 17 if changing else 1),
            Sentences("", sentences),
        ],
    )


def resolution(*, explain: bool) -> Case:
    """calib resolve."""
    view = resolution_view(certified.resolution())
    blocks = resolution_blocks(view, explain=explain)
    return Case(None if explain else view, blocks)


def resolution_from_the_future() -> Case:
    """calib resolve --closest, a draft."""
    view = resolution_view(certified.resolution_from_the_future())
    return Case(view, resolution_blocks(view, explain=True))


def applications() -> Case:
    """calib usage."""
    view = [application_view(one) for one in certified.applications()]
    return Case(view, [application_table(view)])


def applied() -> Case:
    """calib apply."""
    view = applied_view(
        ("a.expt", "a.refl"),
        ("b.expt", "b.refl"),
        certified.applied(),
        receipt="b.receipt.json",
        recorded=True,
        copied=False,
        written=True,
        warnings=("2 detectors",),
    )
    return Case(view, [applied_table([view])])


def affected() -> Case:
    """calib affected."""
    view = affected_view(recorded.KNOWN_NOW, calibrations.stored_wide(), certified.affected())
    return Case(view, affected_blocks(view))


def detectors() -> Case:
    """calib detector list."""
    view = [detector_view(one) for one in (detector.wide(), detector.narrow())]
    facts = [detector_facts(one) for one in view]
    return Case(view, [detector_table(view), *facts])


def detector_shown(*, all_panels: bool) -> Case:
    """calib detector show; with nothing known of it, or with everything."""
    lines = certified.lines() if all_panels else ()
    words = certified.certifications() if all_panels else ()
    placed = certified.placements() if all_panels else ()
    drawn = detector.wide()
    view = {
        "as_known_at": moment_view(recorded.KNOWN_THEN),
        **detector_view(drawn),
        "panels": panel_frames_view(drawn),
        "calibrations": [line_view(line) for line in lines],
        "certifications": [certification_view(one) for one in words],
        "placements": [placement_view(one) for one in placed],
        "edits": [],
        "retirements": [],
    }
    return Case(view, detector_blocks(view, all_panels=all_panels))


def bundle(calibration_id: str | None) -> Case:
    """calib export, calib bundle show."""
    view = bundle_view(recorded.bundle(calibration_id))
    return Case(view, [bundle_facts(view)])


def loaded() -> Case:
    """calib load."""
    view = loaded_view(recorded.loaded())
    return Case(view, loaded_blocks(view))


def log() -> Case:
    """calib audit log, checkpoint."""
    entries = [entry_view(one) for one in recorded.entries()]
    view = {"entries": entries, "checkpoint": checkpoint_view(recorded.checkpoint())}
    return Case(view, [log_table(entries)])


def audit(*, verified: bool) -> Case:
    """calib audit verify."""
    found = Audit((), 41, 509, 4, 45) if verified else recorded.audit()
    view = audit_view(
        found,
        None if verified else recorded.checkpoint(),
        n_checkpoints=None if verified else 3,
        compromised=() if verified else (Path("anchors/checkpoint-00000002.json"),),
        compared=None if verified else LogHead(23, "7b" * 32),
        timestamps=() if verified else (instant(8, 9, 10), instant(8, 11, 12)),
    )
    return Case(view, audit_blocks(view))


def clock(*, recorded: bool) -> Case:
    """calib audit clock."""
    latest, at = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC), datetime(2026, 4, 3, 2, 1, tzinfo=UTC)
    first, position = (41, 45) if recorded else (44, None)
    view = clock_view(ClockCorrection(first, 44, latest, at, position), "the beamline PC")
    return Case(view, clock_blocks(view))


def revision(found: StoreRevision) -> Case:
    """calib db revision."""
    view = revision_view("/stores/a.db", found, "0013")
    return Case(view, [revision_facts(view)])


def checked() -> Case:
    """calib db check, calib doctor."""
    view = {
        "check": checks_view("/stores/a.db", recorded.checks()),
        "doctor": doctor_view(recorded.settings(), recorded.checks()),
    }
    blocks = check_blocks(view["check"])
    return Case(view, [*blocks, *doctor_blocks(view["doctor"])])


def backup() -> Case:
    """calib db backup, upgrade."""
    view = backup_view("/stores/a.db", recorded.backup())
    upgrade = upgrade_view("/stores/a.db", recorded.upgraded(), stored=True)
    return Case({"backup": view, "upgrade": upgrade}, [backup_facts(view)])


def rules(*, ever: bool) -> Case:
    """calib db rule."""
    view = rules_view({"demand-actor": "no"}, recorded.rules() if ever else ())
    return Case(view, rule_blocks(view))


def log_head() -> Case:
    """The head of the log, signed and not."""
    head = LogHead(53, "5a" * 32)
    views = [
        head_view(SignedHead(head, "2e" * 32, "91" * 64)),
        head_view(SignedHead(head, None, None)),
    ]
    lines = tuple(head_sentence(one) for one in views)
    return Case({"heads": views}, [*(head_facts(one) for one in views), Sentences("Heads", lines)])


def anchored() -> Case:
    """calib audit anchor."""
    places = (
        Anchored(Path("anchors/checkpoint-00000041.json"), None, None),
        Anchored(Path("clone/checkpoint-00000041.json"), "3c" * 20, "origin/main"),
        Anchored("postgresql://ada@db/other", None, None, 61),
    )
    view = anchor_view(recorded.checkpoint(), places)
    lines = tuple(one["path"] for one in view["anchors"])
    return Case(view, [Sentences("", lines)])


def keys() -> Case:
    """calib audit keys."""
    first, second, third = (datetime(2026, month, month + 9, tzinfo=UTC) for month in (2, 3, 5))
    made = (
        SigningKey(b"\x1a" * 32, None, second, first, "laptop stolen"),
        SigningKey(b"\x2b" * 32, second, third, None, "yearly"),
        SigningKey(b"\x3c" * 32, third, endorsement=b"\x04" * 64),
    )
    view = keys_view(Path("audit.pem.keys"), made, endorsed=False)
    return Case(view, keys_blocks(view))
