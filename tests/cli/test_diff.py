"""calib diff: the verdict and the exit code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.files.dials.dataset_write import write_dataset
from calib.model.detector.correction import Correction
from support.commands import calib, done
from support.simulated import LATER, TRUTH, measured


def test_an_unchanged_detector_passes(here: Path) -> None:
    """They were taken at two distances with the panels held in their planes."""
    answer = calib("diff", "24-0107:1", "24-0107:2", "--json")
    assert (answer.code, answer.json["verdict"]) == (0, "same")
    text = done("diff", "24-0107:1", "24-0107:2").stdout
    assert "24-0107:2 with 24-0107:1" in text
    assert "Rms motion of each panel" in text


def test_a_moved_panel_is_named_and_the_exit_code_is_1(here: Path) -> None:
    values = TRUTH.values.copy()
    values[1, :2] += np.array([0.04, -0.03])
    moved = measured("night3", 150.0, LATER, seed=9, truth=Correction(values))
    write_dataset(moved, here)
    done("derive", "night3.expt", "night3.refl")
    answer = calib("diff", "24-0107:1", "24-0107:4", "--json")
    assert answer.code == 1
    assert (answer.json["verdict"], answer.json["moved_panels"]) == ("panel replaced", [1])
    shown = calib("diff", "24-0107:1", "24-0107:4", "--panels")
    assert shown.code == 1
    assert "panel replaced: panel 1" in shown.stdout
    lenient = calib("diff", "24-0107:1", "24-0107:4", "--repeat-um", "100")
    assert lenient.code == 0


def test_a_combination_is_compared_with_its_parts_without_their_common_data(here: Path) -> None:
    answer = calib("diff", "24-0107:1", "24-0107:3", "--json").json
    assert answer["shared_data"]["first"] == 1.0
    assert 0.3 < answer["shared_data"]["second"] < 0.7
    assert "includes all data of the first one" in answer["notes"][0]


def test_calibrations_that_cannot_be_compared_are_refused(here: Path) -> None:
    done("detector", "add", "24-0999", "--layout", "PILATUS 300K")
    done("derive", "night1.expt", "night1.refl", "--serial", "24-0999", "--force-serial")
    for words, code in (
        (("24-0107:1", "24-0999:1"), "several-detectors"),
        (("24-0107:1", "24-0107:2", "--repeat-um", "-1"), "bad-repeatability"),
        (("24-0107:1", "24-0107:9"), "unknown-calibration"),
    ):
        assert calib("diff", *words, "--json").error["code"] == code
