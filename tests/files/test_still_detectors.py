"""Stills with detector models of their own, and stills that are described as scans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from calib.files.dials.pairing import load_datasets
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.experiment.dataset import Dataset
from calib.simulate.still import StillsPlan, simulated_stills
from support.pair_folder import POSE, Folder

N_STILLS = 3


@pytest.fixture(scope="module")
def stills() -> Dataset:
    layout = known_layout("PILATUS 2M")
    none, rng = Correction.none(len(layout)), np.random.default_rng(3)
    plan = StillsPlan(n_crystals=N_STILLS, n_reflections=30)
    return simulated_stills(rng, layout, none, POSE, plan, "stills").dataset


def copied(content: dict[str, Any]) -> None:
    """Each experiment has a copy of the detector model."""
    content["detector"] = content["detector"] * len(content["experiment"])
    for index, entry in enumerate(content["experiment"]):
        entry["detector"] = index


def moved_away(content: dict[str, Any]) -> None:
    """The same, with that of the last experiment 1 um away."""
    copied(content)
    away = {**content["detector"][-1]}
    away["panels"] = [dict(panel) for panel in away["panels"]]
    for panel in away["panels"]:
        panel["origin"] = [panel["origin"][0] + 1e-3, *panel["origin"][1:]]
    content["detector"][-1] = away


def short_scans(content: dict[str, Any], n_images: int = 1) -> None:
    content["scan"] = [
        {
            "image_range": [1, n_images],
            "batch_offset": 0,
            "oscillation": [0.0, 0.1],
            "exposure_time": [0.1] * n_images,
            "epochs": [0.0] * n_images,
        }
    ]
    for entry in content["experiment"]:
        entry["scan"] = 0


def test_detector_models_of_stills_that_state_the_same_panels_are_one(
    stills: Dataset, folder: Folder
) -> None:
    (found,) = load_datasets([folder.expt(stills, copied), folder.refl(stills)])
    assert found.name == "stills"
    assert len(np.unique(found.reflections.experiment)) == N_STILLS
    assert len(found.reflections) == len(stills.reflections)


def test_detector_models_that_differ_are_apart(stills: Dataset, folder: Folder) -> None:
    paths = [folder.expt(stills, moved_away), folder.refl(stills)]
    names = [one.name for one in load_datasets(paths)]
    assert names == ["stills[detector 0]", "stills[detector 2]"]


def test_detector_models_of_scans_are_apart(first: Dataset, folder: Folder) -> None:
    """Each scan may have its own pose, also if the files state the same one."""

    def doubled(content: dict[str, Any]) -> None:
        content["experiment"].append({**content["experiment"][0], "identifier": "other"})
        copied(content)

    (found,) = load_datasets([folder.expt(first, doubled), folder.refl(first)])
    assert not found.experiments.stills.any()
    assert any("detector 1 of first.expt has no indexed" in text for text in found.notices)


def test_one_image_without_a_goniometer_is_a_still(stills: Dataset, folder: Folder) -> None:
    refl = folder.refl(stills)
    (found,) = load_datasets([folder.expt(stills, short_scans), refl])
    assert found.experiments.stills.all()
    two_images = folder.expt(stills, lambda content: short_scans(content, 2))
    (found,) = load_datasets([two_images, refl])
    assert not found.experiments.stills.any()
