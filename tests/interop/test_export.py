"""Calibrated geometry as DIALS itself takes it over, by the command that calib prints."""

from __future__ import annotations

import bz2
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.files.dials.expt import ExperimentFile
from calib.files.writer import ExportFormat
from calib.flows.exchange.export import export_geometry
from calib.store.store import Store
from support.calibrated import SERIAL, calibrated
from support.dials import Dials, run_script

IMAGE_SERIAL = "60-0119"
"""In the header of the real image, which ``like`` is compared with."""
FRAMES = ("fast_axis", "slow_axis", "origin")
COMPARE = """
import json
from dxtbx.model.experiment_list import ExperimentListFactory
plain, reference = (
    ExperimentListFactory.from_json_file(name, check_format=False)[0].detector
    for name in ("plain.expt", "reference.expt")
)
print(json.dumps(reference.is_similar_to(plain, static_only=True)))
"""


def exported(store: Store, like: Path, output: Path, serial: str = SERIAL) -> str:
    done = export_geometry(
        store,
        f"{serial}:1",
        form=ExportFormat.DIALS,
        serial=None,
        like=like,
        distance_mm=None,
        output=output,
    )
    return done.hint


def without_frames(detector: dict[str, Any]) -> dict[str, Any]:
    """A detector without the places of its panels; groups keep theirs."""
    panels = [{k: v for k, v in one.items() if k not in FRAMES} for one in detector["panels"]]
    return {**detector, "panels": panels}


@pytest.mark.parametrize(
    "name",
    [
        "08-export-tree/cspad.expt",
        "09-export-trusted-range/timepix.expt",
        "09-export-trusted-range/timepix_gain3.expt",
    ],
)
def test_all_but_the_places_of_panels_is_as_in_the_experiments_given(
    public_cases: Path, store: Store, tmp_path: Path, name: str
) -> None:
    """Cases 08 and 09: trees, trusted ranges, gains, pedestals and masks were lost."""
    like, output = public_cases / name, tmp_path / "reference.expt"
    calibrated(store, like)
    hint = exported(store, like, output)
    assert "multi_panel" not in hint  # these were imported without
    (old,), (new,) = (json.loads(path.read_bytes())["detector"] for path in (like, output))
    assert without_frames(new) == without_frames(old)
    assert new != old
    written = ExperimentFile.read(output).experiments
    assert (len(written.experiments), written.scans, written.crystals) == (1, (), ())


def test_dials_accepts_the_reference_of_a_detector_with_a_tree(
    public_cases: Path, dials: Dials, store: Store, tmp_path: Path
) -> None:
    like = public_cases / "08-export-tree" / "cspad.expt"
    calibrated(store, like)
    exported(store, like, tmp_path / "reference.expt")
    (tmp_path / "plain.expt").write_bytes(like.read_bytes())
    assert run_script(dials, COMPARE, tmp_path) is True


def test_the_printed_command_imports_images_with_calibrated_panels(
    dials: Dials, real_data: Path, store: Store, tmp_path: Path
) -> None:
    """Also for a file of one panel, which is split first."""
    (packed,) = (real_data / "image").glob("*.cbf.bz2")
    image = tmp_path / packed.stem
    image.write_bytes(bz2.decompress(packed.read_bytes()))
    for name, several in (("plain", True), ("one", False)):
        words = (f"multi_panel={several}", f"output.experiments={name}.expt")
        dials.run("dials.import", image, *words, cwd=tmp_path)
    plain = tmp_path / "plain.expt"
    calibrated(store, plain, serial=IMAGE_SERIAL)
    for like in (plain, tmp_path / "one.expt"):
        output = tmp_path / f"reference of {like.stem}.expt"
        program, *given = shlex.split(
            exported(store, like, output, IMAGE_SERIAL).removeprefix("Use it with ")
        )
        assert program == "dials.import"
        result = f"output.experiments={like.stem}_imported.expt"
        dials.run(program, image, *given, result, cwd=tmp_path)
        before, after = (
            json.loads(path.read_bytes())
            for path in (plain, tmp_path / f"{like.stem}_imported.expt")
        )
        for key in ("beam", "goniometer", "scan", "imageset"):
            assert after[key] == before[key], key
        ((old,), (new,)) = before["detector"], after["detector"]
        assert without_frames(new) == without_frames(old)
        frames = ExperimentFile.read(output).experiments.detectors[0].frames
        taken = ExperimentFile.read(tmp_path / f"{like.stem}_imported.expt").experiments
        np.testing.assert_allclose(
            taken.detectors[0].frames.origin_mm, frames.origin_mm, rtol=0, atol=1e-9
        )
        assert np.abs(frames.origin_mm - detector_origins(plain)).max() > 1e-3


def detector_origins(path: Path) -> Any:
    return ExperimentFile.read(path).experiments.detectors[0].frames.origin_mm
