"""One-panel experiment lists and tables, split into modules and merged again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib.errors import FileFormatError, InputError, LayoutError
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.refl import Column, Table, read_table, read_table_index
from calib.files.dials.refl_modules import MovedTable, merged_table, split_table
from calib.model.detector.families import built_in
from calib.model.experiment.parallax import mm_from_px
from calib.model.experiment.pose import locate_detector
from support.modules import PILATUS_300K, one_panel, shoebox, spots, write_expt, write_table

KNOWN = built_in().get("PILATUS 300K")
MODULES = KNOWN.modules
STYLES: dict[str, dict[str, Any]] = {
    "indented": {"indent": 2},
    "compact": {"separators": (",", ":")},
    "plain": {"separators": (", ", ": ")},
}
ROUNDING_MM = 1e-12


def read(content: Any, **style: Any) -> ExperimentFile:
    return ExperimentFile.parse(json.dumps(content, **(style or {"indent": 2})).encode(), "a.expt")


def merged(file: ExperimentFile) -> ExperimentFile:
    pose = locate_detector(KNOWN.layout(), file.experiments.detectors[0], [])
    return file.merged({0: (MODULES, pose)})


GAPS = [[0, 195, 487, 212], [0, 407, 487, 424]]


@pytest.mark.parametrize("style", STYLES)
def test_merging_what_was_split_gives_the_same_bytes(style: str) -> None:
    images = {"params": {"multi_panel": False}}
    file = read(one_panel(mask=GAPS, imageset=images), **STYLES[style])
    parts = file.split({0: MODULES})
    assert len(parts.experiments.detectors[0].panels) == 3
    assert merged(parts).data == file.data


def test_modules_are_where_their_pixels_were() -> None:
    file = read(one_panel())
    whole = file.experiments.detectors[0]
    parts = file.split({0: MODULES}).experiments.detectors[0]
    corner = np.asarray(MODULES.boxes_px[:, :2] * 0.172, dtype=np.float64)
    there = whole.frames.points(corner[None])[0]
    assert parts.frames.origin_mm == pytest.approx(there, abs=ROUNDING_MM)
    assert np.allclose(parts.frames.rotation, whole.frames.rotation[0], atol=1e-15)
    assert [panel.name for panel in parts.panels] == ["Panel0", "Panel1", "Panel2"]


def test_masks_of_the_panel_are_cut_along_the_modules() -> None:
    beamstop = [100, 150, 200, 300]
    parts = json.loads(read(one_panel(mask=[*GAPS, beamstop])).split({0: MODULES}).data)
    panels = parts["detector"][0]["panels"]
    assert [panel["mask"] for panel in panels] == [
        [[100, 150, 200, 195]],
        [[100, 0, 200, 88]],
        [],
    ]
    assert [panel["raw_image_offset"] for panel in panels] == [[0, 0], [0, 212], [0, 424]]
    back = json.loads(merged(read(parts)).data)["detector"][0]["panels"][0]["mask"]
    assert back == [*GAPS, [100, 150, 200, 195], [100, 212, 200, 300]]


def test_a_panel_inside_a_group_with_a_frame_is_split_where_it_is() -> None:
    content = one_panel()
    content["detector"][0]["hierarchy"]["origin"] = [1.0, 2.0, -3.0]
    content["detector"][0]["hierarchy"]["fast_axis"] = [0.8, 0.6, 0.0]
    content["detector"][0]["hierarchy"]["slow_axis"] = [-0.6, 0.8, 0.0]
    file = read(content)
    parts = file.split({0: MODULES}).experiments.detectors[0]
    whole = file.experiments.detectors[0]
    assert parts.frames.origin_mm[0] == pytest.approx(whole.frames.origin_mm[0], abs=ROUNDING_MM)
    assert np.allclose(parts.frames.rotation, whole.frames.rotation[0], atol=1e-14)


def test_an_old_detector_without_groups_is_split_too() -> None:
    content = one_panel()
    content["detector"] = [content["detector"][0]["panels"]]
    parts = read(content).split({0: MODULES})
    assert len(parts.experiments.detectors[0].panels) == 3
    assert len(merged(parts).experiments.detectors[0].panels) == 1


@pytest.mark.parametrize("params", [None, {}, {"multi_panel": False}, {"dynamic_shadowing": 1}])
def test_imagesets_state_how_they_are_read(params: dict[str, Any] | None) -> None:
    content = one_panel(imageset={"params": params, "mask": "hot.pickle", "gain": ""})
    if params is None:
        del content["imageset"][0]["params"]
    file = read(content)
    assert file.lookup_files({0}) == ("hot.pickle",)
    imageset = json.loads(file.split({0: MODULES}).data)["imageset"][0]
    assert imageset["params"] == {**(params or {}), "multi_panel": True}
    assert (imageset["mask"], imageset["gain"]) == (None, "")
    back = json.loads(merged(file.split({0: MODULES})).data)["imageset"][0]
    assert back["params"] == {**(params or {}), "multi_panel": False}


def test_maps_of_pixel_offsets_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        read(one_panel(imageset={"dx": "dx.pickle"})).split({0: MODULES})
    assert caught.value.code == "offset-maps"


def test_panels_that_differ_do_not_become_one() -> None:
    parts = json.loads(read(one_panel()).split({0: MODULES}).data)
    parts["detector"][0]["panels"][2]["gain"] = 2.0
    with pytest.raises(LayoutError, match="panel 2 differs from panel 0 in gain"):
        merged(read(parts))


def split_of(folder: Path, table: Table, *, with_shoeboxes: bool = True) -> MovedTable:
    path = write_table(folder / "a.refl", table)
    detector = read(one_panel()).experiments.detectors[0]
    nothing = np.zeros(table.nrows, dtype=np.int64)
    return split_table(
        path,
        read_table_index(path),
        {0: MODULES},
        {0: detector},
        nothing,
        with_shoeboxes=with_shoeboxes,
    )


def written(moved: MovedTable, path: Path) -> Table:
    with path.open("wb") as file:
        moved.write(file)
    return read_table(path)


def positions(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    px = np.column_stack([rng.uniform(0.0, size, n) for size in (*PILATUS_300K, 10)])
    detector = read(one_panel()).experiments.detectors[0]
    mm = mm_from_px(px[:, :2], np.zeros(n, dtype=np.int64), detector)
    return px, np.column_stack([mm, 1e-3 * px[:, 2]])


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2]))
def test_every_column_of_spots_that_stay_is_restored_exactly(
    tmp_path_factory: pytest.TempPathFactory, seed: int, marker: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    px, mm = positions(40, seed)
    table = spots(px, mm, half=1, marker=max(marker, 1), mask=1 | 8)
    if marker == 0:
        boxes = b"".join(shoebox(box, None, 0) for box in table.array("bbox").tolist())
        table = replace(
            table, columns=table.columns | {"shoebox": Column("Shoebox<>", boxes)}, version=1
        )
    moved = split_of(folder, table)
    parts = written(moved, folder / "parts.refl")
    path = folder / "parts.refl"
    back = merged_table(
        path,
        read_table_index(path),
        {0: MODULES.boxes_px[:, :2]},
        {0: (0.172, 0.172)},
        np.zeros(parts.nrows, dtype=np.int64),
    )
    again = written(back, folder / "back.refl")
    assert again.nrows == moved.keep.sum() == 40 - moved.n_in_gaps - moved.n_across
    for name, column in table.columns.items():
        if isinstance(column.values, np.ndarray):
            assert np.array_equal(again.array(name), column.values[moved.keep]), name
    whole = written(split_of(folder, _rows(table, moved.keep)), folder / "kept.refl")
    assert whole.columns["shoebox"] == parts.columns["shoebox"]
    if not moved.n_cut:
        assert again.columns["shoebox"] == _rows(table, moved.keep).columns["shoebox"]


def _rows(table: Table, keep: np.ndarray) -> Table:
    """Some rows of a table whose shoeboxes have one size."""
    boxes = table.columns["shoebox"].values
    assert isinstance(boxes, bytes)
    each = np.frombuffer(boxes, np.uint8).reshape(table.nrows, -1)[keep].tobytes()
    columns = {
        name: Column(one.typename, each if isinstance(one.values, bytes) else one.values[keep])
        for name, one in table.columns.items()
    }
    return Table(int(keep.sum()), table.identifiers, columns, table.version)


def test_positions_on_modules_are_those_of_dials_on_these_panels(tmp_path: Path) -> None:
    px, mm = positions(500, 1)
    parts = written(split_of(tmp_path, spots(px, mm)), tmp_path / "parts.refl")
    detector = read(one_panel()).split({0: MODULES}).experiments.detectors[0]
    panel, own = parts.array("panel").astype(int), parts.array("xyzobs.px.value")[:, :2]
    expected = mm_from_px(own, panel, detector)
    assert parts.array("xyzobs.mm.value")[:, :2] == pytest.approx(expected, abs=ROUNDING_MM)
    size = np.array([shape.size_px for shape in detector.panels])[panel]
    assert (own >= 0).all()
    assert (own < size).all()


def test_spots_in_gaps_and_on_several_modules_are_left_out_and_counted(tmp_path: Path) -> None:
    y = np.array([100.0, 203.0, 194.9, 211.0, 618.9])
    px = np.column_stack([np.full(5, 50.5), y, np.full(5, 1.0)])
    moved = split_of(tmp_path, spots(px, px * 0.172, half=20))
    assert (moved.n_in_gaps, moved.n_across, moved.n_kept) == (2, 1, 2)
    assert moved.keep.tolist() == [True, False, False, False, True]
    moved = split_of(tmp_path, spots(px, px * 0.172, half=20, mask=1 | 2))
    assert (moved.n_in_gaps, moved.n_across, moved.n_cut) == (2, 0, 2)


@pytest.mark.parametrize("marker", [1, 2])
def test_masks_of_valid_pixels_on_other_modules_are_cleared(tmp_path: Path, marker: int) -> None:
    px = np.array([[50.5, 190.5, 1.0]])
    table = spots(px, px * 0.172, half=30, marker=marker, mask=1 | 2)
    parts = written(split_of(tmp_path, table), tmp_path / "parts.refl").columns["shoebox"].values
    assert isinstance(parts, bytes)
    n = 2 * 61 * 61
    width = 4 if marker == 1 else 1
    mask = np.frombuffer(parts, f"<i{width}", n, 29 + 4 * n).reshape(2, 61, 61)
    assert (mask[:, :35] == 3).all()
    assert (mask[:, 35:] == 0).all()


def test_shoeboxes_can_be_left_out(tmp_path: Path) -> None:
    px, mm = positions(50, 2)
    moved = split_of(tmp_path, spots(px, mm), with_shoeboxes=False)
    assert moved.left_out == ("shoebox",)
    assert "shoebox" not in written(moved, tmp_path / "parts.refl")


def test_shoeboxes_of_any_kinds_are_read_one_by_one(tmp_path: Path) -> None:
    px, mm = positions(3, 3)
    table = spots(px, mm)
    bbox = table.array("bbox").tolist()
    own = np.ones((2, 5, 5))
    mixed = shoebox(bbox[0], None, 0) + shoebox(bbox[1], own, 2) + shoebox(bbox[2], own, 1)
    table = replace(table, columns=table.columns | {"shoebox": Column("Shoebox<>", mixed)})
    parts = written(split_of(tmp_path, table), tmp_path / "parts.refl")
    assert parts.nrows == 3
    assert len(parts.columns["shoebox"].values) == len(mixed)


@pytest.mark.parametrize("change", ["short", "long", "marker", "bbox"])
def test_shoeboxes_that_cannot_be_read_are_refused(tmp_path: Path, change: str) -> None:
    px, mm = positions(3, 3)
    table = spots(px, mm)
    boxes = bytearray(table.columns["shoebox"].values)
    if change == "short":
        boxes = boxes[:-1]
    elif change == "long":
        boxes += b"\0"
    elif change == "marker":
        boxes[28] = 7
    else:
        boxes[7] = 0x7F
    columns = table.columns | {"shoebox": Column("Shoebox<>", bytes(boxes))}
    with pytest.raises(FileFormatError) as caught:
        split_of(tmp_path, replace(table, columns=columns))
    assert caught.value.code == "bad-column"
    assert "--no-shoeboxes" in caught.value.remedy
    split_of(tmp_path, replace(table, columns=columns), with_shoeboxes=False)


def test_columns_of_unknown_types_are_kept_only_where_no_row_is_left_out(tmp_path: Path) -> None:
    inside = np.column_stack([np.full(3, 50.5), np.full(3, 100.5), np.ones(3)])
    table = spots(inside, inside * 0.172)
    table = replace(table, columns=table.columns | {"new": Column("from the future", b"abc")})
    assert written(split_of(tmp_path, table), tmp_path / "b.refl").columns["new"].values == b"abc"
    inside[0, 1] = 200.0
    again = spots(inside, inside * 0.172)
    again = replace(again, columns=again.columns | {"new": Column("from the future", b"abc")})
    assert split_of(tmp_path, again).left_out == ("new",)


def test_spots_without_px_are_found_by_mm_and_those_not_observed_by_their_prediction(
    tmp_path: Path,
) -> None:
    px, mm = positions(200, 5)
    table = spots(px, mm)
    full = split_of(tmp_path, table)
    columns = {k: v for k, v in table.columns.items() if k not in ("xyzobs.px.value", "xyzcal.px")}
    assert np.array_equal(split_of(tmp_path, replace(table, columns=columns)).panel, full.panel)
    unseen = Column("vec3<double>", np.zeros((200, 3)))
    columns = table.columns | {"xyzobs.px.value": unseen, "xyzobs.mm.value": unseen}
    moved = split_of(tmp_path, replace(table, columns=columns))
    assert (moved.panel == full.panel).mean() > 0.99
    assert not written(moved, tmp_path / "b.refl").array("xyzobs.px.value").any()


def test_a_table_without_positions_or_of_other_panels_is_refused(tmp_path: Path) -> None:
    px, mm = positions(3, 3)
    table = spots(px, mm)
    few = {k: v for k, v in table.columns.items() if not k.startswith("xyz")}
    with pytest.raises(FileFormatError) as caught:
        split_of(tmp_path, replace(table, columns=few))
    assert caught.value.code == "missing-column"
    table.array("panel")[1] = 2
    with pytest.raises(FileFormatError, match="names panel 2, but the detector has one panel"):
        split_of(tmp_path, table)


def test_an_empty_table_stays_empty(tmp_path: Path) -> None:
    moved = split_of(tmp_path, spots(np.zeros((0, 3)), np.zeros((0, 3))))
    assert written(moved, tmp_path / "b.refl").nrows == 0


def test_the_file_of_a_one_panel_experiment_is_written_as_given(tmp_path: Path) -> None:
    path = write_expt(tmp_path / "a.expt", one_panel())
    assert ExperimentFile.read(path).data == path.read_bytes()
