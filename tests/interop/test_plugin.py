"""The plugin of dxtbx under DIALS' own Python: cuts with multi_panel only, corrects by a file."""

from __future__ import annotations

import bz2
import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fabio
import numpy as np
import pytest

from calib.files.dials.expt import ExperimentFile
from calib.files.dials.refl import read_table
from calib.flows.exchange.publish import publish_geometry
from calib.flows.layouts.split import SplitRequest, split
from calib.model.detector.families import built_in
from calib.store.store import Store
from support.calibrated import SERIAL, calibrated
from support.dials import Dials, run_script
from support.records import certification

PLUGIN = Path(__file__).parents[2] / "plugin"
PICOMETRE_MM = 1e-9
EIGER_HEADER = """###CBF: VERSION 1.5

# Detector: Dectris EIGER2 Si 4M, S/N {serial}
# 2026-03-05T12:00:00.000
# Pixel_size 75e-6 m x 75e-6 m
# Silicon sensor, thickness 0.000450 m
# Exposure_time 0.010000 s
# Exposure_period 0.010000 s
# Count_cutoff 100000 counts
# Wavelength 0.976 A
# Detector_distance 0.200 m
# Beam_xy (1034.00, 1081.00) pixels
# Start_angle 0.0000 deg.
# Angle_increment 0.5000 deg.
"""


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Variables of a process that finds the plugin, which is installed in a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    words = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "--target", folder, PLUGIN],
        check=True,
        capture_output=True,
    )
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def pilatus(real_data: Path, tmp_path: Path) -> Path:
    """The real image of a PILATUS3 6M."""
    (packed,) = (real_data / "image").glob("*.cbf.bz2")
    image = tmp_path / packed.stem
    image.write_bytes(bz2.decompress(packed.read_bytes()))
    return image


@pytest.fixture
def eiger(tmp_path: Path) -> Path:
    """A mini-CBF image of an EIGER2 4M, flat but for one bright pixel."""
    data = np.zeros((2162, 2068), dtype=np.int32)
    data[1000, 1500] = 77
    path = tmp_path / "eiger_0001.cbf"
    header = {
        "_array_data.header_convention": "PILATUS_1.2",
        "_array_data.header_contents": EIGER_HEADER.format(serial=SERIAL).partition("\n\n")[2],
    }
    fabio.cbfimage.CbfImage(data=data, header=header).write(str(path))
    return path


def imported(
    dials: Dials,
    image: Path,
    name: str,
    *words: str,
    variables: Mapping[str, str] | None = None,
) -> Path:
    output = image.parent / f"{name}.expt"
    words = (*words, f"output.experiments={output.name}", f"output.log={name}.log")
    dials.run("dials.import", image, *words, cwd=image.parent, variables=variables)
    return output


def published(store: Store, expt: Path, output: Path, known: str = "") -> Path:
    """Geometry of ``SERIAL``, certified for all of 2000 on, up to 5 m."""
    calibrated(store, expt, known)
    stored = store.calibrations.get(f"{SERIAL}:1", None)
    start = datetime(2000, 1, 1, tzinfo=UTC)
    store.certifications.certify(certification(stored, start, None, (10.0, 5000.0)))
    publish_geometry(store, SERIAL, output)
    return output


def test_the_layouts_of_the_plugin_are_those_of_calib() -> None:
    found = json.loads((PLUGIN / "calib_dxtbx" / "layouts.json").read_text())["layouts"]
    expected = [
        {
            "name": one.name,
            "size_px": list(one.modules.size_px),
            "pixel_mm": one.pixel_mm,
            "boxes_px": one.modules.boxes_px.tolist(),
        }
        for one in built_in()
        if len(one.modules) > 1 and not one.mode
    ]
    assert found == expected
    boxes: dict[Any, Any] = {}
    for one in [*built_in()]:
        key = (one.modules.size_px, one.pixel_mm)
        cut = one.modules.boxes_px.tolist()
        assert boxes.setdefault(key, cut) == cut, "one size, two cuts"


