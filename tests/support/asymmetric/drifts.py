"""Comparisons of two calibrations: fourteen panels of which some moved, in known directions."""

from __future__ import annotations

import numpy as np

from calib.model.result.drift import Drift, UncertaintyParts, Verdict
from support.asymmetric.detector import WIDE_QUARTERS, quarter_turn
from support.asymmetric.numbers import Numbers

TOWARDS = {
    3: (1.0, 0.11), 8: (1.0, 0.83), 0: (-0.13, 1.0), 11: (-0.79, 1.0), 6: (-1.0, 0.17),
    13: (-1.0, -0.73), 2: (-0.19, -1.0), 5: (1.0, -0.67), 12: (1.0, 0.3), 7: (-0.31, 1.0),
    1: (0.23, -1.0), 9: (-1.0, -0.29),
}  # fmt: skip
"""Where each panel that was compared moved, along x and y of the root frame; 4 and 10 were not
compared."""
MOVED = (2, 6, 11)
SURENESS = (6, 2, 11, 8, 0, 13, 3, 12, 5, 1, 9, 7)
"""The compared panels by p-value, the least first."""
P_VALUES = (3e-9, 4e-7, 5e-5, 0.011, 0.023, 0.047, 0.19, 0.31, 0.43, 0.57, 0.71, 0.89)
HOLM = (4e-8, 5e-6, 6e-4, 0.13, 0.27, 0.53, 0.61, 0.67, 0.73, 0.79, 0.83, 0.97)


def wide() -> Drift:
    """Three panels moved."""
    numbers = Numbers(3000)
    shift, sigma = np.full((14, 6), np.nan), np.full((14, 6), np.nan)
    motion, chi_square = np.full(14, np.nan), np.zeros(14)
    degrees, p_value, holm = np.zeros(14, dtype=np.int64), np.ones(14), np.ones(14)
    for place, panel in enumerate(SURENESS):
        size = numbers.positive(0.3)
        root = np.array([size * TOWARDS[panel][0], size * TOWARDS[panel][1], numbers.signed(0.2)])
        shift[panel, :3] = quarter_turn(WIDE_QUARTERS[panel]).T @ root
        shift[panel, 3:] = [numbers.signed(4e-3) for _ in range(3)]
        sigma[panel] = [numbers.positive(0.02 if k < 3 else 2e-4) for k in range(6)]
        motion[panel] = numbers.positive(0.4)
        chi_square[panel] = 90.0 - 7.3 * place
        degrees[panel] = 6
        p_value[panel], holm[panel] = P_VALUES[place], HOLM[place]
    return Drift(
        verdict=Verdict.REPLACED,
        moved=MOVED,
        parameters=(0, 1, 2, 3, 4, 5),
        shift=shift,
        sigma=sigma,
        motion_mm=motion,
        panel_chi_square=chi_square,
        panel_degrees=degrees,
        panel_p_value=p_value,
        panel_p_holm=holm,
        chi_square=613.7,
        degrees_of_freedom=66,
        p_value=2.7e-8,
        shared=(0.271, 0.193),
        notes=("27 % of the reflections of the first one are shared.",),
        parts=UncertaintyParts(3.17, 7.29, 5.41),
        repeat_mm=0.0047,
    )


def many_moved() -> Drift:
    """All twelve panels that were compared moved."""
    found = wide()
    return Drift(
        Verdict.DRIFTED,
        tuple(sorted(SURENESS)),
        found.parameters,
        found.shift,
        found.sigma,
        found.motion_mm,
        found.panel_chi_square,
        found.panel_degrees,
        found.panel_p_value,
        found.panel_p_holm,
        814.2,
        67,
        1.9e-9,
        (0.0, 0.0),
        (),
    )


def narrow() -> Drift:
    """In the plane alone; nothing moved, and panel 3 was not compared."""
    numbers = Numbers(4000)
    shift, sigma = np.full((5, 6), np.nan), np.full((5, 6), np.nan)
    for panel in (0, 1, 2, 4):
        for k in (0, 1, 5):
            shift[panel, k] = numbers.signed(0.01 if k < 3 else 2e-4)
            sigma[panel, k] = numbers.positive(0.02 if k < 3 else 4e-4)
    return Drift(
        Verdict.SAME,
        (),
        (0, 1, 5),
        shift,
        sigma,
        np.array([0.0043, 0.0061, 0.0029, np.nan, 0.0087]),
        np.array([2.3, 3.1, 1.7, 0.0, 4.9]),
        np.array([3, 3, 3, 0, 3]),
        np.array([0.51, 0.37, 0.63, 1.0, 0.18]),
        np.array([0.98, 0.94, 0.99, 1.0, 0.72]),
        12.7,
        9,
        0.177,
        (0.0, 0.0),
        (),
    )
