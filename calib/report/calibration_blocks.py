"""Calibrations as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import (
    NONE,
    Block,
    Facts,
    Sentences,
    Table,
    View,
    at_second,
    distances,
    fixed,
    general,
)
from calib.report.certification_blocks import certification_table
from calib.report.determined_blocks import determined_blocks
from calib.report.misfit_blocks import misfit_blocks
from calib.report.motion_blocks import group_table, motion_cells, motion_headings, motion_keys

_FEW_PANELS = 12
"""So many panels are shown whole without being asked for."""
_STAGES = ("x before", "x after", "y before", "y after")


def derived_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """What a derivation found."""
    head = view["calibration"]
    facts = [
        ("Calibration", _title(head)),
        ("Freedom", f"{head['freedom']}: {view['freedom_reason']}"),
        *_common_facts(view),
    ]
    return [Facts(tuple(facts)), *_findings(view, all_panels=all_panels)]


def shown_blocks(view: View, *, all_panels: bool) -> list[Block]:
    """Everything that the store knows of a calibration."""
    head, stored = view["calibration"], view["stored"]
    taken = [at_second(time) for time in view["data_taken"]]
    options = ", ".join(f"{key}={_option(value)}" for key, value in view["parameters"].items())
    facts = [
        ("Calibration", _title(head)),
        ("Freedom", head["freedom"]),
        *_common_facts(view),
        ("Data taken", ", ".join(taken) or "unknown"),
        ("Stored", f"{at_second(stored['at'])} by {stored['by']} on {stored['host']}"),
        ("Made with", f"calib {view['code_version']}: {options}"),
        ("Applications", str(view["n_applications"])),
    ]
    certified = view["certifications"]
    return [
        Facts(tuple(facts)),
        *_findings(view, all_panels=all_panels),
        certification_table(certified) if certified else Sentences("", ("Not certified.",)),
    ]


def list_table(views: Sequence[View]) -> Table:
    """Calibrations, a line each."""
    return Table(
        "",
        ("calibration", "id", "state", "freedom", "stored", "by", "distances", "reflections"),
        tuple(
            (
                view["calibration"],
                view["id"][:12],
                view["state"],
                view["freedom"],
                at_second(view["stored"]["at"]),
                view["stored"]["by"],
                distances(view["distances_mm"]),
                str(view["n_reflections"]),
            )
            for view in views
        ),
        n_text=6,
    )


def _title(head: View) -> str:
    version = head["version"]
    name = f"{head['serial']} (not stored)" if version is None else f"{head['serial']}:{version}"
    return f"{name}  {head['state']}  {head['id'][:12]}"


def _common_facts(view: View) -> list[tuple[str, str]]:
    panels = view["panels"]
    tally = [
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
        ("Panels", f"{len(panels)}: {', '.join(tally)}"),
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
                "Halves",
                f"differ by {fixed(halves['rms_in_plane_um'], 1)} um in the plane"
                + ("" if normal is None else f", {fixed(normal, 1)} um along the normal")
                + f" (rms over {halves['n_panels']} panels)",
            )
        )
    return facts


def _findings(view: View, *, all_panels: bool) -> list[Block]:
    accepted = view["acceptance"]["accepted"]
    verdict = Sentences(
        "Accepted" if accepted else "Not accepted, kept as a draft",
        tuple(view["acceptance"]["reasons"]),
    )
    blind = view["null_directions"]
    weak = [f"{m['words']}: {fixed(m['sigma_um'], 1)} um" for m in view["weak_modes"]]
    return [
        _residual_table(view),
        _dataset_table(view["datasets"]),
        *misfit_blocks(view["misfits"]),
        *group_table(view["groups"]),
        *_panel_table(view, all_panels=all_panels),
        *determined_blocks(view["determined"]),
        *([Sentences("Not determined by these data", tuple(blind))] if blind else []),
        *([Sentences("Hardest to tell (one standard deviation)", tuple(weak))] if weak else []),
        *_disagreements(view["disagreements"]),
        verdict,
    ]


def _disagreements(views: Sequence[View]) -> list[Block]:
    """Distances compared pair by pair: a p-value near 0 says that no set describes both."""
    if not views:
        return []
    said = []
    for view in views:
        one, other = (fixed(distance, 0) for distance in view["distances_mm"])
        worst = min(range(len(view["panel_p_values"])), key=view["panel_p_values"].__getitem__)
        said.append(
            f"{one} and {other} mm: chi-square {fixed(view['chi_square'], 0)} of "
            f"{view['degrees_of_freedom']}, p {general(view['p_value'], 2)}; least alike panel "
            f"{worst}, p {general(view['panel_p_values'][worst], 2)}"
        )
    return [Sentences("Do the distances agree", tuple(said))]


def _residual_table(view: View) -> Table:
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
                *_before_after({"before": before, "after": after}),
                fixed(middle["x"], 3),
                fixed(middle["y"], 3),
            )
        )
    return Table(
        "RMSD in px, before and after",
        ("on", "number", *_STAGES, "med. |x|", "med. |y|"),
        tuple(rows),
    )


def _dataset_table(views: Sequence[View]) -> Table:
    return Table(
        "Datasets",
        ("dataset", "mm", "used", "rejected", "flagged", *_STAGES, "left out"),
        tuple(
            (
                view["name"],
                fixed(view["distance_mm"], 2),
                str(view["n_reflections"]),
                str(view["n_rejected"]),
                str(view["n_flagged"]),
                *_before_after(view["rmsd_px"]),
                _influence(view["influence"]),
            )
            for view in views
        ),
    )


def _influence(view: View | None) -> str:
    """How far the solution moves without a dataset."""
    return NONE if view is None else f"{fixed(view['rms_sigma'], 2)} sigma"


def _before_after(rmsd_px: View) -> list[str]:
    return [fixed(rmsd_px[stage][axis], 3) for axis in ("x", "y") for stage in ("before", "after")]


def _panel_table(view: View, *, all_panels: bool) -> list[Block]:
    """All panels; or, where they are many, those that lean on the prior."""
    panels = view["panels"]
    whole = all_panels or len(panels) <= _FEW_PANELS
    shown = [panel for panel in panels if whole or panel["status"] == "sparse"]
    keys = motion_keys(panels)
    blocks: list[Block] = []
    if shown:
        blocks.append(
            Table(
                "Panels" if whole else "Sparse panels",
                ("panel", "name", "status", "reflections", *motion_headings(keys)),
                tuple(
                    (
                        str(panel["panel"]),
                        panel["name"],
                        panel["status"],
                        str(panel["n_reflections"]),
                        *motion_cells(panel, keys),
                    )
                    for panel in shown
                ),
                n_text=3,
            )
        )
    said = []
    blind = [panel["panel"] for panel in panels if panel["status"] == "unmeasured"]
    if blind and not whole:
        said.append(f"Unmeasured, moving only with the rest: {_ranges(blind)}.")
    if len(shown) < len(panels):
        said.append("--panels lists every panel.")
    return [*blocks, Sentences("", tuple(said))] if said else blocks


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in words: 0-15, 18, 20-39."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _option(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return NONE if value is None else f"{value:g}" if isinstance(value, float) else str(value)
