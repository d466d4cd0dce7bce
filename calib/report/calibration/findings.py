"""Findings of a calibration, stored or not: residuals, panels, tests and verdict."""

from __future__ import annotations

from typing import Any

from calib.model.result.report import Convergence, Halves
from calib.model.store.record import CalibrationRecord, State
from calib.report.blocks import Block, Sentences, View, distances, fixed, general
from calib.report.calibration.comparisons import (
    comparison_blocks,
    comparison_views,
    repeatability_blocks,
    repeatability_view,
)
from calib.report.calibration.datasets import dataset_table, dataset_view
from calib.report.calibration.distances import disagreement_blocks, disagreement_view
from calib.report.calibration.groups import group_table
from calib.report.calibration.panels import panel_blocks, panel_views
from calib.report.calibration.prior import prior_blocks
from calib.report.calibration.rejected import rejected_blocks, rejected_view
from calib.report.calibration.residuals import (
    counts,
    median_abs_px,
    phi_mrad,
    residual_table,
    rmsd_px,
    shell_view,
)
from calib.report.calibration.structure import (
    structure_blocks,
    structure_view,
)
from calib.report.calibration.warnings import warning_views
from calib.report.calibration.weak_modes import directions_view, information_blocks
from calib.report.calibration.what_if import (
    sigma_facts,
    sigma_view,
    what_if_blocks,
    what_if_view,
)
from calib.report.scalar import number


def head_view(
    record: CalibrationRecord, calibration_id: str, version: int | None, state: State
) -> dict[str, Any]:
    """What identifies a calibration; its version is None where it is not stored."""
    return {
        "id": calibration_id,
        "version": version,
        "serial": record.serial,
        "distances_mm": [number(distance) for distance in record.distances_mm],
        "freedom": record.estimate.freedom.value,
        "state": state.value,
    }


def record_view(record: CalibrationRecord) -> dict[str, Any]:
    """The content of a calibration record: residuals, panels, tests and verdict."""
    report = record.report
    return {
        "rmsd_px": rmsd_px(report.overall),
        "median_abs_px": median_abs_px(report.overall),
        "phi_mrad": phi_mrad(report.overall),
        "n_reflections": counts(report.overall),
        "held_out_dropped": number(report.held_out_dropped),
        "datasets": [dataset_view(dataset) for dataset in report.datasets],
        "panels": panel_views(record),
        "shells": [shell_view(shell) for shell in report.shells],
        "halves": _halves(report.halves),
        "convergence": _convergence(report.convergence),
        **directions_view(report),
        "structure": structure_view(report.structure),
        "disagreements": [disagreement_view(one) for one in report.disagreements],
        "comparisons": comparison_views(report),
        "repeatability": repeatability_view(report.repeatability),
        "sigma_um": sigma_view(report.what_if),
        "what_if": what_if_view(report, record.panel_names),
        "warnings": warning_views(record),
        "misfits": [rejected_view(one) for one in report.misfits],
        "acceptance": {
            "accepted": record.acceptance.accepted,
            "reasons": list(record.acceptance.reasons),
        },
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


def title(head: View) -> str:
    """Name, state and the first digits of the id."""
    version = head["version"]
    name = f"{head['serial']} (not stored)" if version is None else f"{head['serial']}:{version}"
    return f"{name}  {head['state']}  {head['id'][:12]}"


def common_facts(view: View) -> list[tuple[str, str]]:
    """Distances, panels, refinement and, where there is one, the half-dataset agreement."""
    panels = view["panels"]
    counted = [
        f"{sum(panel['status'] == status for panel in panels)} {status}"
        for status in ("measured", "sparse", "unmeasured")
    ]
    convergence, halves = view["convergence"], view["halves"]
    ended = "converged" if convergence["converged"] else "not converged"
    ended += f" after {convergence['iterations']} iterations"
    if not convergence["iterations"]:
        ended = "combined from summaries"
    reduced = convergence["chi_square"] / max(convergence["degrees_of_freedom"], 1)
    facts = [
        ("Distances", distances(view["calibration"]["distances_mm"])),
        ("Panels", f"{len(panels)}: {', '.join(counted)}"),
        (
            "Refinement",
            f"{ended}, last shift "
            f"{general(convergence['last_shift_sigma'], 2)} sigma, "
            f"chi-square {fixed(reduced, 2)} per degree of freedom",
        ),
    ]
    if halves is not None:
        normal = halves["rms_normal_um"]
        facts.append(
            (
                "Half-dataset agreement",
                f"{fixed(halves['rms_in_plane_um'], 1)} um rms in the plane"
                + ("" if normal is None else f", {fixed(normal, 1)} um along the normal")
                + f" (over {halves['n_panels']} panels)",
            )
        )
    return [*facts, *sigma_facts(view["sigma_um"])]


def findings_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """All tables and sentences, the verdict last."""
    undetermined = view["null_directions"]
    weak = [f"{m['words']}: {fixed(m['sigma_um'], 1)} um" for m in view["weak_modes"]]
    return [
        residual_table(view),
        dataset_table(view["datasets"]),
        *rejected_blocks(view["misfits"]),
        *group_table(view["groups"]),
        *panel_blocks(view, all_panels=all_panels),
        *information_blocks(view["determined"]),
        *prior_blocks(view["prior"]),
        *structure_blocks(view["structure"]),
        *([Sentences("Not determined by these data", tuple(undetermined))] if undetermined else []),
        *([Sentences("Least well determined (1 sigma)", tuple(weak))] if weak else []),
        *disagreement_blocks(view["disagreements"]),
        *comparison_blocks(view["comparisons"]),
        *repeatability_blocks(view["repeatability"]),
        *what_if_blocks(view["what_if"]),
        verdict(view),
    ]


def verdict(view: View) -> Sentences:
    """Whether a calibration was accepted, and the reasons."""
    accepted = view["acceptance"]["accepted"]
    return Sentences(
        "Accepted" if accepted else "Not accepted (draft)",
        tuple(view["acceptance"]["reasons"]),
    )
