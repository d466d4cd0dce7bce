"""Two calibrations compared, as scripts see it."""

from __future__ import annotations

from typing import Any

import numpy as np

from calib.model.detector.correction import PARAMETERS, SHOWN, SHOWN_PER_INTERNAL
from calib.model.result.drift import Drift
from calib.model.store.record import StoredCalibration
from calib.report.scalar import number


def drift_view(found: Drift) -> dict[str, Any]:
    """A drift without its panels."""
    compared = list(found.compared)
    return {
        "verdict": found.verdict.value,
        "moved_panels": list(found.moved),
        "p_value": number(found.p_value),
        "chi_square": number(found.chi_square),
        "degrees_of_freedom": found.degrees_of_freedom,
        "rms_shift_um": {
            "in_plane": _rms_um(found, compared, (0, 1)),
            "normal": _rms_um(found, compared, (2,)),
        },
        "largest_motion_um": number(1e3 * float(found.motion_mm[compared].max()))
        if compared
        else None,
        "shared_data": {"first": number(found.shared[0]), "second": number(found.shared[1])},
        "notes": list(found.notes),
    }


def difference_view(
    first: StoredCalibration, second: StoredCalibration, found: Drift
) -> dict[str, Any]:
    """A drift with everything."""
    shift, sigma = found.shift * SHOWN_PER_INTERNAL, found.sigma * SHOWN_PER_INTERNAL
    return {
        "first": first.name,
        "first_id": first.id,
        "second": second.name,
        "second_id": second.id,
        **drift_view(found),
        "compared_parameters": [PARAMETERS[k] for k in found.parameters],
        "n_panels_compared": len(found.compared),
        "panels": [
            {
                "panel": panel,
                "name": name,
                "moved": panel in found.moved,
                **_six(shift[panel]),
                "sigma": _six(sigma[panel]),
                "motion_um": number(1e3 * float(found.motion_mm[panel])),
                "chi_square": number(float(found.panel_chi_square[panel])),
                "degrees_of_freedom": int(found.panel_degrees[panel]),
                "p_value": number(float(found.panel_p_value[panel])),
                "p_value_holm": number(float(found.panel_p_holm[panel])),
            }
            for panel, name in enumerate(second.record.panel_names)
        ],
    }


def _six(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float | None]:
    return {name: number(float(value)) for name, value in zip(SHOWN, values, strict=True)}


def _rms_um(found: Drift, panels: list[int], parameters: tuple[int, ...]) -> float | None:
    if not panels or not set(parameters) <= set(found.parameters):
        return None
    shift = found.shift[np.ix_(np.array(panels), np.array(parameters))]
    return number(1e3 * float(np.sqrt(np.mean(shift**2))))