@pytest.mark.long
def test_modules_of_an_eiger_are_cut_as_by_calib_split(
    dials: Dials, plugin: Mapping[str, str], eiger: Path
) -> None:
    one = imported(dials, eiger, "one", variables=plugin)
    cut = imported(dials, eiger, "cut", "multi_panel=True", variables=plugin)
    split(SplitRequest(one, eiger.parent / "split.expt"))
    old, new = (json.loads((eiger.parent / f"{n}.expt").read_bytes()) for n in ("split", "cut"))
    assert new["detector"] == old["detector"]
    assert new["imageset"] == old["imageset"]
    pixels = """
import json
from dxtbx.model.experiment_list import ExperimentListFactory
images = ExperimentListFactory.from_json_file("cut.expt")[0].imageset
data, mask = images.get_raw_data(0), images.get_mask(0)
print(json.dumps([[list(one.focus()) for one in data], [list(one.focus()) for one in mask],
    [int(sum(one.as_1d())) for one in data], images.get_format_class().__name__]))
"""
    shapes, masks, sums, name = run_script(dials, pixels, eiger.parent, plugin)
    assert shapes == masks == [[512, 1028]] * 8
    modules = built_in().get("EIGER2 4M").modules
    module = modules.at(np.array([[1500.5, 1000.5]]))[0]
    assert [k for k, total in enumerate(sums) if total == 77] == [module]
    assert name == "CalibratedFormatCBFMiniEiger"
    assert cut.exists()


FAMILIES = """
import json, sys, time, uuid
from dxtbx.format.Registry import get_format_class_for_file
from dxtbx.model.experiment_list import ExperimentListFactory
out = []
for name in NAMES:
    made = ExperimentListFactory.from_filenames([name], format_kwargs={"multi_panel": False})
    models = made.to_dict()
    for one in models["experiment"]:
        one["identifier"] = ""
    images = made[0].imageset
    mask = images.get_mask(0)
    out.append([images.get_format_class().__name__, models,
        [[list(one.focus()), one.count(True)] for one in mask]])
begin = time.perf_counter()
for _ in range(100):
    get_format_class_for_file("foreign.txt")
print(json.dumps([out, 10 * (time.perf_counter() - begin)]))
"""
"""Models and masks of some images, and the milliseconds for a file that is no image."""
PILATUS_SERIALS = (
    *(b"60-0100", b"60-0114", b"60-0119", b"60-0125", b"60-0115", b"60-0126", b"60-0106"),
    *(b"60-0132", b"60-0127", b"99-9999"),
)


@pytest.mark.long
def test_without_multi_panel_the_plugin_changes_nothing(
    dials: Dials, plugin: Mapping[str, str], eiger: Path, pilatus: Path
) -> None:
    """For images of several beamlines, which dxtbx knows by the serial number."""
    data = pilatus.read_bytes()
    names = [eiger.name, pilatus.name]
    for number, serial in enumerate(PILATUS_SERIALS):
        names.append(f"pilatus{number}_0001.cbf")
        (eiger.parent / names[-1]).write_bytes(data.replace(b"60-0119", serial, 1))
    (eiger.parent / "foreign.txt").write_bytes(b"no image\n" * 100)
    script = f"NAMES = {names!r}\n{FAMILIES}"
    plain, _ = run_script(dials, script, eiger.parent)
    plugged, milliseconds = run_script(dials, script, eiger.parent, plugin)
    assert plugged == plain
    assert len({name for name, *_ in plain}) >= 7
    assert milliseconds < 20.0  # 1 ms on an idle machine


def test_the_published_geometry_corrects_modules_at_import(
    dials: Dials, plugin: Mapping[str, str], eiger: Path, store: Store
) -> None:
    """As calib apply and calib export do, with the pose of the image."""
    nominal = imported(dials, eiger, "nominal", "multi_panel=True", variables=plugin)
    geometry = published(store, nominal, eiger.parent / "geometry.json")
    variables = {**plugin, "CALIB_GEOMETRY": str(geometry)}
    found = imported(dials, eiger, "corrected", "multi_panel=True", variables=variables)
    before, after = (
        ExperimentFile.read(path).experiments.detectors[0] for path in (nominal, found)
    )
    record = store.detectors.get(SERIAL)
    stored = store.calibrations.get(f"{SERIAL}:1", None)
    assert before.lab_from_root is not None
    frames = stored.record.estimate.correction.frames(record.layout).moved(before.lab_from_root)
    assert np.abs(after.frames.origin_mm - frames.origin_mm).max() < PICOMETRE_MM
    assert np.abs(after.frames.rotation - frames.rotation).max() < PICOMETRE_MM
    assert after.identifier.endswith(f"calibration={SERIAL}:1 {stored.id[:16]}")
    assert f"S/N {SERIAL}," in after.identifier


