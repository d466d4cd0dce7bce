"""The results of the campaign as JSON and as a table in Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from math import isfinite, sqrt
from pathlib import Path
from typing import Any

from benchmarks.truth.cases import CASES, ROWS, Case
from benchmarks.truth.catalogue import CATALOGUE, NOTHING
from benchmarks.truth.outcome import Outcome, Verdict

_BY_NAME = {case.name: case for case in (*CASES, *ROWS)}
_TOO_WIDE = 2.0
"""An accepted calibration may not state uncertainties this many times those without the effect."""
_EFFECTS = (
    "| effect | cases | sound | warned | refused | error | silent | error / sigma |",
    "|---|---|---|---|---|---|---|---|",
)
_ROWS = (
    "| case | verdict | um in plane / out / seen | sigmas | target px before | after | "
    "worst shell | codes |",
    "|---|---|---|---|---|---|---|---|",
)


def merged(path: Path, new: Sequence[Outcome]) -> list[Outcome]:
    """The new outcomes and those of other cases that ``path`` has, in the order of the campaign."""
    old = read(path) if path.exists() else []
    found = {outcome.name: outcome for outcome in (*old, *new)}
    return [found[name] for name in _BY_NAME if name in found]


def read(path: Path) -> list[Outcome]:
    """The outcomes in a file that ``write`` wrote."""
    known = {field.name for field in fields(Outcome)}
    out = []
    for row in json.loads(path.read_text(encoding="utf-8"))["outcomes"]:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in row.items()
            if key in known
        }
        numbers: dict[str, Any] = {
            key: float("nan") for key, value in values.items() if value is None
        }
        out.append(Outcome(**{**values, **numbers}))
    return out


def write(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write ``truth.json`` and ``truth.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_plain(asdict(outcome)) for outcome in outcomes]
    content = {"format": "calib/truth/1", "outcomes": rows}
    (folder / "truth.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "truth.md").write_text("\n".join(page(outcomes)) + "\n", encoding="utf-8")


def page(outcomes: Sequence[Outcome]) -> list[str]:
    """The table in Markdown: a summary, one line for each effect, one line for each case."""
    counted = [one for one in outcomes if one.name in {case.name for case in CASES}]
    nothing = [one for one in counted if one.effect == NOTHING.name]
    silent = sum(one.verdict == Verdict.SILENT for one in counted)
    alarms = sum(one.verdict == Verdict.ALARM for one in nothing)
    lines = [
        f"{len(counted)} of {len(CASES)} derivations: {silent} silent failures; {alarms} of "
        f"{len(nothing)} sound data refused or warned of; {len(too_wide(outcomes))} accepted with "
        "uncertainties that are twice those without the effect.",
        "",
        *_EFFECTS,
    ]
    for entry in (NOTHING, *CATALOGUE):
        mine = [one for one in counted if one.effect == entry.name]
        if mine:
            counts = [sum(one.verdict == verdict for one in mine) for verdict in _COLUMNS]
            cells = [entry.name, len(mine), *counts, pooled(mine)]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", *_ROWS]
    lines += [_row(one) for one in outcomes]
    return lines


_COLUMNS = (Verdict.SOUND, Verdict.WARNED, Verdict.REFUSED, Verdict.FAILED, Verdict.SILENT)


def pooled(outcomes: Sequence[Outcome]) -> str:
    """Root mean square of error over sigma of the accepted cases, as text."""
    accepted = [one.sigmas for one in outcomes if one.accepted]
    return f"{sqrt(sum(s**2 for s in accepted) / len(accepted)):.2f}" if accepted else "-"


def too_wide(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Accepted cases whose uncertainties are over twice those of the same data without effects."""
    plain: dict[tuple[object, ...], float] = {}
    for one in outcomes:
        case = _BY_NAME.get(one.name)
        if case is not None and one.effect == NOTHING.name and isfinite(one.sigma_um):
            plain.setdefault(_same(case, one), one.sigma_um)
    out = []
    for one in outcomes:
        case = _BY_NAME.get(one.name)
        usual = plain.get(_same(case, one)) if case is not None else None
        if one.accepted and usual is not None and one.sigma_um > _TOO_WIDE * usual:
            out.append(one)
    return out


def _same(case: Case, outcome: Outcome) -> tuple[object, ...]:
    return (*case.combination, outcome.freedom)


def _row(one: Outcome) -> str:
    errors = f"{one.in_plane_um:.1f} / {one.normal_um:.1f} / {one.seen_um:.1f}"
    before, after = ("/".join(f"{v:.3f}" for v in px) for px in (one.before_px, one.after_px))
    cells = [
        one.name,
        one.verdict if one.accepted or one.verdict != Verdict.ALARM else f"{one.verdict} (draft)",
        errors,
        f"{one.sigmas:.1f}",
        before,
        after,
        f"{one.worst_ratio:.2f}" + (" worse" if one.worse_shells else ""),
        " ".join(one.codes) or "-",
    ]
    return "| " + " | ".join(cells) + " |"


def _plain(row: dict[str, object]) -> dict[str, object]:
    """With None for NaN, also in pairs: JSON has no NaN."""

    def number(value: object) -> object:
        if isinstance(value, tuple):
            return [number(part) for part in value]
        return None if isinstance(value, float) and not isfinite(value) else value

    return {key: number(value) for key, value in row.items()}
