"""Warnings: each cause has its code, documented and with a unit, and sound data have none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.truth.catalogue import CATALOGUE
from calib.model.detector.correction import PanelStatus
from calib.model.result.drift import UncertaintyParts
from calib.model.result.report import DatasetUse, Misfit, Structure
from calib.model.result.what_if import Choice, WhatIf, WhatIfRow
from calib.model.store.record import CalibrationRecord
from calib.report.calibration.warnings import WARNING_CODES, warning_views
from support.records import calibration

N = 4
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "warnings.md"
Change = Callable[[CalibrationRecord], CalibrationRecord]


def sound() -> CalibrationRecord:
    """A record without any cause of a warning."""
    record = calibration(n_panels=N)
    after = replace(
        record.report.datasets[0].rmsd.after,
        rms_x_px=0.11, rms_y_px=0.11, median_abs_x_px=0.07, median_abs_y_px=0.07,
    )  # fmt: skip
    datasets = tuple(
        replace(
            use,
            rmsd=replace(use.rmsd, after=after),
            weight_scale=(1.0, 1.2, 0.8),
            n_outliers_kept=0,
            slips_deg=(),
            disputed_panels=(),
            halves=None,
        )
        for use in record.report.datasets
    )
    report = replace(record.report, datasets=datasets, misfits=(), comparisons=(), structure=None)
    estimate = replace(
        record.estimate, status=(PanelStatus.MEASURED,) * N, n_reflections=np.full(N, 500)
    )
    return replace(record, report=report, estimate=estimate)


def of_dataset(**changes: object) -> Change:
    def changed(record: CalibrationRecord) -> CalibrationRecord:
        first, *others = record.report.datasets
        own: DatasetUse = replace(first, **changes)  # type: ignore[arg-type]
        return replace(record, report=replace(record.report, datasets=(own, *others)))

    return changed


def of_report(**changes: object) -> Change:
    return lambda record: replace(record, report=replace(record.report, **changes))  # type: ignore[arg-type]


def of_estimate(**changes: object) -> Change:
    return lambda record: replace(record, estimate=replace(record.estimate, **changes))  # type: ignore[arg-type]


def heavy(record: CalibrationRecord) -> CalibrationRecord:
    rmsd = record.report.datasets[0].rmsd
    return of_dataset(rmsd=replace(rmsd, after=replace(rmsd.after, rms_x_px=0.3)))(record)


MISFIT = Misfit("other", (), 3.0, 0.1, 0, 77)
STRUCTURE = Structure((0.0, 0.1, 0.0, 0.0), 0.0, (1,), (1.0, 1.0))
RIGID = Structure((0.0,) * N, 0.0, (), (1.0, 1.0))
FEW = PanelStatus.SPARSE


def depends_on(choice: Choice) -> Change:
    row = WhatIfRow(choice, 12.0, 3.0, 2, 21.0, 4.0, 100.0, 5, 1e-19)
    return of_report(what_if=WhatIf((row,), UncertaintyParts(1.0, 5.0, 0.0), ()))


CASES: list[tuple[str, Change, int | None, float]] = [
    ("panel-structure", of_report(structure=STRUCTURE), 1, 0.1),
    ("pixel-size", of_report(structure=replace(RIGID, stretch_ppm=300.0)), None, 300.0),
    (
        "correlated-noise",
        of_report(structure=Structure((0.0,) * N, 0.0, (), (4.0, 1.0))),
        None,
        2.0,
    ),
    ("disputed-panels", of_dataset(disputed_panels=(2, 3)), 2, 2.0),
    (
        "many-rejected",
        of_dataset(n_reflections=900, n_rejected=100, n_outliers_kept=100),
        None,
        0.2,
    ),
    ("heavy-tails", heavy, None, 2.18),
    ("variances", of_dataset(weight_scale=(1e-4, 1e-4, 1e-4)), None, 1e-4),
    ("slip", of_dataset(slips_deg=(12.5,)), None, 12.5),
    ("misindexed", of_report(misfits=(MISFIT,)), None, 77.0),
    ("partial-coverage", of_estimate(status=(PanelStatus.MEASURED, FEW, FEW, FEW)), None, 0.25),
    ("sparse-panel", of_estimate(n_reflections=np.array([500, 4, 3, 0])), 2, 3.0),
    ("depends-on-symmetry", depends_on(Choice.SYMMETRY_IMPOSED), 2, 21.0),
    ("depends-on-beam", depends_on(Choice.BEAM_FREED), 2, 21.0),
    ("depends-on-shift", depends_on(Choice.SHIFT_HELD), 2, 21.0),
    ("depends-on-crystals", depends_on(Choice.CRYSTALS_STATIC), 2, 21.0),
    ("depends-on-heights", depends_on(Choice.FULL), 2, 21.0),
    ("depends-on-phi", depends_on(Choice.PHI), 2, 21.0),
]


def test_sound_data_have_no_warning() -> None:
    assert warning_views(sound()) == []


@pytest.mark.parametrize(("code", "change", "panel", "size"), CASES, ids=[c[0] for c in CASES])
def test_each_cause_has_its_code(code: str, change: Change, panel: int | None, size: float) -> None:
    (found,) = warning_views(change(sound()))
    assert list(found) == ["code", "dataset", "panel", "size"]
    assert (found["code"], found["panel"]) == (code, panel)
    assert found["size"] == pytest.approx(size, rel=0.01)


def test_all_codes_are_documented_and_no_others() -> None:
    documented = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert documented == list(WARNING_CODES)
    disagree = [code for code in WARNING_CODES if code.endswith("-disagree")]
    assert disagree + [code for code, *_ in CASES] == list(WARNING_CODES)


def test_codes_that_fit_a_simulated_effect_exist() -> None:
    assert {code for entry in CATALOGUE for code in entry.codes} <= set(WARNING_CODES)
