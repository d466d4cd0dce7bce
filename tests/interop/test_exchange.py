"""One calibration in the formats of several programs: every pixel corner at the same place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import fabio
import h5py
import numpy as np
import pytest

from calib.errors import CalibError
from calib.files.exchange.crystfel import crystfel_from_lab, group_lines, panel_names
from calib.files.exchange.geocorr import displacements_px
from calib.files.exchange.source import ExportSource
from calib.files.exchange.table_sign import TableSign
from calib.files.writer import ExportFormat
from calib.flows.exchange.export import export_geometry, source_like
from calib.flows.shared.images import ImagePlaces
from calib.model.base.arrays import Floats
from calib.model.detector.layout import PanelGroup
from calib.model.experiment.experiment import Detector
from calib.store.store import Store
from support.calibrated import SERIAL, calibrated
from support.dials import Dials, run_script
from support.modules import PILATUS_300K, one_panel, write_expt

ONE_MICROMETRE_MM = 1e-3
TENTH_MICROMETRE_MM = 1e-4


class Case(NamedTuple):
    """A calibrated PILATUS 300K, tilted, in a store."""

    store: Store
    like: Path
    source: ExportSource

    def write(self, form: ExportFormat, output: Path, **options: Any) -> tuple[Path, ...]:
        done = export_geometry(
            self.store,
            f"{SERIAL}:1",
            form=form,
            serial=None,
            like=self.like,
            distance_mm=None,
            output=output,
            **options,
        )
        return done.outputs


@pytest.fixture
def case(store: Store, tmp_path: Path) -> Case:
    like = write_expt(tmp_path / "one.expt", one_panel(identifier="PILATUS 300K, S/N X-1"))
    calibrated(store, like, "PILATUS 300K")
    found = store.calibrations.get(f"{SERIAL}:1", None)
    record = store.detectors.get(SERIAL)
    return Case(store, like, source_like(store, record, found, like, ImagePlaces()))


def corners_mm(detector: Detector, panel: int) -> Floats:
    """(rows + 1, columns + 1, 3) the corners of the pixels of a panel in the laboratory."""
    shape = detector.panels[panel]
    fast, slow = np.meshgrid(*(np.arange(n + 1) for n in shape.size_px))
    at = np.stack([fast, slow], axis=-1) * shape.pixel_mm
    frames = detector.frames
    return np.asarray(at @ frames.rotation[panel][:, :2].T + frames.origin_mm[panel])


READ_XDS = """
import json
from iotbx.xds import xds_inp
read = xds_inp.reader()
read.read_file("XDS.INP")
names = ("segment", "segment_orgx", "segment_orgy", "segment_distance",
    "direction_of_segment_x_axis", "direction_of_segment_y_axis")
