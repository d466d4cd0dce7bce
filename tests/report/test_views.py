"""Views: whatever the model admits can be shown, to scripts and to people."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from calib.model.detector.correction import Freedom, PanelStatus
from calib.model.result.report import Halves
from calib.model.store.record import CalibrationRecord, DetectorRecord, State, StoredCalibration
from calib.report.applications import application_table, application_view
from calib.report.blocks import (
    Block,
    Facts,
    Figure,
    Sentences,
    Table,
    at_second,
    fixed,
    general,
    span,
)
from calib.report.calibration.derived import derived_blocks, derived_summary, derived_view
from calib.report.calibration.listing import list_table
from calib.report.calibration.stored import stored_blocks, stored_view
from calib.report.certifications import certification_view
from calib.report.detector.detectors import detector_facts, detector_view, panel_frames_view
from calib.report.scalar import instant, number
from calib_cli.rendering import render
from support.records import (
    INSTANTS,
    NOON,
    SERIAL,
    STAMPS,
    application,
    calibration,
    certification,
    derivations,
    detector,
    stamp,
)


def stored(record: CalibrationRecord, version: int = 3) -> StoredCalibration:
    """A record as a store would give it back."""
    return StoredCalibration(record, record.id, version, stamp(), State.ACCEPTED, (NOON,))


def derived(record: CalibrationRecord, *, kept: bool = True) -> dict[str, Any]:
    """What ``calib derive`` would answer."""
    return derived_view(
        record,
        stored(record) if kept else None,
        new=True,
        detector_registered=False,
        freedom_reason="asked for",
        notices=(),
        seconds=0.1234567,
    )


def plain(value: Any) -> Any:
    """The value after a way through JSON, which knows neither NaN nor infinity."""
    return json.loads(json.dumps(value, allow_nan=False))


def check_blocks(blocks: list[Block]) -> None:
    """Every row has a text for every column."""
    assert blocks
    for block in blocks:
        if isinstance(block, Table):
            assert {len(row) for row in block.rows} <= {len(block.columns)}
            assert all(isinstance(text, str) for row in block.rows for text in row)
        elif isinstance(block, Facts):
            assert all(label and shown for label, shown in block.rows)
        elif isinstance(block, Figure):
            assert block.title
            assert block.caption
        else:
            assert all(block.lines)


@given(derivations(SERIAL), STAMPS, st.none() | INSTANTS)
def test_whatever_the_model_admits_can_be_shown(
    pair: tuple[DetectorRecord, CalibrationRecord], by: Any, start: datetime | None
) -> None:
    drawn, record = pair
    assume(np.abs(record.estimate.correction.values).max() < 1e300)  # else mrad are infinite
    kept = StoredCalibration(
        record, record.id, 3, by, State.DRAFT, () if start is None else (start,)
    )
    shown = stored_view(kept, [certification(kept)], 2)
    for view in (derived(record), derived(record, kept=False), shown, detector_view(drawn)):
        assert plain(view) == view
    assert plain(panel_frames_view(drawn)) == panel_frames_view(drawn)
    for whole in (False, True):
        check_derived = derived_blocks(derived(record), all_panels=whole)
        assert any(isinstance(block, Table) for block in check_derived)
        assert stored_blocks(shown, all_panels=whole)


def test_what_is_shown_of_a_calibration_is_complete() -> None:
    record = calibration(n_panels=3)
    for blocks in (
        derived_blocks(derived(record), all_panels=False),
        stored_blocks(stored_view(stored(record), [certification(stored(record))], 2),
                     all_panels=False),
        [detector_facts(detector_view(detector()))],
        [application_table([application_view(application(stored(record)))])],
    ):  # fmt: skip
        check_blocks(list(blocks))


def test_a_dry_run_has_a_verdict_and_no_version() -> None:
    for accepted, state in ((True, "accepted"), (False, "draft")):
        record = calibration(accepted=accepted)
        head = derived(record, kept=False)["calibration"]
        assert (head["version"], head["state"], head["id"]) == (None, state, record.id)


@pytest.mark.parametrize("freedom", Freedom)
def test_fixed_parameters_are_zero_without_sigma(freedom: Freedom) -> None:
    names = np.array(["dx_mm", "dy_mm", "dz_mm", "rx_mrad", "ry_mrad", "rz_mrad"])
    held = set(np.delete(names, list(freedom.free)))
    for panel in derived(calibration(freedom=freedom))["panels"]:
        assert {key for key in names if panel["sigma"][key] is None} == held
        assert all(panel[key] == 0.0 for key in held)
        assert all(panel[key] != 0.0 for key in set(names) - held)


def test_shifts_are_in_mm_and_rotations_in_mrad() -> None:
    record = calibration()
    values, sigma = record.estimate.correction.values, record.estimate.sigma
    panel = derived(record)["panels"][1]
    assert panel["dy_mm"] == values[1, 1]
    assert panel["rx_mrad"] == 1e3 * values[1, 3]
    assert panel["sigma"]["dz_mm"] == sigma[1, 2]
    assert panel["sigma"]["rz_mrad"] == pytest.approx(1e3 * sigma[1, 5])


def test_every_number_is_under_its_own_key() -> None:
    """All numbers of the record differ, so that none can stand in for another."""
    record = calibration()
    report = replace(record.report, halves=Halves(3, 1.5, 2.5, 1.02))
    view = derived(replace(record, report=report))
    assert view["halves"] == asdict(Halves(3, 1.5, 2.5, 1.02))
    assert view["convergence"] == asdict(report.convergence)
    alone, other = report.datasets
    assert view["datasets"][0]["left_out_rmsd_px"] is None
    for both, shown in (
        (alone.rmsd, view["datasets"][0]["rmsd_px"]),
        (other.left_out, view["datasets"][1]["left_out_rmsd_px"]),
        (report.shells[0].held_out, view["shells"][0]["held_out_rmsd_px"]),
    ):
        assert both is not None
        assert shown == {
            "before": {"x": both.before.rms_x_px, "y": both.before.rms_y_px},
            "after": {"x": both.after.rms_x_px, "y": both.after.rms_y_px},
        }
    fit = report.overall
    for kind, both in (("used", fit.used), ("held_out", fit.held_out)):
        assert both is not None
        assert view["n_reflections"][kind] == both.after.n
        for stage, spread in (("before", both.before), ("after", both.after)):
            assert view["rmsd_px"][stage][kind] == {"x": spread.rms_x_px, "y": spread.rms_y_px}
            assert view["median_abs_px"][stage][kind] == {
                "x": spread.median_abs_x_px,
                "y": spread.median_abs_y_px,
            }
            assert view["phi_mrad"][stage][kind] == {
                "rmsd": spread.rms_phi_mrad,
                "median_abs": spread.median_abs_phi_mrad,
            }


def titles(blocks: list[Block]) -> list[str]:
    return [block.title for block in blocks if isinstance(block, Table | Sentences)]


def test_of_many_panels_sparse_ones_are_listed_and_unmeasured_ones_named() -> None:
    record = calibration(n_panels=60)
    status = record.estimate.status
    blocks = derived_blocks(derived(record), all_panels=False)
    (table,) = (b for b in blocks if isinstance(b, Table) and b.title == "Sparse panels")
    assert [row[2] for row in table.rows] == ["sparse"] * status.count(PanelStatus.SPARSE)
    (shown,) = (
        line
        for block in blocks
        if isinstance(block, Sentences)
        for line in block.lines
        if line.startswith("Without data")
    )
    named: set[int] = set()
    for run in shown.rpartition(": ")[2].rstrip(".").split(", "):
        first, _, last = run.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == {k for k, one in enumerate(status) if one is PanelStatus.UNMEASURED}
    whole = derived_blocks(derived(record), all_panels=True)
    assert "Panels" in titles(whole)
    assert "Sparse panels" not in titles(whole)


def test_the_verdict_and_undetermined_directions_are_shown() -> None:
    assert "Accepted" in titles(derived_blocks(derived(calibration()), all_panels=False))
    draft = calibration(accepted=False)
    draft = replace(draft, report=replace(draft.report, null_directions=("beam tilt",)))
    blocks = derived_blocks(derived(draft), all_panels=False)
    assert "Not accepted (draft)" in titles(blocks)
    assert ("beam tilt",) in [b.lines for b in blocks if isinstance(b, Sentences)]


def test_a_list_has_a_line_per_calibration_with_numbers_on_the_right() -> None:
    table = list_table([])
    assert (table.rows, table.columns[table.n_text :]) == ((), ("distances", "reflections"))


def test_a_withdrawn_certification_says_by_whom_and_why() -> None:
    kept = stored(calibration())
    view = certification_view(certification(kept))
    assert (view["number"], view["withdrawn"], view["override"]) == (None, None, None)
    gone = replace(certification(kept), number=7, withdrawn=stamp(), withdrawn_reason="moved")
    view = certification_view(gone)
    assert view["number"] == 7
    assert view["withdrawn"] == {
        "at": "2026-03-01T12:00:00Z",
        "by": "ada",
        "host": "beamline",
        "reason": "moved",
    }


def test_times_are_shown_in_utc() -> None:
    tokyo = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=9)))
    assert instant(tokyo) == "2026-03-01T00:30:00Z"
    assert instant(None) is None
    assert instant(datetime(2026, 3, 1, 0, 0, 0, 250_000, UTC)) == "2026-03-01T00:00:00.250000Z"
    assert at_second("2026-03-01T00:00:00.250000Z") == "2026-03-01 00:00:00 UTC"
    assert span("2026-03-01T00:00:00Z", None) == "2026-03-01 00:00:00 UTC until further notice"


def test_a_number_that_is_none_is_a_dash() -> None:
    assert [number(x) for x in (math.nan, math.inf, -math.inf, None, 1)] == [None] * 4 + [1.0]
    assert [fixed(None, 2), general(None), at_second(None)] == ["-"] * 3
    assert (fixed(0.12345, 3), general(1234.5, 3)) == ("0.123", "1.23e+03")


def test_the_summary_of_a_derivation_fits_on_one_screen() -> None:
    """24 lines of 80 columns, less the three that the command prints on stderr."""
    record = calibration(n_panels=60, distances_mm=(150.0, 265.0))
    blocks = derived_summary(derived(record))
    text = render(blocks, coloured=False, width=80)
    assert len(record.report.datasets) == 2
    assert len(text.splitlines()) <= 21
    assert titles(blocks)[:2] == ["Accepted", "RMSD in px before and after the corrections"]
