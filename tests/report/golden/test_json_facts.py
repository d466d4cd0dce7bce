"""What scripts read: each number under its key, in the unit that the key names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.result.report import BeforeAfter
from calib.model.store.record import ChangeStamp
from support.asymmetric import calibrations, certified, detector, drifts, recorded
from support.asymmetric.cases import CASES

KEYS = ("dx_mm", "dy_mm", "dz_mm", "rx_mrad", "ry_mrad", "rz_mrad")
PER_INTERNAL = (1.0, 1.0, 1.0, 1e3, 1e3, 1e3)


def view(name: str) -> Any:
    return CASES[name]().view


def check_motion(shown: Mapping[str, Any], values: Floats, sigma: Floats) -> None:
    """Six parameters (mm and rad) in mm and mrad."""
    for k, key in enumerate(KEYS):
        if np.isnan(sigma[k]):
            assert shown["sigma"][key] is None
        else:
            assert shown[key] == pytest.approx(PER_INTERNAL[k] * values[k], rel=1e-12)
            assert shown["sigma"][key] == pytest.approx(PER_INTERNAL[k] * sigma[k], rel=1e-12)


def check_same_names(shown: Mapping[str, Any], value: Any, *but: str) -> None:
    """Each field stands under its own name, tuples as lists."""
    for field in fields(value):
        if field.name not in but:
            own = getattr(value, field.name)
            assert shown[field.name] == (list(own) if isinstance(own, tuple) else own)


def check_before_after(shown: Any, both: BeforeAfter | None) -> None:
    if both is None:
        assert shown is None
        return
    for stage, spread in (("before", both.before), ("after", both.after)):
        assert shown[stage] == {"x": spread.rms_x_px, "y": spread.rms_y_px}


def check_stamp(shown: Mapping[str, Any], stamp: ChangeStamp) -> None:
    assert shown["at"] == stamp.at.isoformat().replace("+00:00", "Z")
    assert (shown["by"], shown["host"]) == (stamp.actor, stamp.host)


@pytest.mark.parametrize("name", ["derived", "derived-draft"])
def test_each_panel_has_its_own_values_counts_and_residuals(name: str) -> None:
    record = calibrations.wide() if name == "derived" else calibrations.narrow()
    found, report = record.estimate, record.report
    for panel, shown in enumerate(view(name)["panels"]):
        assert (shown["panel"], shown["name"]) == (panel, record.panel_names[panel])
        assert shown["n_reflections"] == found.n_reflections[panel]
        check_motion(shown, found.correction.values[panel], found.sigma[panel])
        assert shown["n_rejected"] == report.rejected_on_panel[panel]
        flagged = report.flagged_on_panel
        assert shown["n_flagged"] == (flagged[panel] if panel < len(flagged) else None)
        for kind in ("used", "held_out"):
            both = getattr(report.panels[panel], kind)
            own = {stage: shown["rmsd_px"][stage][kind] for stage in ("before", "after")}
            check_before_after(None if both is None else own, both)


def test_each_group_has_its_own_values_in_mm_and_mrad() -> None:
    for group, shown in zip(
        calibrations.wide_report().groups, view("derived")["groups"], strict=True
    ):
        assert (shown["name"], shown["level"]) == (group.name, group.level)
        assert shown["panels"] == list(group.panels)
        sigma = np.array(group.sigma, dtype=np.float64)
        check_motion(shown, np.array(group.values), sigma)


def test_each_panel_of_a_difference_has_its_own_shift() -> None:
    found, shown = drifts.wide(), view("difference")
    assert (shown["first"], shown["second"]) == ("W-14:3", "W-14:4")
    assert shown["shared_data"] == {"first": found.shared[0], "second": found.shared[1]}
    assert shown["sigma_um"] == {"noise": 3.17, "repeatability": 7.29, "model": 5.41}
    assert shown["repeatability_um"] == pytest.approx(4.7)
    assert shown["moved_panels"] == list(found.moved)
    assert shown["largest_motion_um"] == pytest.approx(1e3 * np.nanmax(found.motion_mm))
    assert shown["chi_square"] == found.chi_square
    assert shown["degrees_of_freedom"] == found.degrees_of_freedom
    assert shown["p_value"] == found.p_value
    for panel, own in enumerate(shown["panels"]):
        assert own["moved"] == (panel in found.moved)
        assert own["chi_square"] == found.panel_chi_square[panel]
        assert own["degrees_of_freedom"] == found.panel_degrees[panel]
        assert own["p_value"] == found.panel_p_value[panel]
        assert own["p_value_holm"] == found.panel_p_holm[panel]
        if panel in found.compared:
            assert own["motion_um"] == pytest.approx(1e3 * found.motion_mm[panel])
            check_motion(own, found.shift[panel], found.sigma[panel])


def test_each_part_of_a_report_has_its_fields_under_their_names() -> None:
    report, shown = calibrations.wide_report(), view("derived")
    assert report.halves is not None
    check_same_names(shown["halves"], report.halves)
    check_same_names(shown["convergence"], report.convergence)
    for misfit, own in zip(report.misfits, shown["misfits"], strict=True):
        check_same_names(own, misfit)
    for disagreement, own in zip(report.disagreements, shown["disagreements"], strict=True):
        check_same_names(own, disagreement)
    for mode, own in zip(report.weak_modes, shown["weak_modes"], strict=True):
        check_same_names(own, mode)
    for use, own in zip(report.datasets, shown["datasets"], strict=True):
        assert use.influence is not None
        check_same_names(own["influence"], use.influence)
        check_before_after(own["rmsd_px"], use.rmsd)
        check_before_after(own["left_out_rmsd_px"], use.left_out)
        assert list(own["weight_scale"].items()) == list(
            zip(("x", "y", "phi"), use.weight_scale, strict=True)
        )
        check_same_names(
            own, use, "rmsd", "left_out", "weight_scale", "influence", "sample_root_mm", "halves"
        )
    names = [use.name for use in report.datasets]
    halves = [
        replace(one.halves, datasets=(k,))
        for k, one in enumerate(report.datasets)
        if one.halves is not None
    ]
    for found, own in zip([*halves, *report.comparisons], shown["comparisons"], strict=True):
        assert own["datasets"] == [names[place] for place in found.datasets]
        check_same_names(own, found, "datasets")
    assert report.repeatability is not None
    check_same_names(shown["repeatability"], report.repeatability)
    wrong, structure, noise, *others = shown["warnings"]
    assert wrong == {"code": "datasets-disagree", "dataset": "night2", "panel": 11, "size": 43.1}
    assert report.structure is not None
    most = max(report.datasets, key=lambda use: use.n_reflections).name
    assert (structure["code"], structure["dataset"]) == ("panel-structure", most)
    assert (structure["panel"], structure["size"]) == (13, report.structure.sizes_px[13])
    assert (noise["code"], noise["dataset"]) == ("correlated-noise", report.datasets[1].name)
    assert noise["size"] == pytest.approx(1.9)
    assert noise["panel"] is None
    slips = [one["size"] for one in others if one["code"] == "slip"]
    assert slips == [angle for use in report.datasets for angle in use.slips_deg]
    assert [one["dataset"] for one in others if one["code"] == "misindexed"] == [
        misfit.name for misfit in report.misfits
    ]
    (moving,) = (one for one in others if one["code"] == "depends-on-crystals")
    assert (moving["dataset"], moving["panel"], moving["size"]) == (None, 4, 33.1)
    assert report.what_if is not None
    for row, own in zip(report.what_if.rows, shown["what_if"]["rows"], strict=True):
        assert own["datasets"] == [names[place] for place in row.datasets]
        assert own["panel_name"] == shown["panels"][row.panel]["name"]
        assert own["named"] == row.is_named
        check_same_names(own, row, "datasets", "panel_name", "named")
    assert shown["what_if"]["n_model_displacements"] == 2
    assert shown["sigma_um"] == {"noise": 2.97, "repeatability": 4.21, "model": 1.13}
    assert shown["structure"]["panels"] == [11, 13, 12]
    assert shown["structure"]["sizes_px"] == list(report.structure.sizes_px)
    assert shown["structure"]["margin_px"] == report.structure.margin_px
    assert shown["structure"]["variance_ratios"] == list(report.structure.excess)
    for shell, own in zip(report.shells, shown["shells"], strict=True):
        assert own["n_held_out"] == shell.held_out.after.n
        check_before_after(own["held_out_rmsd_px"], shell.held_out)
        check_same_names(own, shell, "held_out")
    assert report.determined is not None
    assert list(shown["determined"]["data_share"].values()) == list(report.determined.parameters)
    assert list(shown["determined"]["data_share"]) == ["dx", "dy", "dz", "rx", "ry", "rz"]


def test_a_certification_has_its_own_times_distances_and_authors() -> None:
    for one, shown in zip(
        certified.certifications(), view("certified")["certifications"], strict=True
    ):
        assert shown["min_distance_mm"] == one.distances.minimum_mm
        assert shown["max_distance_mm"] == one.distances.maximum_mm
        assert shown["from"] == one.validity.start.isoformat().replace("+00:00", "Z")
        assert (shown["to"] is None) == (one.validity.end is None)
        assert shown["gap_mm"] == one.gap_mm
        check_stamp(shown["recorded"], one.recorded)
        if one.withdrawn is not None:
            check_stamp(shown["withdrawn"], one.withdrawn)
            assert shown["withdrawn"]["reason"] == one.withdrawn_reason
    for change, shown in zip(certified.changes(), view("certified")["changes"], strict=True):
        for key, own in (("before", change.before), ("after", change.after)):
            named = None if shown[key] is None else shown[key]["calibration"]
            assert named == (None if own is None else f"{own.serial}:{own.version}")


def test_ages_and_gaps_are_in_days() -> None:
    for name, expected in (
        ("resolution", (29.25, 6.25, 0)),
        ("resolution-future", (-43.25, 0, 59.5)),
    ):
        shown = view(name)
        found = tuple(shown[key] for key in ("age_days", "distance_gap_mm", "time_gap_days"))
        assert found == expected


def test_a_panel_s_history_keeps_what_was_known_then_and_now_apart() -> None:
    shown = view("panel-history")
    assert shown["then"]["as_known_at"]["position"] == recorded.KNOWN_THEN.position
    assert shown["now"]["as_known_at"]["position"] == recorded.KNOWN_NOW.position
    assert [held["calibration"] for held in shown["then"]["held"]] == ["W-14:4"]
    assert [held["calibration"] for held in shown["now"]["held"]] == ["W-14:6", "W-14:4"]


def test_a_nominal_panel_has_its_own_axes() -> None:
    layout = detector.wide().layout
    for panel, shown in enumerate(view("detector")["panels"]):
        assert shown["origin_mm"] == layout.frames.origin_mm[panel].tolist()
        assert shown["fast_axis"] == layout.frames.rotation[panel, :, 0].tolist()
        assert shown["slow_axis"] == layout.frames.rotation[panel, :, 1].tolist()
        assert shown["size_px"] == list(layout.panels[panel].size_px)
        assert shown["pixel_mm"] == list(layout.panels[panel].pixel_mm)


def test_a_file_has_its_own_inputs_and_outputs() -> None:
    for one, shown in zip(certified.applications(), view("applications"), strict=True):
        assert shown["input_sha256"] == list(one.input_sha256)
        assert shown["output_sha256"] == list(one.output_sha256)
        assert shown["distance_mm"] == one.distance_mm
        check_stamp(shown["applied"], one.applied)


def test_a_summary_counts_both_halves() -> None:
    (shown,) = view("summaries")
    assert shown["n_on_panel"] == [214, 414, 620, 0, 828]
    assert (shown["chi_square"], shown["n_data"], shown["n_nuisance"]) == (54_321.75, 56_789.5, 19)
    check_before_after(shown["rmsd_px"], recorded.summary().statement.use.rmsd)


def test_an_upgrade_says_from_which_revision_to_which() -> None:
    shown = view("backup")
    assert (shown["upgrade"]["before"], shown["upgrade"]["after"]) == ("0011", "0013")
    assert shown["backup"]["size_bytes"] == 12_345_678
