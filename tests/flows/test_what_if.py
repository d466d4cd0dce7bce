"""The what-if table of a derivation: recorded on request, asked for again, used in comparisons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from calib.files.dials.dataset_write import write_dataset
from calib.flows.derive import DeriveRequest, derive
from calib.flows.diff import diff
from calib.flows.rederive import request_of
from calib.model.experiment.reflections import OUTLIER_BIT
from calib.model.result.what_if import Choice
from calib.model.store.record import CalibrationRecord, ChangeStamp
from calib.solve.options import Crystals, WhatIfRows
from calib.store.store import Store
from support.simulated import NIGHT_1, measured

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")
ON_REQUEST = {Choice.PHI, Choice.FLAGS, Choice.WITHOUT_FIRST, Choice.WITHOUT_LAST}


def choices(record: CalibrationRecord) -> set[Choice]:
    assert record.report.what_if is not None
    return {row.choice for row in record.report.what_if.rows}


def test_dear_rows_are_computed_on_request_and_the_model_counts_in_differences(
    store: Store, tmp_path: Path
) -> None:
    data = measured("night1", 150.0, NIGHT_1, seed=1, n_reflections=1500)
    flags = data.reflections.flags.copy()
    flags[::10] |= 1 << OUTLIER_BIT
    files = write_dataset(
        replace(data, reflections=replace(data.reflections, flags=flags)), tmp_path
    )
    brief = derive(DeriveRequest(files, crystals=Crystals.STATIC), store, STAMP).stored
    full = derive(
        DeriveRequest(files, crystals=Crystals.STATIC, what_if=WhatIfRows.FULL), store, STAMP
    ).stored
    assert brief is not None
    assert full is not None
    assert not choices(brief.record) & ON_REQUEST
    assert choices(full.record) - choices(brief.record) >= {Choice.PHI, Choice.FLAGS}
    assert brief.record.panels_id == full.record.panels_id
    assert "what_if" not in brief.record.parameters
    assert request_of(brief.record, files).what_if is WhatIfRows.BRIEF
    assert request_of(full.record, files).what_if is WhatIfRows.FULL
    found = diff(store, brief.name, full.name, serial=None, repeat_um=None).drift
    assert found.parts.model_um is not None