out = {name: getattr(read, name) for name in names}
out["head"] = [read.orgx, read.orgy, read.detector_distance, read.px, read.py, read.nx, read.ny]
out["beam"] = read.incident_beam_direction
print(json.dumps(out))
"""


def test_xds_places_every_pixel_corner_by_its_segments(
    dials: Dials, case: Case, tmp_path: Path
) -> None:
    """The reader is that of cctbx, and the formula XDS's own: calib.files.exchange.xds."""
    case.write(ExportFormat.XDS, tmp_path / "XDS.INP")
    read = run_script(dials, READ_XDS, tmp_path)
    orgx, orgy, distance, qx, qy, width, height = read["head"]
    detector, turn = case.source.calibrated.detector, case.source.flat_frame().rotation
    assert (width, height) == PILATUS_300K
    for k, shape in enumerate(detector.panels):
        first, last, top, bottom = read["segment"][k]
        assert (last - first + 1, bottom - top + 1) == shape.size_px
        assert [first - 1, top - 1] == case.source.offsets_px()[k].tolist()
        x, y = (np.array(read[f"direction_of_segment_{axis}_axis"][k]) for axis in "xy")
        ix, iy = np.meshgrid(np.arange(first - 0.5, last + 1), np.arange(top - 0.5, bottom + 1))
        found = (
            qx * (ix - read["segment_orgx"][k])[..., None] * x
            + qy * (iy - read["segment_orgy"][k])[..., None] * y
            + read["segment_distance"][k] * np.cross(x, y)
            + [-orgx * qx, -orgy * qy, distance]
        )
        assert np.abs(found @ turn.T - corners_mm(detector, k)).max() < ONE_MICROMETRE_MM
    beam = -case.source.calibrated.beam.direction
    assert np.allclose(turn @ read["beam"], beam, atol=1e-9)


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (0.003, -0.002, 1.0)])
def test_cfelpyutils_places_every_pixel_corner_of_a_plain_geometry(
    case: Case, tmp_path: Path, direction: tuple[float, float, float]
) -> None:
    crystfel = pytest.importorskip("cfelpyutils.geometry", reason="cfelpyutils is absent")
    content = json.loads(case.like.read_text())
    content["beam"][0]["direction"] = list(direction)
    case.like.write_text(json.dumps(content))
    (path,) = case.write(ExportFormat.CRYSTFEL_PLAIN, tmp_path / "plain.geom")
    geometry = crystfel.load_crystfel_geometry(str(path))
    detector = case.source.calibrated.detector
    turn = crystfel_from_lab(np.array(direction))
    offsets = case.source.offsets_px()
    for k, panel in enumerate(geometry.detector["panels"].values()):
        shape = detector.panels[k]
        assert [panel["orig_min_fs"], panel["orig_min_ss"]] == offsets[k].tolist()
        fast, slow = np.meshgrid(*(np.arange(n + 1) for n in shape.size_px))
        fs, ss = (
            np.array([panel[f"{axis}{c}"] for c in "xyz"]) * 1e3 / panel["res"]
            for axis in ("fs", "ss")
        )
        corner = np.array([panel["cnx"], panel["cny"], 0.0]) * 1e3 / panel["res"]
        corner[2] = 1e3 * (panel["clen"] + panel["coffset"])
        found = (fast[..., None] * fs + slow[..., None] * ss + corner) @ turn
        assert np.abs(found - corners_mm(detector, k)).max() < ONE_MICROMETRE_MM
    assert geometry.beam["photon_energy"] == pytest.approx(12398.4198 / 0.97, rel=1e-6)


def pyfai_corners(path: Path) -> tuple[Floats, Floats]:
    """Corners and mask as pyFAI reads them."""
    detectors = pytest.importorskip("pyFAI.detectors", reason="pyFAI is absent")
    read = detectors.NexusDetector(str(path))
    return read.get_pixel_corners(), read.mask


def stored_corners(path: Path) -> tuple[Floats, Floats]:
    """Corners and mask as they are in the file."""
    with h5py.File(path) as file:
        group = file["entry_0000/pyFAI/calibrated_detector"]
        return group["pixel_corners"][()], group["mask"][()]


@pytest.mark.parametrize(
    "read", [stored_corners, pytest.param(pyfai_corners, marks=pytest.mark.long)]
)
def test_pyfai_places_every_pixel_corner(
    case: Case, tmp_path: Path, read: Callable[[Path], tuple[Floats, Floats]]
) -> None:
    (path,) = case.write(ExportFormat.PYFAI, tmp_path / "detector.h5")
    corners, mask = read(path)
    detector, frame = case.source.calibrated.detector, case.source.flat_frame()
    sign = 1.0 if frame.rotation[:, 2] @ -case.source.calibrated.beam.direction > 0 else -1.0
    valid = np.zeros(mask.shape, dtype=np.bool_)
    for k, (x, y) in enumerate(case.source.offsets_px().tolist()):
        columns, rows = detector.panels[k].size_px
        valid[y : y + rows, x : x + columns] = True
        expected = corners_mm(detector, k)
        for number, (slow, fast) in enumerate([(0, 0), (1, 0), (1, 1), (0, 1)]):
            found = 1e3 * corners[y : y + rows, x : x + columns, number, ::-1].astype(np.float64)
            lab = found * [1.0, 1.0, sign] @ frame.rotation.T + frame.translation_mm
            there = expected[slow : slow + rows, fast : fast + columns]
            assert np.abs(lab - there).max() < TENTH_MICROMETRE_MM
    assert np.array_equal(mask == 0, valid)


