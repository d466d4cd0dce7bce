"""What the command line shows of certifications, detectors and whole stores."""

from __future__ import annotations

from calib.model.backup import StoreRevision
from calib.model.log import Audit
from calib.report import (
    affected_view,
    application_blocks,
    application_view,
    bundle_view,
    calibration_view,
    certification_blocks,
    certification_view,
    detector_blocks,
    detector_view,
    keeping_blocks,
    keeping_view,
    log_blocks,
    log_view,
    placement_view,
    resolution_blocks,
    resolution_view,
)
from calib.report.blocks import Sentences
from calib.report.scalar import moment_view
from support.asymmetric import calibrations, certified, detector, recorded
from support.asymmetric.case import Case


def certification(*, changing: bool) -> Case:
    """calib certify, calib withdraw."""
    words = [certification_view.certification_view(one) for one in certified.certifications()]
    found = certified.changes() if changing else ()
    changes = [certification_view.change_view(one) for one in found]
    view = {"certifications": words, "changes": changes}
    sentences = tuple(certification_blocks.change_sentences(changes))
    return Case(
        view,
        [
            certification_blocks.certification_table(words),
            *certification_blocks.change_blocks(changes, 17 if changing else 1),
            Sentences("", sentences),
        ],
    )


def resolution(*, explain: bool) -> Case:
    """calib resolve."""
    view = resolution_view.resolution_view(certified.resolution())
    blocks = resolution_blocks.resolution_blocks(view, explain=explain)
    return Case(None if explain else view, blocks)


def resolution_from_the_future() -> Case:
    """calib resolve --closest, a draft."""
    view = resolution_view.resolution_view(certified.resolution_from_the_future())
    return Case(view, resolution_blocks.resolution_blocks(view, explain=True))


def applications() -> Case:
    """calib usage."""
    view = [application_view.application_view(one) for one in certified.applications()]
    return Case(view, [application_blocks.application_table(view)])


def applied() -> Case:
    """calib apply."""
    view = application_view.applied_view(
        ("a.expt", "a.refl"),
        ("b.expt", "b.refl"),
        certified.applied(),
        receipt="b.receipt.json",
        recorded=True,
        copied=False,
        written=True,
        warnings=("2 detectors",),
    )
    return Case(view, [application_blocks.applied_table([view])])


def affected() -> Case:
    """calib affected."""
    view = affected_view.affected_view(
        recorded.KNOWN_NOW, calibrations.stored_wide(), certified.affected()
    )
    return Case(view, affected_view.affected_blocks(view))


def detectors() -> Case:
    """calib detector list."""
    view = [detector_view.detector_view(one) for one in (detector.wide(), detector.narrow())]
    facts = [detector_blocks.detector_facts(one) for one in view]
    return Case(view, [detector_blocks.detector_table(view), *facts])


def detector_shown(*, all_panels: bool) -> Case:
    """calib detector show; with nothing known of it, or with everything."""
    lines = certified.lines() if all_panels else ()
    words = certified.certifications() if all_panels else ()
    placed = certified.placements() if all_panels else ()
    drawn = detector.wide()
    view = {
        "as_known_at": moment_view(recorded.KNOWN_THEN),
        **detector_view.detector_view(drawn),
        "panels": detector_view.panel_frames_view(drawn),
        "calibrations": [calibration_view.line_view(line) for line in lines],
        "certifications": [certification_view.certification_view(one) for one in words],
        "placements": [placement_view.placement_view(one) for one in placed],
    }
    return Case(view, detector_blocks.detector_blocks(view, all_panels=all_panels))


def bundle(calibration_id: str | None) -> Case:
    """calib export, calib bundle show."""
    view = bundle_view.bundle_view(recorded.bundle(calibration_id))
    return Case(view, [bundle_view.bundle_facts(view)])


def loaded() -> Case:
    """calib load."""
    view = bundle_view.loaded_view(recorded.loaded())
    return Case(view, bundle_view.loaded_blocks(view))


def log() -> Case:
    """calib audit log, checkpoint."""
    entries = [log_view.entry_view(one) for one in recorded.entries()]
    view = {"entries": entries, "checkpoint": log_view.checkpoint_view(recorded.checkpoint())}
    return Case(view, [log_blocks.log_table(entries)])


def audit(*, verified: bool) -> Case:
    """calib audit verify."""
    found = Audit((), 41, 509, 4, 45) if verified else recorded.audit()
    view = log_view.audit_view(found, None if verified else recorded.checkpoint())
    return Case(view, log_blocks.audit_blocks(view))


def revision(found: StoreRevision) -> Case:
    """calib db revision."""
    view = keeping_view.revision_view("/stores/a.db", found, "0013")
    return Case(view, [keeping_blocks.revision_facts(view)])


def checked() -> Case:
    """calib db check, calib doctor."""
    view = {
        "check": keeping_view.checks_view("/stores/a.db", recorded.checks()),
        "doctor": keeping_view.doctor_view(recorded.settings(), recorded.checks()),
    }
    blocks = keeping_blocks.check_blocks(view["check"])
    return Case(view, [*blocks, *keeping_blocks.doctor_blocks(view["doctor"])])


def backup() -> Case:
    """calib db backup, upgrade."""
    view = keeping_view.backup_view("/stores/a.db", recorded.backup())
    upgrade = keeping_view.upgrade_view("/stores/a.db", recorded.upgraded(), stored=True)
    return Case({"backup": view, "upgrade": upgrade}, [keeping_blocks.backup_facts(view)])


def rules(*, ever: bool) -> Case:
    """calib db rule."""
    view = keeping_view.rules_view({"demand-actor": "no"}, recorded.rules() if ever else ())
    return Case(view, keeping_blocks.rule_blocks(view))
