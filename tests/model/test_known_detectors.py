"""Detector families: their files, and pyFAI's idea of the same detectors."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.errors import FileFormatError
from calib.model.detector.families import built_in
from calib.model.detector.known_detector import KnownDetector, read_family
from calib.model.detector.module_map import ModuleMap
from conftest import missing
from support.simulated import LAMBDA

HERE = Path(__file__).parent
PYFAI: dict[str, dict[str, Any]] = json.loads((HERE / "pyfai_detectors.json").read_text())
"""What ``pyfai_detectors.py`` printed with pyFAI 2026.9."""
GOOD = LAMBDA


def runs(modules: ModuleMap, axis: int) -> list[list[int]]:
    """The first and last pixel of each column or row of modules."""
    spans = {(box[axis], box[axis + 2] - 1) for box in modules.boxes_px.tolist()}
    return [list(span) for span in sorted(spans)]


def counterpart(name: str) -> KnownDetector:
    """Our detector of a name in pyFAI, such as ``Pilatus4 260kw CdTe``."""
    plain = name.replace(" CdTe", "")
    return built_in().get(plain[:-1] + "-W" if plain.endswith("kw") else plain)


@pytest.mark.parametrize("name", PYFAI)
def test_modules_are_where_pyfai_has_them(name: str) -> None:
    theirs, ours = PYFAI[name], counterpart(name)
    assert list(ours.modules.size_px) == theirs["size_px"]
    assert ours.pixel_mm * 1e3 == pytest.approx(theirs["pixel_um"])
    dead = ours.family.dead_px
    modules = ours.modules.in_halves(dead) if "CdTe" in name and dead else ours.modules
    if name != "Eiger2 250k":  # half a module: pyFAI takes its mask from a whole one
        assert runs(modules, 0) == theirs["columns"]
        assert runs(modules, 1) == theirs["rows"]


def test_every_known_detector_but_singla_is_known_to_pyfai() -> None:
    known = {counterpart(name).name for name in PYFAI}
    ours = {one.name for one in built_in() if not one.mode}
    assert ours - known == {"SINGLA 1M", "JUNGFRAU 500K"}


@pytest.mark.long
def test_the_recorded_detectors_of_pyfai_are_those_of_the_installed_one() -> None:
    if importlib.util.find_spec("pyFAI") is None:
        missing("pyFAI is absent (it comes with the extra dev)")
    command = [sys.executable, "-W", "ignore", str(HERE / "pyfai_detectors.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == PYFAI


def test_a_family_is_read_with_grids_and_with_single_modules() -> None:
    grid, free, region = read_family(GOOD, "lambda.toml")
    assert (grid.name, grid.grid, grid.modules.size_px) == ("LAMBDA 2M", (6, 3), (1556, 612))
    assert (free.grid, free.gap_px, free.modules.size_px) == (None, None, (556, 450))
    assert free.layout().frames.origin_mm[1] == pytest.approx([300 * 0.055, 0.0, 0.0])
    assert (region.mode, region.modules.names) == ("middle", ("Panel8", "Panel9"))
    assert grid.family.source == "lambda.toml"


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('"calib/family/1"', '"calib/family/2"', "format"),
        ("[256, 200]", "[256]", "module_px"),
        ("[256, 200]", "[256, 0]", "module_px"),
        ("[256, 200]", "[256.5, 200]", "module_px"),
        ("[256, 200]", "[true, 200]", "module_px"),
        ("[4, 6]", "[-4, 6]", "gap_px"),
        ("0.055", "nan", "pixel_mm"),
        ("0.055", '"0.055"', "pixel_mm"),
        ("[6, 3]", "[6, 100000]", "LAMBDA 2M"),
        ("[6, 3]", "7", "LAMBDA 2M"),
        ("[[0, 0], [300, 0], [0, 250]]", "[[0, 0], [255, 0]]", "overlap"),
        ("[[0, 0], [300, 0], [0, 250]]", "[]", "no module"),
        ("[[0, 0], [300, 0], [0, 250]]", "[[0, -1]]", "origins_px"),
        ("origins_px", "origin_px", "origin_px"),
        ('"LAMBDA"', '"-L"', "family"),
        ("[models]", "[model]", "'model'"),
        ("[models]", "models", "TOML"),
        ("gap_px", "dead_px = 255\ngap_px", "dead_px"),
        ('of = "LAMBDA 2M"', 'of = "LAMBDA L"', "regions.LAMBDA 2M middle"),
        ("first = [2, 1]", "first = [5, 1]", "reaches beyond"),
    ],
)
def test_a_file_that_is_no_family_is_refused_with_file_and_key(
    old: str, new: str, names: str
) -> None:
    assert old in GOOD
    with pytest.raises(FileFormatError) as caught:
        read_family(GOOD.replace(old, new, 1), "lambda.toml")
    assert caught.value.place == "lambda.toml"
    assert names in caught.value.problem
    assert caught.value.code == "bad-family"


def test_labels_name_the_module_of_each_pixel_and_minus_one_in_gaps() -> None:
    modules = built_in().get("PILATUS 300K").modules
    labels = modules.labels()
    assert labels.shape == (619, 487)
    assert labels[194, 486] == 0
    assert labels[195, 0] == labels[211, 0] == -1
    assert labels[212, 0] == 1
    assert np.array_equal(np.unique(labels), [-1, 0, 1, 2])


def test_halves_are_equal_and_leave_the_dead_columns() -> None:
    halves = built_in().get("PILATUS 1M").modules.in_halves(3)
    assert len(halves) == 20
    assert halves.names[:3] == ("Panel0a", "Panel0b", "Panel1a")
    assert halves.boxes_px[:2].tolist() == [[0, 0, 242, 195], [245, 0, 487, 195]]
