"""docs/reference/json.md as a contract: which keys there are, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "json.md").read_text()
ROW = re.compile(r"^\| `(?P<key>[^`]+)` \| (?P<type>[^|]+) \|", re.MULTILINE)
Keys = dict[str, str]


def documented(*headings: str) -> Keys:
    """Key to type, of the tables under these headings."""
    found: Keys = {}
    for heading in headings:
        _, _, below = PAGE.partition(f"\n## {heading}\n")
        assert below, f"no section {heading}"
        rows = ROW.finditer(below.partition("\n## ")[0])
        found |= {row["key"]: row["type"].strip() for row in rows}
    return found


def within(prefix: str, keys: Keys) -> Keys:
    """The same keys below another one."""
    return {f"{prefix}.{key}": kind for key, kind in keys.items()}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no object and no array, with its key as the page writes it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[]")
    else:
        yield path, value


def is_of(value: Any, kind: str) -> bool:
    """Whether a value is of a documented type."""
    if value is None:
        return kind.endswith(" or null")
    kind = kind.removesuffix(" or null")
    if kind == "time":
        return (
            isinstance(value, str) and value.endswith("Z") and bool(datetime.fromisoformat(value))
        )
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"text": str, "true or false": bool}[kind])


def rare_keys(name: str, printed: set[str]) -> set[str]:
    """The documented keys that a command prints in other tests only."""
    # Arrays of problems, and what a new certification cannot have.
    rare = {"null_directions[]", "notices[]", "warnings[]", "environment_differences[]"}
    rare |= {"reflections.columns_left_out[]"}  # tests/files/test_modules.py
    rare |= {"notices[]"} if name in ("split", "merge") else set()
    rare |= {"files[].notices[]"}  # tests/cli/test_images.py
    rare |= {"parameters.obey_flags"}  # tests/flows/test_obeyed_flags.py
    rare |= {"timestamps[]"}  # tests/cli/test_timestamps.py
    rare |= {"datasets[].slips_deg[]"}  # tests/solve/test_slip.py
    # tests/solve/test_flagged.py, test_residual_reasons.py
    rare |= {"datasets[].disputed_panels[]", "datasets[].limited_panels[]"}
    rare |= {key for key in printed if key.endswith("moved_panels[]")}  # test_diff.py
    rare |= {key for key in printed if re.match(r"(holding|.*\.certification).*\.withdrawn\.", key)}
    rare |= {key for key in printed if name in ("certify", "resolve") and ".withdrawn." in key}
    rare |= {key for key in printed if key.startswith("certified[].withdrawn.")}
    rare |= {key for key in printed if key.startswith("misfits[]")}  # tests/flows/test_add.py
    rare |= {key for key in printed if key.startswith("groups[].")}  # below
    # tests/report/golden: parts of the data that disagree
    rare |= {key for key in printed if key.startswith(("warnings[].", "repeatability."))}
    rare |= {"comparisons[].panels[]"}
    rare |= {"structure.panels[]"}  # the golden texts
    rare |= {key for key in printed if key.startswith("prior.deviating[]")}  # the golden texts
    # Nothing is left out by reading it where nothing is read.
    rare |= {key for key in printed if name == "combine" and "left_out_rmsd_px" in key}
    return rare
