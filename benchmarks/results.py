"""``results.md``: one section per benchmark, replaced when that benchmark runs."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

PLACE = Path(__file__).parent / "results.md"
_TITLE = "# Benchmarks\n"


def write_section(name: str, command: str, lines: Sequence[str]) -> None:
    """Replace the section of that name; other sections are kept."""
    text = PLACE.read_text(encoding="utf-8") if PLACE.exists() else _TITLE
    setup = f"`{command}` on {_machine()}."
    body = "\n".join([f"## {name.capitalize()}", "", setup, "", *lines]).rstrip() + "\n"
    print(body, flush=True)
    found = re.search(rf"^## {name.capitalize()}\n.*?(?=^## |\Z)", text, flags=re.M | re.S)
    if found is None:
        text = f"{text.rstrip()}\n\n{body}"
    else:
        text = f"{text[: found.start()]}{body}\n{text[found.end() :]}".rstrip() + "\n"
    PLACE.write_text(text, encoding="utf-8")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"a {platform.machine()} machine with {os.cpu_count()} cores and {memory:.0f} GiB, "
        f"Python {platform.python_version()}"
    )