def test_tables_state_their_sign_and_move_pixels_to_ideal_positions(
    case: Case, tmp_path: Path
) -> None:
    """The ideal position is where the ray meets the nominal plane."""
    detector, offsets = case.source.calibrated.detector, case.source.offsets_px()
    expected = displacements_px(case.source)
    for sign, factor in ((TableSign.PLUS, 1.0), (TableSign.MINUS, -1.0)):
        paths = case.write(ExportFormat.GEOCORR, tmp_path / f"{sign.value}.cbf", sign=sign)
        images = [fabio.open(str(path)) for path in paths]
        for axis, image in enumerate(images):
            assert f"sign {sign.value}:" in image.header["_array_data.header_contents"]
            assert image.data.dtype == np.int32
            assert np.abs(factor * image.data / 100.0 - expected[..., axis]).max() <= 0.00501
    assert np.abs(expected).max() > 0.1
    k, centre = 1, np.array([[200.5, 100.5]])
    x, y = (centre[0] + offsets[k] - 0.5).astype(int)
    frames = detector.frames
    point = frames.rotation[k] @ np.append(centre[0] * 0.172, 0.0) + frames.origin_mm[k]
    nominal = case.source.nominal
    normal = nominal.rotation[k][:, 2]
    met = point * (normal @ nominal.origin_mm[k]) / (normal @ point)
    ideal = nominal.rotation[k][:, :2].T @ (met - nominal.origin_mm[k]) / 0.172
    assert expected[y, x] == pytest.approx(ideal - centre[0], abs=1e-9)


@pytest.mark.parametrize("form", ExportFormat)
def test_an_export_is_replaced_by_one_of_the_same_format(
    case: Case, tmp_path: Path, form: ExportFormat
) -> None:
    written = case.write(form, tmp_path / "out.file")
    before = [path.read_bytes() for path in written]
    with pytest.raises(CalibError) as caught:
        case.write(form, tmp_path / "out.file")
    assert caught.value.code == "output-exists"
    assert case.write(form, tmp_path / "out.file", force=True) == written
    assert [path.read_bytes() for path in written] == before


def test_groups_of_crystfel_hold_the_groups_and_panels_below_them() -> None:
    groups = (
        PanelGroup("Q0", 1, (0, 1, 2)),
        PanelGroup("Q1", 1, (3,)),
        PanelGroup("S0", 2, (0, 1)),
    )
    lines = list(group_lines(["a", "b", "c", "d"], groups))
    assert lines == [
        "group_g0 = a,b",
        "group_g1 = g0,c",
        "group_g2 = d",
        "group_all = g2,g1",
    ]
    assert panel_names(["bad 1", "row-01", "row-01"]) == ["p0", "p1", "p2"]
    assert panel_names(["bad 1", "row-01"]) == ["p_bad_1", "row-01"]


def test_crystfel_gets_units_and_groups_or_bare_numbers(case: Case, tmp_path: Path) -> None:
    full, plain = (
        case.write(form, tmp_path / form.value)[0].read_text()
        for form in (ExportFormat.CRYSTFEL, ExportFormat.CRYSTFEL_PLAIN)
    )
    assert re.search(r"^clen = \d+\.\d{6} m$", full, re.MULTILINE)
    assert full.splitlines()[-1] == "group_all = Panel0,Panel1,Panel2"
    bare = re.sub(r" (m|eV)$", "", full.partition("\ngroup_")[0], flags=re.MULTILINE)
    assert bare.strip() == plain.strip()
