"""calib report: a stored calibration as a page with figures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from calib.errors import InputError
from calib.files.atomic import write_safely
from calib.files.kinds import PDF, PNG, REPORT, FileKind
from calib.files.output_target import check_writable_target
from calib.flows.calibrations import show
from calib.flows.shared.heads import signed_head
from calib.model.store.protocol import StoreLike
from calib.report.bundle import origin_view
from calib.report.calibration.stored import stored_view
from calib.report.detector.amendments import relabelling_view
from calib.report.log import head_view
from calib.report.page.calibration import calibration_page, report_view
from calib.report.page.section import Page
from calib.report.provenance import provenance_view
from calib.report.scalar import moment_view


class ReportFormat(StrEnum):
    """What a report is written as; the ending of the file decides."""

    HTML = "html"
    PDF = "pdf"
    PNG = "png"

    @property
    def kind(self) -> FileKind:
        """The kind of file, as ``--force`` recognises it."""
        return {"html": REPORT, "pdf": PDF, "png": PNG}[self.value]


def shown_view(
    store: StoreLike, reference: str, *, serial: str | None, as_known_at: str | None, now: datetime
) -> dict[str, Any]:
    """A stored calibration with all that the store knows of it, as ``calib show --json``."""
    found = show(store, reference, serial=serial, as_known_at=as_known_at, now=now)
    return {
        "as_known_at": moment_view(found.known_at),
        **stored_view(found.calibration, found.certifications, found.n_applications),
        "relabelled": None if found.relabelled is None else relabelling_view(found.relabelled),
        "geometry_id": store.detectors.get(found.calibration.record.serial).layout.geometry_id,
        "replaces": None if found.replaces is None else found.replaces.name,
        "provenance": provenance_view(found.provenance),
        "origins": [origin_view(one) for one in found.origins],
        "log_head": head_view(signed_head(store, found.known_at.position)),
    }


def calibration_report(
    store: StoreLike, reference: str, *, serial: str | None, now: datetime
) -> dict[str, Any]:
    """The view of a report: a stored calibration with the face of its detector."""
    stored = store.calibrations.get(reference, serial)
    shown = shown_view(store, stored.id, serial=None, as_known_at=None, now=now)
    layout = store.detectors.get(stored.record.serial).layout
    return report_view(stored, layout, shown)


def report_format(path: Path) -> ReportFormat:
    """The format that the ending of a file names; raises ``InputError`` (``bad-ending``)."""
    try:
        return ReportFormat(path.suffix.lower().removeprefix("."))
    except ValueError:
        raise InputError(
            "bad-ending",
            "a report is written as .html, .pdf or .png.",
            place=str(path),
            remedy="give the file one of these endings.",
        ) from None


def write_report(store: StoreLike, view: dict[str, Any], output: Path, *, force: bool) -> None:
    """Write the report of ``calibration_report`` as the ending of ``output`` says."""
    form = report_format(output)
    check_writable_target(output, form.kind, store=tuple(store.files), force=force)
    data = _writer(form)(calibration_page(view), output.stem)
    write_safely(output, data, form.kind, store=store.files, force=force)


def _writer(form: ReportFormat) -> Callable[[Page, str], bytes]:
    if form is ReportFormat.HTML:
        from calib.report.page.html import html_text

        return lambda page, name: html_text(page, name).encode()
    from calib.report.page.printed import pdf_bytes, png_bytes

    chosen = pdf_bytes if form is ReportFormat.PDF else png_bytes
    return lambda page, _: chosen(page)
