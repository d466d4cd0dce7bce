"""Flags of outliers that a derivation obeys: recorded, and obeyed again by ``rederive``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calib.errors import InputError
from calib.files.dials.dataset_write import write_dataset
from calib.flows.derive import DeriveRequest, derive
from calib.flows.rederive import request_of
from calib.model.experiment.reflections import OUTLIER_BIT
from calib.model.store.record import CalibrationRecord, ChangeStamp
from calib.solve.options import Crystals
from calib.store.store import Store
from support.simulated import NIGHT_1, measured

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")


def test_flags_that_are_obeyed_are_recorded_and_obeyed_again(store: Store, tmp_path: Path) -> None:
    """Reflections that are flagged without reason are used unless flags are obeyed."""
    data = measured("night1", 150.0, NIGHT_1, seed=1, n_reflections=1500)
    flags = data.reflections.flags.copy()
    flags[::10] |= 1 << OUTLIER_BIT
    reflections = replace(data.reflections, flags=flags)
    files = write_dataset(replace(data, reflections=reflections), tmp_path)

    def derived(**options: bool) -> CalibrationRecord:
        request = DeriveRequest(files, crystals=Crystals.STATIC, **options)  # type: ignore[arg-type]
        return derive(request, store, STAMP, dry_run=True).record

    plain, obeyed = derived(), derived(obey_flags=True)
    considered, left_out = (one.report.datasets[0] for one in (plain, obeyed))
    assert considered.n_readmitted > 0
    assert left_out.n_readmitted == 0
    assert left_out.n_flagged == len(flags[::10])
    assert "obey_flags" not in plain.parameters
    assert request_of(obeyed, files).obey_flags
    assert not request_of(plain, files).obey_flags
    with pytest.raises(InputError, match="both ignored and obeyed"):
        derived(ignore_flags=True, obey_flags=True)
