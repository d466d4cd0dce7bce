"""Residuals before and after the corrections."""

from __future__ import annotations

from typing import Any

from calib.model.result.report import BeforeAfter, Fit, Shell, Spread
from calib.report.blocks import Table, View, fixed
from calib.report.scalar import number

STAGES = ("x before", "x after", "y before", "y after")
"""Heads of the columns that ``before_after_cells`` fills."""


def rmsd_px(fit: Fit) -> dict[str, Any]:
    """``{before: {used, held_out}, after: {used, held_out}}``, each ``{x, y}`` in px or None."""
    return _stages(fit, ("rms_x_px", "rms_y_px"))


def median_abs_px(fit: Fit) -> dict[str, Any]:
    """The median absolute residuals, in the shape of ``rmsd_px``."""
    return _stages(fit, ("median_abs_x_px", "median_abs_y_px"))


def phi_mrad(fit: Fit) -> dict[str, Any]:
    """``{before: {used, held_out}, after: ...}``, each ``{rmsd, median_abs}`` in mrad or None."""
    return {
        stage: {
            name: None
            if both is None
            else {
                "rmsd": number(_of(both, stage).rms_phi_mrad),
                "median_abs": number(_of(both, stage).median_abs_phi_mrad),
            }
            for name, both in (("used", fit.used), ("held_out", fit.held_out))
        }
        for stage in ("before", "after")
    }


def counts(fit: Fit) -> dict[str, int]:
    """Numbers of reflections used and held out."""
    return {
        "used": 0 if fit.used is None else fit.used.after.n,
        "held_out": 0 if fit.held_out is None else fit.held_out.after.n,
    }


def both_px(both: BeforeAfter | None) -> dict[str, Any] | None:
    """``{before: {x, y}, after: {x, y}}`` RMSD in px; None if there are no reflections."""
    if both is None:
        return None
    return {stage: _xy(_of(both, stage), ("rms_x_px", "rms_y_px")) for stage in ("before", "after")}


def _stages(fit: Fit, names: tuple[str, str]) -> dict[str, Any]:
    return {
        stage: {
            "used": None if fit.used is None else _xy(_of(fit.used, stage), names),
            "held_out": None if fit.held_out is None else _xy(_of(fit.held_out, stage), names),
        }
        for stage in ("before", "after")
    }


def _of(both: BeforeAfter, stage: str) -> Spread:
    return both.before if stage == "before" else both.after


def _xy(spread: Spread, names: tuple[str, str]) -> dict[str, float | None]:
    return {axis: number(getattr(spread, name)) for axis, name in zip("xy", names, strict=True)}


def shell_view(shell: Shell) -> dict[str, Any]:
    """RMSD in px of the reflections that were held out in one shell of resolution."""
    return {
        "d_max_angstrom": number(shell.d_max_angstrom),
        "d_min_angstrom": number(shell.d_min_angstrom),
        "n_held_out": shell.held_out.after.n,
        "held_out_rmsd_px": both_px(shell.held_out),
    }


def residual_table(view: View) -> Table:
    """RMSD and median absolute residuals, of the reflections used and of those held out."""
    rmsd, median, n = view["rmsd_px"], view["median_abs_px"], view["n_reflections"]
    rows = []
    for key, shown in (("used", "used"), ("held_out", "held out")):
        before, after = rmsd["before"][key], rmsd["after"][key]
        if after is None:
            continue
        middle = median["after"][key]
        rows.append(
            (
                shown,
                str(n[key]),
                *before_after_cells({"before": before, "after": after}),
                fixed(middle["x"], 3),
                fixed(middle["y"], 3),
            )
        )
    return Table(
        "RMSD in px before and after the corrections",
        ("subset", "number", *STAGES, "median |x|", "median |y|"),
        tuple(rows),
    )


def before_after_cells(rmsd_px: View) -> list[str]:
    """``{before: {x, y}, after: {x, y}}`` as four cells, in the order of ``STAGES``."""
    return [fixed(rmsd_px[stage][axis], 3) for axis in ("x", "y") for stage in ("before", "after")]
