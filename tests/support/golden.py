"""Golden texts: what was shown once, read by a person, and kept beside the test.

They are renewed by one command, which writes the files and then fails, so that no run of the tests
passes on texts that it wrote itself:

    CALIB_RENEW_GOLDEN=words python -m pytest tests/report/golden -n 0

``words`` accepts changed words and refuses a changed, moved or missing number or arrow;
``all`` accepts everything, and the difference is to be read line by line before it is committed.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VARIABLE = "CALIB_RENEW_GOLDEN"
_FIGURE = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|[←-↙]")
_WRAPPED = re.compile(r"\.\d+\.txt$")
"""Texts of some width: a table may be cut into other parts when a word changes."""


def compare(folder: Path, texts: Mapping[str, str]) -> None:
    """Fail unless each text is that of the file of its name; or write them, and fail."""
    how = os.environ.get(VARIABLE, "")
    if how:
        _renew(folder, texts, how)
    for name, text in texts.items():
        path = folder / name
        golden = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text == golden, (
            f"{name} is not as the golden file has it; {VARIABLE} renews it (support/golden.py).\n"
            + _difference(golden, text)
        )


def json_text(view: Any) -> str:
    """A view as indented JSON; the last digits of floats, which depend on the processor, rounded
    away."""
    return json.dumps(_rounded(view), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def figures(text: str) -> list[str]:
    """The numbers and arrows of a text, in order."""
    return _FIGURE.findall(text)


def _renew(folder: Path, texts: Mapping[str, str], how: str) -> None:
    assert how in {"words", "all"}, f"{VARIABLE} is 'words' or 'all', not {how!r}"
    changed = []
    for name, text in texts.items():
        path = folder / name
        golden = path.read_text(encoding="utf-8") if path.exists() else ""
        if golden and how == "words" and not _WRAPPED.search(name):
            assert figures(text) == figures(golden), (
                f"{name} has other numbers than before, not only other words.\n"
                + _difference(golden, text)
            )
        if text != golden:
            changed.append(name)
    for name in changed:
        (folder / name).write_text(texts[name], encoding="utf-8")
    raise AssertionError(
        f"renewed: {', '.join(changed) or 'nothing'}; run again without {VARIABLE}"
    )


def _difference(golden: str, text: str) -> str:
    lines = difflib.unified_diff(
        golden.splitlines(), text.splitlines(), "golden", "now", lineterm="", n=1
    )
    return "\n".join(list(lines)[:80])


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.10g}")
    if isinstance(value, Mapping):
        return {key: _rounded(own) for key, own in value.items()}
    return [_rounded(own) for own in value] if isinstance(value, list) else value
