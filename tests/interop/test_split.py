"""Split and merge beside DIALS: its own modules of a real image, and tables that it reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calib.files.dials.refl import read_table
from calib.flows.layouts.split import SplitRequest, merge, split
from support.dials import Dials, run_script
from support.modules import one_panel, spots, write_expt, write_table

WRITE_MM = """
import json
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentListFactory
expt, = ExperimentListFactory.from_json_file("one.expt", check_format=False)
table = flex.reflection_table.from_file("one.refl")
mm = [(*expt.detector[0].pixel_to_millimeter(p[:2]), 0.0) for p in table["xyzobs.px.value"]]
table["xyzobs.mm.value"] = flex.vec3_double(mm)
table.as_file("one.refl")
print(json.dumps(len(table)))
"""
READ_SPLIT = """
import json
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentListFactory
expt, = ExperimentListFactory.from_json_file("split.expt", check_format=False)
table = flex.reflection_table.from_file("split.refl")
px, mm = table["xyzobs.px.value"], table["xyzobs.mm.value"]
off = max(
    abs(a - b)
    for p, m, n in zip(px, mm, table["panel"])
    for a, b in zip(expt.detector[n].pixel_to_millimeter(p[:2]), m[:2])
)
boxes = all(
    box.panel == n and tuple(box.bbox) == tuple(bbox) and box.is_consistent()
    for box, n, bbox in zip(table["shoebox"], table["panel"], table["bbox"])
)
print(json.dumps({"off": off, "boxes": boxes, "n": len(table), "panels": len(expt.detector)}))
"""
ROUNDING_MM = 1e-9


def test_splitting_an_imported_pilatus_image_gives_the_bytes_of_multi_panel(
    dials: Dials, real_data: Path, tmp_path: Path
) -> None:
    (image,) = (real_data / "image").glob("*.cbf.bz2")
    dials.run("dials.import", image, "output.experiments=one.expt", cwd=tmp_path)
    arguments = ("multi_panel=True", "output.experiments=modules.expt")
    dials.run("dials.import", image, *arguments, cwd=tmp_path)
    one, modules = (tmp_path / f"{name}.expt" for name in ("one", "modules"))
    split(SplitRequest(one, tmp_path / "split.expt"))
    ours = (tmp_path / "split.expt").read_bytes()
    identifiers = [json.loads(path.read_bytes())["experiment"][0] for path in (one, modules)]
    old, new = (entry["identifier"].encode() for entry in identifiers)
    assert ours.replace(old, new) == modules.read_bytes()
    merge(SplitRequest(modules, tmp_path / "merged.expt"))
    assert (tmp_path / "merged.expt").read_bytes().replace(new, old) == one.read_bytes()


@pytest.mark.long
def test_dials_finds_the_same_spots_on_the_modules_of_a_real_image(
    dials: Dials, real_data: Path, tmp_path: Path
) -> None:
    (image,) = (real_data / "image").glob("*.cbf.bz2")
    dials.run("dials.import", image, "output.experiments=one.expt", cwd=tmp_path)
    split(SplitRequest(tmp_path / "one.expt", tmp_path / "modules.expt"))
    for name in ("one", "modules"):
        output = f"output.reflections={name}.refl"
        dials.run("dials.find_spots", f"{name}.expt", "nproc=1", output, cwd=tmp_path)
    done = split(
        SplitRequest(tmp_path / "one.expt", tmp_path / "split.expt", tmp_path / "one.refl")
    )
    assert done.reflections is not None
    assert done.reflections.n_kept > 200
    ours, theirs = (read_table(tmp_path / f"{name}.refl") for name in ("split", "modules"))
    found = [
        {
            tuple(row)
            for row in np.column_stack(
                [table.array("panel"), table.array("xyzobs.px.value").round(6)]
            ).tolist()
        }
        for table in (ours, theirs)
    ]
    assert len(found[0] & found[1]) > 0.98 * ours.nrows


def test_dials_reads_a_table_that_was_split_and_places_its_spots_there(
    dials: Dials, tmp_path: Path
) -> None:
    rng = np.random.default_rng(4)
    px = np.column_stack([rng.uniform(0.0, size, 60) for size in (487, 619, 10)])
    expt = write_expt(tmp_path / "one.expt", one_panel())
    refl = write_table(tmp_path / "one.refl", spots(px, np.zeros((60, 3))))
    assert run_script(dials, WRITE_MM, tmp_path) == 60
    done = split(SplitRequest(expt, tmp_path / "split.expt", refl))
    assert done.reflections is not None
    found = run_script(dials, READ_SPLIT, tmp_path)
    assert found["off"] < ROUNDING_MM
    assert found["boxes"]
    assert found["n"] == done.reflections.n_kept == read_table(tmp_path / "split.refl").nrows
    assert found["panels"] == 3
