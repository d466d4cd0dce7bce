"""Calibrations as scripts see them; docs/json.md says what every key means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.base.content import to_content
from calib.model.result.report import (
    Convergence,
    DatasetUse,
    Disagreement,
    Halves,
    Influence,
    Misfit,
    Report,
    Shell,
)
from calib.model.store.record import (
    CalibrationLine,
    CalibrationRecord,
    Certification,
    State,
    StoredCalibration,
)
from calib.report.certification_view import certification_view, deed_view
from calib.report.determined_view import determined_view
from calib.report.group_view import group_view
from calib.report.residuals import both_px, counts, median_abs_px, phi_mrad, rmsd_px
from calib.report.scalar import instant, number


def derived_view(
    record: CalibrationRecord,
    stored: StoredCalibration | None,
    *,
    new: bool,
    detector_registered: bool,
    freedom_reason: str,
    notices: Sequence[str],
    seconds: float,
) -> dict[str, Any]:
    """What a derivation answers; ``stored`` is None in a dry run."""
    if stored is None:
        state = State.ACCEPTED if record.acceptance.accepted else State.DRAFT
        head = _head(record, record.id, None, state)
    else:
        head = _head(record, stored.id, stored.version, stored.state)
    return {
        "calibration": head,
        **record_view(record),
        "freedom_reason": freedom_reason,
        "stored": stored is not None,
        "new": new,
        "detector_registered": detector_registered,
        "notices": list(notices),
        "seconds": number(round(seconds, 3)),
    }


def stored_view(
    stored: StoredCalibration,
    certifications: Sequence[Certification],
    n_applications: int,
) -> dict[str, Any]:
    """Everything that the store knows of a calibration, with where it comes from."""
    record = stored.record
    return {
        "calibration": _head(record, stored.id, stored.version, stored.state),
        **record_view(record),
        "parameters": to_content(record.parameters),
        "code_version": record.code_version,
        "layout_id": record.layout_id,
        "stored": deed_view(stored.stored),
        "data_taken": [instant(start) for start in stored.starts],
        "certifications": [certification_view(one) for one in certifications],
        "n_applications": n_applications,
    }


def line_view(line: CalibrationLine) -> dict[str, Any]:
    """A calibration as a list shows it."""
    return {
        "calibration": f"{line.serial}:{line.version}",
        "id": line.id,
        "version": line.version,
        "serial": line.serial,
        "distances_mm": [number(distance) for distance in line.distances_mm],
        "freedom": line.freedom,
        "state": line.state.value,
        "n_reflections": line.n_reflections,
        "stored": deed_view(line.stored),
    }


def record_view(record: CalibrationRecord) -> dict[str, Any]:
    """What a calibration says, wherever it stands."""
    report = record.report
    rows = record.estimate.panel_rows(record.panel_names)
    return {
        "rmsd_px": rmsd_px(report.overall),
        "median_abs_px": median_abs_px(report.overall),
        "phi_mrad": phi_mrad(report.overall),
        "n_reflections": counts(report.overall),
        "held_out_dropped": number(report.held_out_dropped),
        "datasets": [_dataset(dataset) for dataset in report.datasets],
        "panels": [
            {
                **row,
                "n_rejected": _at(report.rejected_on_panel, index),
                "n_flagged": _at(report.flagged_on_panel, index),
                "n_held_out": counts(fit)["held_out"],
                "rmsd_px": rmsd_px(fit),
                "median_abs_px": median_abs_px(fit),
            }
            for index, (row, fit) in enumerate(zip(rows, report.panels, strict=True))
        ],
        "shells": [_shell(shell) for shell in report.shells],
        "halves": _halves(report.halves),
        "convergence": _convergence(report.convergence),
        **_directions(report),
        "disagreements": [_disagreement(one) for one in report.disagreements],
        "misfits": [_misfit(one) for one in report.misfits],
        "acceptance": {
            "accepted": record.acceptance.accepted,
            "reasons": list(record.acceptance.reasons),
        },
    }


def _at(counts: Sequence[int], index: int) -> int | None:
    return counts[index] if index < len(counts) else None


def _head(
    record: CalibrationRecord, calibration_id: str, version: int | None, state: State
) -> dict[str, Any]:
    return {
        "id": calibration_id,
        "version": version,
        "serial": record.serial,
        "distances_mm": [number(distance) for distance in record.distances_mm],
        "freedom": record.estimate.freedom.value,
        "state": state.value,
    }


def _dataset(dataset: DatasetUse) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "sha256": list(dataset.sha256),
        "n_reflections": dataset.n_reflections,
        "n_rejected": dataset.n_rejected,
        "n_flagged": dataset.n_flagged,
        "n_crystals": dataset.n_crystals,
        "crystal_interval_deg": number(dataset.crystal_interval_deg),
        "slips_deg": [number(angle) for angle in dataset.slips_deg],
        "distance_mm": number(dataset.distance_mm),
        "wavelength_angstrom": number(dataset.wavelength_angstrom),
        "rmsd_px": both_px(dataset.rmsd),
        "left_out_rmsd_px": both_px(dataset.left_out),
        "influence": _influence(dataset.influence),
        "linearisation_error_sigma": number(dataset.linearisation_error_sigma),
        "summary": dataset.summary or None,
        "weight_scale": {
            name: number(value)
            for name, value in zip(("x", "y", "phi"), dataset.weight_scale, strict=True)
        },
    }


def _influence(found: Influence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "rms_sigma": number(found.rms_sigma),
        "largest_sigma": number(found.largest_sigma),
        "panel": found.panel,
    }


def _misfit(found: Misfit) -> dict[str, Any]:
    return {
        "name": found.name,
        "sha256": list(found.sha256),
        "experiment": found.experiment,
        "identifier": found.identifier,
        "reason": found.reason.value,
        "scatter_px": number(found.scatter_px),
        "usual_px": number(found.usual_px),
        "scatter_mrad": number(found.scatter_mrad),
        "usual_mrad": number(found.usual_mrad),
        "off_share": number(found.off_share),
        "n_lost": found.n_lost,
        "n_reflections": found.n_reflections,
    }


def _shell(shell: Shell) -> dict[str, Any]:
    return {
        "d_max_angstrom": number(shell.d_max_angstrom),
        "d_min_angstrom": number(shell.d_min_angstrom),
        "n_held_out": shell.held_out.after.n,
        "held_out_rmsd_px": both_px(shell.held_out),
    }


def _halves(halves: Halves | None) -> dict[str, Any] | None:
    if halves is None:
        return None
    return {
        "n_panels": halves.n_panels,
        "rms_in_plane_um": number(halves.rms_in_plane_um),
        "rms_normal_um": number(halves.rms_normal_um),
        "chi_square_per_degree": number(halves.chi_square_per_degree),
    }


def _convergence(convergence: Convergence) -> dict[str, Any]:
    return {
        "converged": convergence.converged,
        "iterations": convergence.iterations,
        "last_shift_sigma": number(convergence.last_shift_sigma),
        "chi_square": number(convergence.chi_square),
        "degrees_of_freedom": convergence.degrees_of_freedom,
    }


def _directions(report: Report) -> dict[str, Any]:
    return {
        "gauge": report.gauge,
        "null_directions": list(report.null_directions),
        "weak_modes": [
            {"words": mode.words, "sigma_um": number(mode.sigma_um)} for mode in report.weak_modes
        ],
        "determined": determined_view(report.determined),
        "groups": [group_view(group) for group in report.groups],
    }


def _disagreement(found: Disagreement) -> dict[str, Any]:
    return {
        "distances_mm": [number(distance) for distance in found.distances_mm],
        "chi_square": number(found.chi_square),
        "degrees_of_freedom": found.degrees_of_freedom,
        "p_value": number(found.p_value),
        "panel_p_values": [number(value) for value in found.panel_p_values],
    }
