"""Scaling of a derivation with the number of reflections; the data are kept in a cache folder.

Each kind of data consists of parts of equal size, so that only their number differs.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from benchmarks.data import OF_A_SCAN, OF_A_STILL, SERIAL, scans_files, stills_files
from benchmarks.measure import Cost

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
"""Reflections."""


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of data in several sizes."""

    name: str
    what: str
    """Description for the results."""
    of_a_part: int
    """Reflections in each part."""
    files: Callable[[int, Path], list[Path]]
    """Writes data with that number of reflections to a folder."""
    words: tuple[str, ...] = ()
    """Options of ``calib derive`` for these data."""


SERIES = (
    Series(
        "scans",
        f"scans of {OF_A_SCAN} reflections (10000 of a single shorter one), each with its files, "
        "its pose and its crystal",
        OF_A_SCAN,
        scans_files,
    ),
    Series(
        "stills",
        f"stills of {OF_A_STILL} reflections, each with its crystal, all in one pose and in one "
        "pair of files",
        OF_A_STILL,
        stills_files,
        ("--serial", SERIAL),
    ),
)


def kept_files(series: Series, n_reflections: int, cache: Path) -> list[Path]:
    """The files of one size, generated unless they exist."""
    place = cache / f"{series.name}-{_recipe()}-{n_reflections}"
    if not place.exists():
        draft = place.with_name(f"draft-{place.name}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        series.files(n_reflections, draft)
        draft.rename(place)
    return sorted(place.iterdir())


def scaling(
    series: Series, most: int, cache: Path, cost_of: Callable[[Sequence[Path], Sequence[str]], Cost]
) -> list[str]:
    """Measure derivations of up to ``most`` reflections; returns lines of Markdown."""
    rows = [
        f"| reflections | {series.name} | wall s | CPU s | peak MB | wall, CPU us each |",
        "|---|---|---|---|---|---|",
    ]
    for n in (size for size in SIZES if size <= most):
        cost = cost_of(kept_files(series, n, cache), series.words)
        wall, cpu = (1e6 * seconds / n for seconds in (cost.wall_s, cost.cpu_s))
        rows.append(
            f"| {n} | {max(n // series.of_a_part, 1)} | {cost.wall_s:.1f} | {cost.cpu_s:.1f} | "
            f"{cost.peak_mb:.0f} | {wall:.1f}, {cpu:.1f} |"
        )
        print(rows[-1], flush=True)
    return rows


def _recipe() -> str:
    """Hash of the code that generates the files, so that outdated files are not used."""
    text = Path(data.__file__).read_bytes()
    return hashlib.sha256(text).hexdigest()[:8]
