"""The report of one stored calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.detector.layout import Layout
from calib.model.store.record import StoredCalibration
from calib.report.blocks import Block, Sentences, View, distance_range, span
from calib.report.calibration.findings import title, verdict
from calib.report.calibration.stored import stored_blocks
from calib.report.log import head_facts
from calib.report.page.data import influence_section, rejection_section
from calib.report.page.face import face_view
from calib.report.page.panels import (
    coverage_section,
    motion_views,
    normal_section,
    rmsd_section,
    shift_section,
    worst_words,
)
from calib.report.page.section import Page, Section
from calib.report.page.what_if import what_if_section
from calib.report.provenance import provenance_facts


def report_view(stored: StoredCalibration, layout: Layout, shown: View) -> dict[str, Any]:
    """What ``calib show --json`` prints, with the face of the detector and the motion of panels."""
    face = face_view(layout)
    motions = motion_views(stored.record.estimate, face, shown["panels"])
    return {**shown, "face": face, "motions": motions}


def calibration_page(view: View) -> Page:
    """The report of a calibration from ``report_view``."""
    head, panels, face, motions = view["calibration"], view["panels"], view["face"], view["motions"]
    return Page(
        f"Calibration {title(head)}",
        _summary(view),
        (
            shift_section(face, motions, panels),
            normal_section(face, panels),
            rmsd_section(panels),
            coverage_section(face, panels),
            influence_section(view["datasets"]),
            rejection_section(view),
            what_if_section(view),
            _origin_section(view),
        ),
    )


def _summary(view: View) -> tuple[str, ...]:
    found = verdict(view)
    return (
        f"{found.title}. {' '.join(found.lines)}".strip(),
        worst_words(view["motions"]),
        _residual_words(view),
        _certified_words(view["certifications"]),
    )


def _residual_words(view: View) -> str:
    rmsd = view["rmsd_px"]
    before, after = rmsd["before"]["used"], rmsd["after"]["used"]
    if before is None or after is None:
        return "No residuals were recorded."
    return (
        f"RMSD of {view['n_reflections']['used']} reflections, x and y: {before['x']:.3f} and "
        f"{before['y']:.3f} px before the corrections, {after['x']:.3f} and {after['y']:.3f} px "
        "after."
    )


def _certified_words(certifications: Sequence[View]) -> str:
    valid = [one for one in certifications if one["withdrawn"] is None]
    if not valid:
        return "Not certified."
    one = valid[0]
    return (
        f"Certified by {one['recorded']['by']} from {span(one['from'], one['to'])} at "
        f"{distance_range(one)} mm: {one['reason']}"
    )


def _origin_section(view: View) -> Section:
    """Figure 15: provenance, the verdict with its reasons, and the head of the log."""
    blocks: list[Block] = stored_blocks(view, all_panels=False)
    if view["provenance"] is not None:
        blocks.append(provenance_facts(view["provenance"]))
    else:
        blocks.append(Sentences("", ("The store has no provenance: imported, or older than it.",)))
    if view["log_head"] is not None:
        blocks.append(head_facts(view["log_head"]))
    return Section("origin", "Verdict, provenance and log", tuple(blocks))
