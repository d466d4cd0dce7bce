"""Invalid input: exit code 2, the exact message, and nothing stored or written."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from calib.files.dials.dataset_write import write_dataset
from calib.files.dials.refl import Column, read_table, table_bytes
from calib.model.detector.layout import PanelFrames, PanelShape
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.reflections import Reflections
from calib.store.schema.revision import HEAD
from support.commands import calib, done
from support.raw import execute
from support.simulated import NIGHT_1, measured

CERTIFY = ("certify", "24-0107:3", "--from", "2026-03-01", "--reason")
RESOLVE = ("resolve", "24-0107", "--at", "now", "--distance")
PLACE = ("detector", "place", "24-0107", "--from", "2026-03-01", "--beamline")
WRITTEN_TOGETHER = "give the .expt and .refl files that were written together"


@pytest.fixture(scope="module")
def night1() -> Dataset:
    return measured("night1", 150.0, NIGHT_1, seed=1)


def changed_column(
    path: Path, out: Path, name: str, change: Callable[[NDArray[Any]], None]
) -> None:
    """A table in which one column was changed in place."""
    table = read_table(path)
    values = table.array(name).copy()
    change(values)
    column = table.columns[name]._replace(values=values)
    out.write_bytes(table_bytes(replace(table, columns={**table.columns, name: column})))


def refused(*words: object, problem: str, remedy: str) -> None:
    """The command fails with exactly this message, as text and as JSON."""
    before = sorted(path.name for path in Path.cwd().iterdir())
    stored = done("list", "--json").stdout
    answer = calib(*words, "--json")
    assert (answer.code, answer.stdout) == (2, "")
    message, tried, _ = answer.stderr.splitlines()
    assert message == f"Error: {problem}"
    assert tried == f"Try: {remedy}"
    error = answer.error
    place = f"{error['place']}: " if error["place"] else ""
    assert (place + error["problem"], error["remedy"]) == (problem, remedy)
    assert calib(*words).stderr == f"{message}\n{tried}\n"
    assert done("list", "--json").stdout == stored
    assert sorted(path.name for path in Path.cwd().iterdir()) == before


def test_a_missing_file(here: Path) -> None:
    for words in (("derive", "gone.expt", "night1.refl"), ("apply", "gone.expt")):
        refused(
            *words,
            problem="gone.expt: there is no such file.",
            remedy="check the name and the folder",
        )


def test_a_truncated_reflection_table(here: Path) -> None:
    whole = Path("night1.refl").read_bytes()
    Path("cut.refl").write_bytes(whole[: len(whole) // 2])
    expected = f"cut.refl: the file is cut off: it has {len(whole) // 2} bytes, expected at least "
    for words in (("derive", "night1.expt"), ("apply", "night1.expt", "--calibration", "1")):
        answer = calib(*words, "cut.refl")
        assert (answer.code, answer.stdout) == (2, "")
        assert answer.stderr.startswith(f"Error: {expected}")
        assert answer.stderr.endswith("Try: copy or write it again\n")


def test_reflections_of_another_experiment(here: Path) -> None:
    refused(
        "derive",
        "night1.expt",
        "night2.refl",
        problem="the reflections in night2.refl are of other experiments than those in "
        "night1.expt: they have no identifier in common.",
        remedy=WRITTEN_TOGETHER,
    )


def test_no_indexed_reflections(here: Path, night1: Dataset) -> None:
    nowhere = np.zeros_like(night1.reflections.miller_index)
    unindexed = replace(night1.reflections, miller_index=nowhere)
    write_dataset(replace(night1, reflections=unindexed, name="unindexed"), here)
    refused(
        "derive",
        "unindexed.expt",
        "unindexed.refl",
        problem="unindexed.refl: none of 4000 reflections is indexed.",
        remedy="run dials.index, and give the files that it writes",
    )


def test_panels_that_are_all_sparse(here: Path, night1: Dataset) -> None:
    few = night1.reflections.where(np.arange(0, 4000, 200))
    write_dataset(replace(night1, reflections=few, name="few"), here)
    fullest = int(np.bincount(few.panel).max())
    refused(
        "derive",
        "few.expt",
        "few.refl",
        problem=f"all 3 panels are sparse: the fullest has {fullest} usable reflections, and at "
        "least one needs 50.",
        remedy="add datasets, or index to higher resolution",
    )


def one_panel(dataset: Dataset) -> Dataset:
    """The same data as if the detector were one panel over the whole image."""
    detector = dataset.detector
    whole = replace(
        detector,
        panels=(PanelShape("whole", (487, 619), (0.172, 0.172)),),
        frames=PanelFrames(detector.frames.rotation[:1], detector.frames.origin_mm[:1]),
        sensors=replace(
            detector.sensors,
            parallax=detector.sensors.parallax[:1],
            mu_per_mm=detector.sensors.mu_per_mm[:1],
            thickness_mm=detector.sensors.thickness_mm[:1],
        ),
    )
    reflections: Reflections = replace(
        dataset.reflections, panel=np.zeros_like(dataset.reflections.panel)
    )
    models = replace(dataset.experiments, detectors=(whole,))
    return replace(
        dataset, name="whole", experiments=models, detector=whole, reflections=reflections
    )


def test_an_experiment_of_one_panel(here: Path, night1: Dataset) -> None:
    write_dataset(one_panel(night1), here)
    content = json.loads(Path("whole.expt").read_text())
    content["imageset"] = [{"__id__": "ImageSequence", "template": "a_####.h5", "params": {}}]
    content["experiment"][0]["imageset"] = 0
    Path("whole.expt").write_text(json.dumps(content))
    named = ("apply", "whole.expt", "--calibration", "24-0107:3")
    refused(
        *named,
        problem="whole.expt: the detector is described as one panel, and DIALS cannot read its "
        "images as the modules of a PILATUS 300K: dials.find_spots and dials.integrate would stop.",
        remedy="use --as panels to index and refine with the modules, or --as positions to keep "
        "the panel and correct observed positions",
    )
    done(*named, "--as", "panels")
    positions = ("whole.refl", "--as", "positions", "-o", "moved.expt")
    done(*named, *positions)
    answer = calib(
        "apply", "moved.expt", "moved.refl", "--calibration", "24-0107:3", "-o", "b.expt"
    )
    assert "restore them with calib apply --nominal" in answer.stderr
    done("apply", "moved.expt", "moved.refl", "--nominal")
    assert Path("moved_calibrated.refl").read_bytes() == Path("whole.refl").read_bytes()


def test_a_pickle(here: Path) -> None:
    Path("old.pickle").write_bytes(pickle.dumps({"experiments": []}))
    Path("old.refl").write_bytes(pickle.dumps({"reflections": []}))
    why = "this is a pickle, which runs code when it is loaded; calib never loads one."
    convert = "convert it with DIALS, on a computer where you trust the file: python -c "
    lists = (
        "'from dxtbx.model.experiment_list import ExperimentListFactory as F; "
        'F.from_pickle_file("old.pickle").as_file("old.expt")\''
    )
    tables = (
        "'from dials.array_family import flex; "
        'flex.reflection_table.from_file("old.refl").as_file("old.refl")\''
    )
    for words, problem, remedy in (
        (("derive", "old.pickle", "night1.refl"), f"old.pickle: {why}", convert + lists),
        (("apply", "old.pickle"), f"old.pickle: {why}", convert + lists),
        (("derive", "night1.expt", "old.refl"), f"old.refl: {why}", convert + tables),
    ):
        refused(*words, problem=problem, remedy=remedy)


def test_nan_in_a_column(here: Path) -> None:
    def spoil(mm: NDArray[Any]) -> None:
        mm[7, 0] = np.nan

    changed_column(Path("night1.refl"), Path("nan.refl"), "xyzobs.mm.value", spoil)
    refused(
        "derive",
        "night1.expt",
        "nan.refl",
        problem="nan.refl, column xyzobs.mm.value: NaN or infinity in 1 indexed reflections, the "
        "first of them in row 7 (counted from 0).",
        remedy="take these reflections out, or process the images again with DIALS",
    )


def test_a_panel_out_of_range(here: Path) -> None:
    def spoil(panel: NDArray[Any]) -> None:
        panel[7] = 3

    changed_column(Path("night1.refl"), Path("panel.refl"), "panel", spoil)
    refused(
        "derive",
        "night1.expt",
        "panel.refl",
        problem="panel.refl, column panel: a reflection names panel 3, but the detector in "
        "night1.expt has 3 panels.",
        remedy=WRITTEN_TOGETHER,
    )
    refused(
        "apply",
        "night1.expt",
        "panel.refl",
        "--calibration",
        "24-0107:1",
        problem="panel.refl, column panel: a reflection names panel 3, but the detector has 3 "
        "panels.",
        remedy=WRITTEN_TOGETHER,
    )


def test_a_column_of_another_type(here: Path) -> None:
    table = read_table(Path("night1.refl"))
    for name in ("panel", "id", "xyzobs.mm.value", "xyzobs.px.value"):
        other = {**table.columns, name: Column("std::string", b"")}
        Path("type.refl").write_bytes(table_bytes(replace(table, columns=other)))
        wanted = "3 numbers" if name.startswith("xyz") else "one number"
        for words in (("derive", "night1.expt"), ("apply", "night1.expt", "--calibration", "1")):
            refused(
                *words,
                "type.refl",
                problem=f"type.refl, column {name}: the type is std::string, expected {wanted} a "
                "row.",
                remedy="write the table again with DIALS",
            )


def test_json_that_is_no_experiment_list(here: Path) -> None:
    Path("other.expt").write_text(json.dumps({"answer": 42}))
    for words in (("derive", "other.expt", "night1.refl"), ("apply", "other.expt")):
        refused(
            *words,
            problem="other.expt: this JSON has the __id__ None, expected 'ExperimentList'.",
            remedy="give a .expt file written by DIALS",
        )


def test_a_store_from_a_newer_version(here: Path) -> None:
    shutil.copy("beamline.sqlite", "newer.sqlite")
    execute(str(here / "newer.sqlite"), "UPDATE calib_revision SET version_num = '9999'")
    answer = calib("derive", "night1.expt", "night1.refl", "--store", "newer.sqlite")
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr == (
        f"Error: {here / 'newer.sqlite'}: the store is at revision 9999, this program knows up to "
        f"{HEAD}.\nTry: upgrade calib: pip install --upgrade calib-metrology\n"
    )


def test_a_serial_that_contradicts_the_file(here: Path) -> None:
    files = ("night1.expt", "night1.refl")
    answer = calib("derive", *files, "--serial", "24-0108")
    assert answer.code == 2
    assert "the file names the detector 24-0107, not 24-0108." in answer.stderr
    forced = done("derive", *files, "--serial", "24-0108", "--force-serial", "--json").json
    assert forced["calibration"]["serial"] == "24-0108"
    assert forced["detector_registered"] is True


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("derive",), "Missing argument 'EXPT REFL ...'."),
        (("derive", "a", "--freedom", "none"), "'none' is not one of 'in-plane', 'full'."),
        (("derive", "a", "--prior-shift-um", "wide"), "Invalid value for '--prior-shift-um'"),
        (("derive", "a", "--prior-shift-um", "0"), "--prior-shift-um 0 is not a tolerance."),
        (("derive", "a", "--prior-tilt-mrad", "nan"), "--prior-tilt-mrad nan is not a tolerance."),
        (("derive", "a", "--frobnicate"), "No such option: --frobnicate"),
        (("frobnicate",), "No such command 'frobnicate'."),
        (("certify", "24-0107:3"), "Missing option '--reason'."),
        (("certify", "24-0107:3", "--reason", " "), "a certification needs a reason."),
        (
            ("certify", "24-0107:3", "--reason", "x", "--from", "soon"),
            "'soon' is not a date or time.",
        ),
        ((*CERTIFY, "x\x1b[2J"), "the reason contains the control character '\\x1b'."),
        ((*CERTIFY, "x", "--by", "ada\nlin"), "the name of the actor contains the control"),
        ((*CERTIFY, "x", "--max-distance", "inf"), "--max-distance inf is not a distance in mm."),
        ((*CERTIFY, "x", "--gap-mm", "nan"), "--gap-mm nan is not a distance in mm."),
        ((*PLACE, "I\t04"), "the beamline's name contains the control character '\\t'."),
        (("detector", "add", "24-9"), "give exactly one source of the layout."),
        (("apply", "night1.refl"), "no experiment list is given."),
        (
            ("apply", "imported.expt", "night1.refl", "night2.refl"),
            "2 reflection tables are given",
        ),
        (("apply", "night1.expt", "night2.expt", "-o", "x.expt"), "2 are given."),
        (
            ("apply", "night1.expt", "night2.expt", "indexed.refl"),
            "list has the stem of indexed.refl.",
        ),
        (("apply", "imported.expt", "--reflections-out", "x.refl"), "but no reflections are."),
        (("list", "--store", ""), "the name of the store is empty."),
        (("list", "--store", "~nobody-9/a"), "'~nobody-9/a' cannot be the name of a store"),
        (("apply", "imported.expt", "-o", "out\udcff.expt"), "file's name is not UTF-8 text."),
        (
            ("apply", "in\udcff.expt"),
            "in\N{REPLACEMENT CHARACTER}_calibrated.expt: the file's name is not",
        ),
        (("derive", "in\udcff.expt", "night1.refl"), "the file's name is not UTF-8 text."),
        ((*RESOLVE, "0"), "0 mm is not a distance."),
        ((*RESOLVE, "-150"), "-150 mm is not a distance."),
        ((*RESOLVE, "inf"), "inf mm is not a distance."),
        ((*RESOLVE, "1", "--as-known-at", "9" * 30), "is not a date or time."),
        (("export", "24-0107:3", "-o", "x", "--distance-mm", "0"), "0 mm is not a distance."),
        (("summary", "show", "gone.calib.h5"), "gone.calib.h5: there is no such file."),
        (
            ("export", "24-0107:3", "-o", "x", "--like", "a", "--distance-mm", "1"),
            "--like and --dist",
        ),
    ],
    ids=str,
)
def test_wrong_usage_names_the_help(here: Path, words: tuple[str, ...], message: str) -> None:
    answer = calib(*words, "--json")
    assert (answer.code, answer.stdout) == (2, "")
    error, tried, _ = answer.stderr.splitlines()
    assert message in error
    assert tried.startswith("Try: ")
    assert answer.error["problem"] in error
    assert "Traceback" not in answer.stderr


def test_a_group_without_a_command_names_the_help() -> None:
    answer = calib("detector")
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr == "Error: Missing command.\nTry: calib detector --help\n"
