"""--csv prints the values of --json as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from support.commands import calib, done


def rows(*words: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done(*words, "--csv").stdout)))


def test_tables_have_the_values_of_json(certified: Path) -> None:
    assert certified == Path.cwd()
    for row, line in zip(rows("list"), done("list", "--json").json, strict=True):
        assert row["calibration"] == line["calibration"] and row["id"] == line["id"]
        assert int(row["n_reflections"]) == line["n_reflections"]
    panels = done("show", "24-0107:3", "--json").json["panels"]
    for row, panel in zip(rows("show", "24-0107:3"), panels, strict=True):
        assert float(row["dz_mm"]) == panel["dz_mm"]
        assert float(row["sigma_rx_mrad"]) == panel["sigma"]["rx_mrad"]
    done("apply", "imported.expt", "-o", "out.expt", "--calibration", "24-0107:3")
    found = done("affected", "24-0107:3", "--json").json["files"]
    for row, one in zip(rows("affected", "24-0107:3"), found, strict=True):
        assert row["applied_by"] == one["applied"]["by"]
        assert float(row["distance_mm"]) == one["distance_mm"]
    assert calib("list", "--json", "--csv").code == 2
