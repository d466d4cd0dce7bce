"""Typical deviations of panels and groups, as learned from the data."""

from __future__ import annotations

from typing import Any

from calib.model.result.report import LearnedPrior
from calib.report.blocks import Block, Sentences, View, fixed
from calib.report.scalar import number


def prior_view(found: LearnedPrior | None) -> dict[str, Any] | None:
    """Widths of the prior by level; None if they were not learned."""
    if found is None:
        return None
    return {
        "levels": [
            {
                "level": one.level,
                "of": "groups" if one.of_groups else "panels",
                "n_contrasts": one.n_contrasts,
                "shift_um": number(one.shift_mm * 1e3),
                "normal_um": number(one.normal_mm * 1e3),
                "tilt_mrad": number(one.tilt_rad * 1e3),
                "log_sigma": [number(own) for own in one.log_sigma],
            }
            for one in found.levels
        ],
        "deviating": [
            {
                "of": "groups" if one.is_group else "panels",
                "number": one.index,
                "factor": number(one.factor),
            }
            for one in found.deviating
        ],
    }


def prior_blocks(view: View | None) -> list[Block]:
    """One sentence for each level, and one for what deviates by more; empty if not learned."""
    if view is None:
        return []
    lines = [
        f"{_name(one)}: {fixed(one['shift_um'], 1)} um in the plane, {fixed(one['normal_um'], 1)} "
        f"um along the normal, {fixed(one['tilt_mrad'], 2)} mrad."
        for one in view["levels"]
    ]
    far = [one for one in view["deviating"] if one["factor"] > _FAR]
    if far:
        named = ", ".join(
            f"{'group' if one['of'] == 'groups' else 'panel'} {one['number']}" for one in far
        )
        lines.append(f"Deviate by far more than the others of their level: {named}.")
    return [Sentences("Typical deviations, which restrain each panel", tuple(lines))]


_FAR = 2.0
"""Width, relative to that of its level, from which a panel or group is named."""


def _name(level: View) -> str:
    return f"{level['of'].capitalize()} at level {level['level']}"