@pytest.mark.long
def test_a_geometry_file_without_multi_panel_is_a_warning(
    dials: Dials, plugin: Mapping[str, str], eiger: Path
) -> None:
    variables = {**plugin, "CALIB_GEOMETRY": str(eiger.parent / "geometry.json")}
    plain = imported(dials, eiger, "plain", variables=variables)
    assert len(ExperimentFile.read(plain).experiments.detectors[0].panels) == 1
    assert "without multi_panel=True" in (eiger.parent / "plain.log").read_text()


@pytest.mark.long
def test_the_real_image_is_corrected_and_searched_for_spots(
    dials: Dials, plugin: Mapping[str, str], pilatus: Path, store: Store
) -> None:
    """dxtbx cuts a PILATUS by itself; spots are those of the nominal panels."""
    image = pilatus.with_name("real_0001.cbf")
    image.write_bytes(pilatus.read_bytes().replace(b"S/N 60-0119", b"S/N X-1    ", 1))
    nominal = imported(dials, image, "nominal", "multi_panel=True")
    geometry = published(store, nominal, image.parent / "geometry.json")
    variables = {**plugin, "CALIB_GEOMETRY": str(geometry)}
    found = imported(dials, image, "corrected", "multi_panel=True", variables=variables)
    before, after = (
        ExperimentFile.read(path).experiments.detectors[0] for path in (nominal, found)
    )
    assert np.abs(after.frames.origin_mm - before.frames.origin_mm).max() > 1e-2
    assert [one.name for one in after.panels] == [one.name for one in before.panels]
    counts = []
    for path, own in ((nominal, None), (found, variables)):
        words = ("nproc=1", f"output.reflections={path.stem}.refl")
        dials.run("dials.find_spots", path, *words, cwd=image.parent, variables=own)
        counts.append(read_table(path.with_suffix(".refl")).nrows)
    assert counts[0] == counts[1] > 100


FAULTS = """
import json, os, random, sys
sys.argv = ["x"]
from dxtbx.model.experiment_list import ExperimentListFactory
good = open("geometry.json", "rb").read()
content = json.loads(good)
os.environ["CALIB_GEOMETRY"] = os.path.abspath("broken.json")
import calib_dxtbx.geometry as geometry
def sealed(value):
    import hashlib
    rest = {k: v for k, v in value.items() if k != "sha256"} if isinstance(value, dict) else value
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    if isinstance(value, dict):
        value["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(value).encode()
def places(value, path=()):
    yield path
    items = list(enumerate(value)) if isinstance(value, list) else []
    for key, one in list(value.items()) if isinstance(value, dict) else items:
        yield from places(one, (*path, key))
everywhere = [path for path in places(content) if path]
chance = random.Random(1)
corrected = 0
for number in range(N):
    if number % 2:
        data = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        data = bytes(data)[: chance.choice([len(data), chance.randrange(len(data))])]
    else:
        changed = json.loads(good)
        *path, last = chance.choice(everywhere)
        there = changed
        for key in path:
            there = there[key]
        values = [None, "x", 1e400, -1, [], {}, [1, 2], True, 10**400, "9999-99"]
        there[last] = chance.choice(values)
        data = sealed(changed)
    open("broken.json", "wb").write(data)
    geometry._read.cache_clear()
    found = ExperimentListFactory.from_filenames(
        [IMAGE], format_kwargs={"multi_panel": True, "dynamic_shadowing": "Auto"})
    detector = found[0].detector
    assert len(detector) == 8, number
    corrected += "calibration=" in detector[0].get_identifier()
print(json.dumps(corrected))
"""


@pytest.mark.long
def test_a_broken_geometry_file_never_ends_an_import(
    dials: Dials, plugin: Mapping[str, str], eiger: Path, store: Store
) -> None:
    nominal = imported(dials, eiger, "nominal", "multi_panel=True", variables=plugin)
    published(store, nominal, eiger.parent / "geometry.json")
    count = 1000
    script = f"N, IMAGE = {count}, {eiger.name!r}\n{FAULTS}"
    assert 0 < run_script(dials, script, eiger.parent, plugin) < count
