"""The house keeps its measure: short files, rooms that can be looked over."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
LONGEST = 400
"""Lines of a file."""
MOST = 20
"""Python files of a folder under ``calib/`` and ``cli/``."""
CODE = [path for folder in ("calib", "cli") for path in (ROOT / folder).rglob("*.py")]
EVERYTHING = [
    *CODE,
    *(
        path
        for folder in ("tests", "benchmarks", "migrations", "fixtures")
        for path in (ROOT / folder).rglob("*.py")
    ),
]


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_no_file_is_too_long_to_be_read() -> None:
    long = {str(path.relative_to(ROOT)): lines_of(path) for path in EVERYTHING}
    assert {name: n for name, n in long.items() if n > LONGEST} == {}


def test_the_usual_file_is_of_a_page_or_three() -> None:
    sizes = [lines_of(path) for path in CODE if path.name != "__init__.py"]
    assert 80 <= median(sizes) <= 200


def test_no_folder_is_too_full_to_be_looked_over() -> None:
    rooms = Counter(str(path.parent.relative_to(ROOT)) for path in CODE)
    assert {room: n for room, n in rooms.items() if n > MOST} == {}
