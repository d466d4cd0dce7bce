"""One-panel data as they were integrated, against the same data that others split into modules.

The integrated tables of L-cysteine have 1.9 times as many reflections as those of the modules, most
of them weak, so the two derivations differ by the noise of these: 4 um in the plane, and a larger
RMSD. With the same reflections and flags they agree.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.files.dials.refl import Table, read_table, table_bytes
from calib.model.base.arrays import Floats, Ints
from support.commands import done

SCANS = ("20", "25")
IN_PLANE_UM, ALONG_NORMAL_UM, RMSD_RATIO = 3.0, 3.0, 0.02
CENTROID, VARIANCE = "xyzobs.px.value", "xyzobs.mm.variance"


def on_image(folder: Path, scan: str) -> tuple[Table, Floats]:
    """The reflections on modules, and their positions (n, 3) in px of the whole image."""
    table = read_table(folder / f"s{scan}.refl")
    (detector,) = json.loads((folder / f"s{scan}.expt").read_text())["detector"]
    offset = np.array([panel["raw_image_offset"] for panel in detector["panels"]])
    px = np.array(table.array(CENTROID))
    px[:, :2] += offset[table.array("panel").astype(int)]
    return table, px


def partners(folder: Path, scan: str) -> tuple[Table, Table, Ints]:
    """The table of the modules, that of the one panel, and (n,) for each row of the first the row
    of the second with the same index and position."""
    several, px = on_image(folder, scan)
    whole = read_table(folder / f"single_{scan}.refl")
    where = {
        (*index, *np.round(centroid, 3).tolist()): row
        for row, (index, centroid) in enumerate(
            zip(whole.array("miller_index").tolist(), whole.array(CENTROID), strict=True)
        )
    }
    keys = zip(several.array("miller_index").tolist(), np.round(px, 3).tolist(), strict=True)
    return several, whole, np.array([where[(*index, *centroid)] for index, centroid in keys])


@pytest.mark.parametrize("scan", SCANS)
def test_integrated_tables_contain_the_reflections_of_the_modules(
    real_data: Path, scan: str
) -> None:
    several, whole, rows = partners(real_data / "lcysteine_2M", scan)
    assert len(set(rows.tolist())) == several.nrows < 0.55 * whole.nrows


def write_matched(folder: Path, scan: str, target: Path) -> tuple[Path, Path]:
    """The one-panel data with the reflections and flags of the modules only."""
    several, whole, rows = partners(folder, scan)
    columns = {
        name: column._replace(values=column.values[rows])
        for name, column in whole.columns.items()
        if isinstance(column.values, np.ndarray)
    }
    columns["flags"] = columns["flags"]._replace(values=several.array("flags"))
    expt, refl = target / f"single_{scan}.expt", target / f"single_{scan}.refl"
    table = Table(len(rows), whole.identifiers, columns, whole.version)
    refl.write_bytes(table_bytes(table))
    expt.write_bytes((folder / expt.name).read_bytes())
    return expt, refl


@pytest.mark.long
def test_the_same_reflections_on_one_panel_and_on_modules_give_one_calibration(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = real_data / "lcysteine_2M"
    monkeypatch.setenv("CALIB_STORE", str(tmp_path / "calib.sqlite"))
    done("init")
    words = ("--serial", "24-0107", "--no-images", "--json")
    modules = [folder / f"s{scan}.{end}" for scan in SCANS for end in ("expt", "refl")]
    single = [path for scan in SCANS for path in write_matched(folder, scan, tmp_path)]
    rmsd = [_rmsd_px(done("derive", *paths, *words).json) for paths in (modules, single)]
    assert np.abs(rmsd[1] / rmsd[0] - 1.0).max() < RMSD_RATIO
    found = done("diff", "24-0107:1", "24-0107:2", "--json").json
    assert found["rms_shift_um"]["in_plane"] < IN_PLANE_UM
    assert found["rms_shift_um"]["normal"] < ALONG_NORMAL_UM


def _rmsd_px(view: Any) -> Floats:
    used = view["rmsd_px"]["after"]["used"]
    return np.array([used["x"], used["y"]])
