"""The datasets of a calibration, their residuals and their influence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.result.report import DatasetUse, Influence
from calib.report.blocks import NONE, Table, View, fixed
from calib.report.calibration.residuals import STAGES, before_after_cells, both_px
from calib.report.scalar import number


def dataset_view(dataset: DatasetUse) -> dict[str, Any]:
    """One dataset: its files, counts, residuals in px and influence on the solution."""
    return {
        "name": dataset.name,
        "sha256": list(dataset.sha256),
        "n_reflections": dataset.n_reflections,
        "n_rejected": dataset.n_rejected,
        "n_flagged": dataset.n_flagged,
        "still": dataset.still,
        "n_readmitted": dataset.n_readmitted,
        "n_outliers_kept": dataset.n_outliers_kept,
        "limited_panels": list(dataset.limited_panels),
        "disputed_panels": list(dataset.disputed_panels),
        "n_crystals": dataset.n_crystals,
        "crystal_interval_deg": number(dataset.crystal_interval_deg),
        "slips_deg": [number(angle) for angle in dataset.slips_deg],
        "distance_mm": number(dataset.distance_mm),
        "wavelength_angstrom": number(dataset.wavelength_angstrom),
        "rmsd_px": both_px(dataset.rmsd),
        "left_out_rmsd_px": both_px(dataset.left_out),
        "influence": _influence_view(dataset.influence),
        "linearisation_error_sigma": number(dataset.linearisation_error_sigma),
        "summary": dataset.summary or None,
        "method": dataset.method,
        "weight_scale": {
            name: number(value)
            for name, value in zip(("x", "y", "phi"), dataset.weight_scale, strict=True)
        },
    }


def _influence_view(found: Influence | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "rms_sigma": number(found.rms_sigma),
        "largest_sigma": number(found.largest_sigma),
        "panel": found.panel,
    }


def dataset_table(views: Sequence[View]) -> Table:
    """Datasets, one per line."""
    return Table(
        "Datasets (RMSD in px)",
        ("dataset", "distance mm", "used", "rejected", "flagged", *STAGES, "shift if omitted"),
        tuple(
            (
                view["name"],
                fixed(view["distance_mm"], 1),
                str(view["n_reflections"]),
                str(view["n_rejected"]),
                str(view["n_flagged"]),
                *before_after_cells(view["rmsd_px"]),
                _influence_cell(view["influence"]),
            )
            for view in views
        ),
    )


def _influence_cell(view: View | None) -> str:
    """Rms shift of the solution when the dataset is omitted, in sigma."""
    return NONE if view is None else f"{fixed(view['rms_sigma'], 2)} sigma"
