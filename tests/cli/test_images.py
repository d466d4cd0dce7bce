"""Serial numbers, times and layouts from the images that experiments name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.commands import calib, done
from support.images import eiger1, master, mini_cbf
from support.modules import one_panel
from support.simulated import SERIAL

TEMPLATE = "images/th_####.cbf"


@pytest.fixture
def named(certified: Path) -> Callable[..., Path]:
    """Writes ``target.expt``, whose experiments name images and may lack a serial and a time."""

    def write(template: str = TEMPLATE, identifier: str = "", epoch: Any = 0.0) -> Path:
        content = json.loads(Path("imported.expt").read_text())
        content["imageset"] = [{"__id__": "ImageSequence", "template": template, "params": {}}]
        for entry in content["experiment"]:
            entry["imageset"] = 0
        for panel in content["detector"][0]["panels"]:
            panel["identifier"] = identifier
        for scan in content["scan"]:
            scan["epochs"][0] = epoch
        path = Path("target.expt")
        path.write_text(json.dumps(content))
        return path

    return write


def write_image(name: str = "images/th_0001.cbf", **stated: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    here = {"model": f"PILATUS 300K, S/N {SERIAL}", "time": "2026-03-05T09:00:00"}
    path.write_bytes(mini_cbf(**(here | stated)))
    return path


def test_serial_and_time_come_from_the_first_image(named: Callable[..., Path]) -> None:
    write_image()
    (found,) = done("apply", named(), "--dry-run", "--json").json["detectors"]
    assert (found["serial"], found["data_time"]) == (SERIAL, "2026-03-05T09:00:00Z")
    assert found["calibration"] == "24-0107:3"


def test_images_that_were_moved_are_found_in_a_folder(named: Callable[..., Path]) -> None:
    write_image("moved/images/th_0001.cbf")
    target = named("/data/visit/images/th_####.cbf")
    assert calib("apply", target, "--dry-run", "--json").error["code"] == "no-serial"
    (found,) = done("apply", target, "--images", "moved", "--dry-run", "--json").json["detectors"]
    assert found["serial"] == SERIAL
    elsewhere = calib("apply", target, "--images", "lost", "--dry-run", "--json")
    assert elsewhere.error["code"] == "missing-file"


def test_images_are_not_read_where_this_is_not_wanted(named: Callable[..., Path]) -> None:
    write_image()
    answer = calib("apply", named(), "--no-images", "--dry-run", "--json")
    assert answer.error["code"] == "no-serial"


def test_an_image_of_another_detector_is_refused_unless_forced(
    named: Callable[..., Path],
) -> None:
    write_image(model="PILATUS 300K, S/N 3-0042")
    own = named(identifier=f"PILATUS 300K, S/N {SERIAL}", epoch=1772700000.0)
    assert calib("apply", own, "--dry-run", "--json").error["code"] == "image-contradicts"
    done("apply", own, "--no-images", "--dry-run")
    done("apply", own, "--serial", SERIAL, "--force-serial", "--dry-run")
    given = named(epoch=1772700000.0)
    answer = calib("apply", given, "--serial", SERIAL, "--dry-run", "--json")
    assert answer.error["code"] == "serial-contradicts"
    assert "images/th_0001.cbf names the detector 3-0042" in answer.error["problem"]
    done("apply", given, "--serial", SERIAL, "--force-serial", "--dry-run")
    for words in (
        ("detector", "add", SERIAL, "--from", given),
        ("export", "24-0107:3", "--like", given, "-o", "reference.expt"),
    ):
        assert calib(*words, "--json").error["code"] == "serial-contradicts"
        done(*words, "--force-serial")


def test_a_damaged_image_is_a_note(named: Callable[..., Path]) -> None:
    write_image().write_bytes(b"###CBF: nothing")
    answer = done("apply", named(), "--serial", SERIAL, "--at", "2026-03-05", "--dry-run")
    assert "an image was not used" in answer.stderr


def test_the_name_of_a_calibration_names_the_detector(named: Callable[..., Path]) -> None:
    found = done("apply", named(), "--calibration", "24-0107:3", "--dry-run", "--json").json
    assert found["detectors"][0]["serial"] == SERIAL


def test_the_settings_name_the_detector(
    named: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = named(epoch=1772700000.0)
    assert calib("apply", target, "--dry-run", "--json").error["code"] == "no-serial"
    with monkeypatch.context() as patched:
        patched.setenv("CALIB_SERIAL", SERIAL)
        done("apply", target, "--dry-run")
    monkeypatch.setenv("CALIB_BEAMLINE", "i04")
    assert calib("apply", target, "--dry-run", "--json").error["code"] == "no-serial"
    placed = ("--beamline", "I04", "--from", "2026-03-02", "--reason", "new")
    done("detector", "place", SERIAL, *placed)
    done("apply", target, "--dry-run")
    done("detector", "add", "3-0042", "--layout", "PILATUS 300K")
    done("detector", "place", "3-0042", *placed)
    assert calib("apply", target, "--dry-run", "--json").error["code"] == "ambiguous-beamline"


@pytest.mark.long
def test_a_time_given_for_a_derivation_is_that_of_its_data(here: Path) -> None:
    words = ("derive", "night1.expt", "night1.refl", "--at", "2026-02-03", "--store", "new.sqlite")
    done("init", "--store", "new.sqlite")
    done(*words)
    (start,) = done("show", "24-0107:1", "--store", "new.sqlite", "--json").json["data_taken"]
    assert start == "2026-02-03T00:00:00Z"
    done("rederive", "24-0107:1", "--store", "new.sqlite")


def test_an_image_decides_between_layouts_of_one_size(tmp_path: Path) -> None:
    """An EIGER2 16M in 4M ROI writes the image of a 4M."""
    imageset = {"__id__": "ImageSequence", "template": "x_master.h5", "params": {}}
    path = tmp_path / "x.expt"
    path.write_text(json.dumps(one_panel((2068, 2162), 0.075, imageset=imageset)))
    specific = "instrument__detector__detectorSpecific"
    for roi, name in (("4M", "EIGER2 16M in 4M ROI"), ("disabled", "EIGER2 4M")):
        model = {
            "instrument__detector__description": "Dectris EIGER2",
            f"{specific}__roi_mode": roi,
        }
        master(tmp_path / "x_master.h5", **model)
        found = done("split", path, "-o", tmp_path / "y.expt", "--dry-run", "--json").json
        assert found["detectors"][0]["layout"] == name
    refused = calib("split", path, "-o", tmp_path / "y.expt", "--no-images", "--json")
    assert refused.error["code"] == "ambiguous-layout"


def test_a_file_of_detectors_only_registers_one(
    here: Path, public_cases: Path, tmp_path: Path
) -> None:
    path = public_cases / "10-reference-without-beam" / "level1.json"
    found = done("detector", "add", "M-1", "--from", path, "--json").json["detector"]
    assert (found["n_panels"], len(found["geometry_id"])) == (8, 64)
    assert calib("derive", path, "night1.refl", "--json").error["code"] == "no-experiments"


# identify


def test_an_image_is_identified(certified: Path) -> None:
    path = write_image()
    answer = done("identify", path, "--json").json
    (found,) = answer["files"]
    assert (found["serial"], found["layout"]) == (SERIAL, "PILATUS 300K")
    assert (found["taken"], found["calibration"]) == ("2026-03-05T09:00:00Z", "24-0107:3")
    assert (found["geometry"], found["image"]["pixel_mm"]) == ("nominal", [0.172, 0.172])
    assert done("identify", "images/th_####.cbf", "--json").json == answer
    text = done("identify", path).stdout
    assert "24-0107:3" in text
    assert "PILATUS 300K" in text


def test_the_geometry_of_experiments_is_named(certified: Path) -> None:
    done("apply", "imported.expt", "-o", "applied.expt")
    content = json.loads(Path("applied.expt").read_text())
    content["detector"][0]["panels"][1]["origin"][0] += 0.03
    Path("between.expt").write_text(json.dumps(content))
    answer = done("identify", "imported.expt", "applied.expt", "between.expt", "--json")
    views = answer.json["files"]
    assert [one["geometry"] for one in views] == ["nominal", "24-0107:3", "other"]
    assert 5.0 < views[2]["residual_um"] < 40.0
    assert {one["geometry_id"] for one in views} == {views[0]["geometry_id"]}


def test_exit_codes_say_whether_all_was_found(certified: Path) -> None:
    unknown = write_image("other.cbf", model="PILATUS 300K, S/N 3-0042")
    early = write_image("early.cbf", time="2020-01-01T00:00:00")
    Path("text.txt").write_text("no image")
    for path in (unknown, early):
        answer = calib("identify", path, "--json")
        assert (answer.code, answer.json["files"][0]["calibration"]) == (1, None)
        assert answer.json["files"][0]["why_none"]
    assert calib("identify", "text.txt").code == 2
    some = calib("identify", "text.txt", "imported.expt", "--json")
    assert (some.code, len(some.json["files"])) == (4, 2)


def test_modules_that_a_master_describes_are_its_layout(certified: Path) -> None:
    usual = calib("identify", eiger1(Path("a_master.h5")), "--json").json["files"][0]
    assert (usual["layout"], usual["image"]["n_modules"]) == ("EIGER 4M", 8)
    other = calib("identify", eiger1(Path("b_master.h5"), 3, 1), "--json").json["files"][0]
    assert other["layout"] == "Dectris Eiger 4M"


def test_a_roi_mode_distinguishes_layouts_of_one_size(certified: Path) -> None:
    roi = {"instrument__detector__detectorSpecific__roi_mode": "4M"}
    whole = {"instrument__detector__description": "Dectris EIGER2 Si 16M"}
    plain = calib("identify", master(Path("a_master.h5")), "--json").json["files"][0]
    region = calib("identify", master(Path("b_master.h5"), **roi, **whole), "--json")
    assert plain["layout"] == "EIGER2 4M"
    assert region.json["files"][0]["layout"] == "EIGER2 16M in 4M ROI"
