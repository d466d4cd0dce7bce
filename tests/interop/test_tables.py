"""Reflection tables: real DIALS writes and we read; we write and real DIALS reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.files.dials.refl import read_table, rewrite_columns, table_bytes
from support.dials import Dials, run_script

WRITE_TABLE = """
import json
from dials.array_family import flex
from dials.model.data import Shoebox
n = 5
t = flex.reflection_table()
t["b"] = flex.bool([True, False, True, True, False])
t["id"] = flex.int([0, 300, -1, 0, 300])
t["u"] = flex.size_t([0, 1, 2, 3, 2**31 - 1])
t["d"] = flex.double([0.1, -2e300, 1 / 3, 4.0, 5e-324])
t["v2"] = flex.vec2_double([(x, -x / 3) for x in range(n)])
t["v3"] = flex.vec3_double([(x, -x / 3, 1e-9 * x) for x in range(n)])
t["m"] = flex.mat3_double([[x + j / 7 for j in range(9)] for x in range(n)])
t["i6"] = flex.int6([(x, x + 1, 0, 2, -x, 3) for x in range(n)])
t["h"] = flex.miller_index([(x, -x, 2 * x) for x in range(n)])
boxes = flex.shoebox(flex.size_t(range(n)), flex.int6([(0, 2, 0, 3, 0, 1 + x) for x in range(n)]))
boxes.allocate()
for k, box in enumerate(boxes):
    for j in range(box.data.size()):
        box.data[j] = k + j / 9
        box.mask[j] = j
        box.background[j] = -j / 7
t["shoebox"] = boxes
t.experiment_identifiers()[0] = "aaaa"
t.experiment_identifiers()[300] = "bbbb"
t.as_file("t.refl")
print(json.dumps({
    "b": list(t["b"]), "id": list(t["id"]), "u": list(t["u"]), "d": list(t["d"]),
    "v2": list(t["v2"]), "v3": list(t["v3"]), "m": list(t["m"]), "h": list(t["h"]),
    "i6": [[x, x + 1, 0, 2, -x, 3] for x in range(n)],
}))
"""


COMPARE_TABLES = """
import json
from dials.array_family import flex
a, b = (flex.reflection_table.from_file(name) for name in ("t.refl", "changed.refl"))
same = sorted(key for key in a.keys() if key != "shoebox" and list(a[key]) == list(b[key]))
boxes = all(
    x.panel == y.panel and x.bbox == y.bbox and list(x.data) == list(y.data)
    and list(x.mask) == list(y.mask) and list(x.background) == list(y.background)
    for x, y in zip(a["shoebox"], b["shoebox"]))
print(json.dumps({
    "keys": sorted(b.keys()), "same": same, "boxes": boxes and len(b["shoebox"]) == 5,
    "v3": list(b["v3"]), "total": sum(sum(x.data) for x in b["shoebox"]),
    "identifiers": sorted(b.experiment_identifiers().values()),
}))
"""


def test_every_type_of_column_that_dials_writes_is_read(dials: Dials, tmp_path: Path) -> None:
    printed = run_script(dials, WRITE_TABLE, tmp_path)
    table = read_table(tmp_path / "t.refl")
    assert table.identifiers == {0: "aaaa", 300: "bbbb"}
    assert table_bytes(table) == (tmp_path / "t.refl").read_bytes()
    for name, values in printed.items():
        ours = table.array(name)
        np.testing.assert_array_equal(ours, np.array(values).reshape(ours.shape), err_msg=name)


def test_dials_finds_everything_but_the_rewritten_column_as_it_was(
    dials: Dials, tmp_path: Path
) -> None:
    run_script(dials, WRITE_TABLE, tmp_path)
    new = np.arange(15.0).reshape(5, 3) / 7
    rewrite_columns(tmp_path / "t.refl", tmp_path / "changed.refl", {"v3": new})
    printed = run_script(dials, COMPARE_TABLES, tmp_path)
    columns = ["b", "d", "h", "i6", "id", "m", "shoebox", "u", "v2", "v3"]
    assert printed["keys"] == columns
    assert printed["same"] == [c for c in columns if c not in ("shoebox", "v3")]
    assert printed["boxes"]
    assert printed["total"] > 0
    assert printed["identifiers"] == ["aaaa", "bbbb"]
    np.testing.assert_array_equal(printed["v3"], new)
