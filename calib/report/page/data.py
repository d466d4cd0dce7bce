"""Sections of a report about the data: what was not used, and the influence of datasets."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import Figure, Sentences, Table, View, fixed
from calib.report.calibration.rejected import rejected_blocks
from calib.report.page.section import Section


def rejection_section(view: View) -> Section:
    """Figure 13: reflections that were not used, by panel and reason."""
    title = "Reflections that were not used"
    panels = [one for one in view["panels"] if one["n_rejected"] is not None]
    excluded = tuple(rejected_blocks(view["misfits"]))
    if not panels:
        words = "The record does not say how many reflections were rejected on each panel."
        return Section("unused", title, (Sentences("", (words,)), *excluded))
    shown = [
        {
            "panel": one["panel"],
            "rejected": _percent(one, "n_rejected"),
            "flagged": _percent(one, "n_flagged"),
            "words": f"Panel {one['panel']}: {one['n_reflections']} used, {one['n_rejected']} "
            f"rejected, {one['n_flagged'] or 0} flagged",
        }
        for one in panels
    ]
    worst = max(shown, key=lambda one: (one["rejected"], -int(str(one["panel"]))))
    used = sum(one["n_reflections"] for one in panels)
    rejected = sum(one["n_rejected"] for one in panels)
    flagged = sum(one["n_flagged"] or 0 for one in panels)
    caption = (
        f"{used} reflections were used; {rejected} were rejected as outliers, and {flagged} were "
        f"flagged in the files. The largest fraction was rejected on panel {worst['panel']}: "
        f"{fixed(float(str(worst['rejected'])), 1)} %."
    )
    figure = Figure("panel_rejections", title, caption, {"panels": shown})
    table = Table(
        title,
        ("panel", "used", "rejected", "flagged"),
        tuple(
            tuple(
                str(one[key] or 0) for key in ("panel", "n_reflections", "n_rejected", "n_flagged")
            )
            for one in panels
        ),
    )
    return Section("unused", title, (figure, table, *excluded))


def _percent(panel: View, key: str) -> float:
    unused = (panel["n_rejected"] or 0) + (panel["n_flagged"] or 0)
    return float(100.0 * (panel[key] or 0) / max(panel["n_reflections"] + unused, 1))


def influence_section(datasets: Sequence[View]) -> Section:
    """Figure 12: how far the solution moves without each dataset."""
    title = "Influence of the datasets"
    known = [
        {
            "place": place,
            "name": one["name"],
            **one["influence"],
            "words": f"{one['name']}: {one['influence']['rms_sigma']:.2f} sigma rms, at most "
            f"{one['influence']['largest_sigma']:.2f} sigma on panel {one['influence']['panel']}",
        }
        for place, one in enumerate(datasets)
        if one["influence"] is not None and one["influence"]["rms_sigma"] is not None
    ]
    if not known:
        words = "There is one dataset only, or the record has no influences: nothing to compare."
        return Section("influence", title, (Sentences("", (words,)),))
    most = max(known, key=lambda one: one["rms_sigma"])
    caption = (
        "How far the panels move if a dataset is omitted, in units of their uncertainty. The "
        f"largest influence has {most['name']}: {most['rms_sigma']:.2f} sigma rms, and "
        f"{most['largest_sigma']:.2f} sigma on panel {most['panel']}."
    )
    figure = Figure("dataset_influence", title, caption, {"datasets": known})
    table = Table(
        title,
        ("dataset", "rms sigma", "largest sigma", "panel"),
        tuple(
            (
                one["name"],
                fixed(one["rms_sigma"], 3),
                fixed(one["largest_sigma"], 3),
                str(one["panel"]),
            )
            for one in known
        ),
    )
    return Section("influence", title, (figure, table))
