"""``python -m benchmarks.truth.beside_dials``: who comes closer to the true panels.

Ten simulated scans, one effect each, are derived by calib and refined by ``dials.refine`` with each
panel on its own, with its defaults and tuned. All get the same files; errors are those of the
corners of the panels that calib measured, after the best rigid alignment.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import calib
from benchmarks.truth.cases import SCAN, Case
from benchmarks.truth.scenes import SERIAL, Scene, scene_of
from calib.files.dials.expt import ExperimentFile
from calib.files.writer import write_dataset
from calib.model.base.arrays import Bools
from calib.model.detector.correction import Correction
from calib.model.result.corner_errors import CornerErrors
from calib.simulate.score import corner_errors

EFFECTS = (
    ("nothing", 0.0),
    ("crystal-drift", 2.0),
    ("slip", 1.0),
    ("beam-drift", 0.3),
    ("detector-drift", 30.0),
    ("spindle", 0.3),
    ("symmetry", 0.05),
    ("tails", 10.0),
    ("second-lattice", 0.01),
    ("bow", 100.0),
)
"""Each with its size, in the unit of the catalogue of effects."""
CASES = tuple(
    Case(
        effect,
        size,
        70,
        *((3, "far", SCAN, 80), (24, "far", SCAN, 30))[number % 2],
        40_000 + number,
    )
    for number, (effect, size) in enumerate(EFFECTS)
)
DEFAULTS = ("hierarchy_level=1", "auto_reduction.action=remove")
"""By default dials.refine ends with an error at the first panel with too few reflections, with
``fix`` in DIALS 3.12 at the second, scan-varying pass."""
TUNED = (*DEFAULTS, "beam.fix=wavelength", "outlier.algorithm=tukey", "separate_panels=True")
"""Other engines than the default fail: one is not compiled in, one needs a definite matrix."""
_HEAD = (
    "| case | calib um in plane / out / seen | CPU s | dials.refine, defaults | CPU s | "
    "dials.refine, tuned | CPU s |",
    "|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Reached:
    """How far from the truth a program's panels are, and what it cost."""

    errors: CornerErrors
    cpu_s: float

    def cells(self) -> str:
        """Two cells of the table."""
        one = self.errors
        um = f"{one.in_plane_um:.1f} / {one.normal_um:.1f} / {one.seen_um:.1f}"
        return f"{um} | {self.cpu_s:.0f}"


def main() -> int:
    """Print the table row by row; ends with 1 where DIALS is closer in the plane, or as seen."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth.beside_dials")
    parser.add_argument("--only", default="", metavar="WORD", help="a word in the case's name")
    arguments = parser.parse_args()
    program = shutil.which("dials.refine")
    if program is None:
        sys.exit("dials.refine is not installed.")
    print("\n".join(_HEAD), flush=True)
    farther = 0
    for case in CASES:
        if arguments.only in case.name:
            mine, *theirs = _compared(case, program)
            cells = " | ".join(one.cells() if one else "failed | -" for one in (mine, *theirs))
            print(f"| {case.name} | {cells} |", flush=True)
            farther += any(one is not None and _closer(one, mine) for one in theirs)
    return int(farther > 0)


def _closer(theirs: Reached, mine: Reached) -> bool:
    return (
        theirs.errors.in_plane_um < mine.errors.in_plane_um
        or theirs.errors.seen_um < mine.errors.seen_um
    )


def _compared(case: Case, program: str) -> tuple[Reached, Reached | None, Reached | None]:
    scene = scene_of(case)
    with tempfile.TemporaryDirectory(prefix="calib-beside-") as name:
        folder = Path(name)
        files = [path for data in scene.datasets for path in write_dataset(data, folder)]
        store = folder / "calib.db"
        calib.Store.create(store)
        begun = process_time()
        derived = calib.derive(
            files, store=store, by="beside", serial=SERIAL, force_serial=True, workers=0
        )
        cpu_s = process_time() - begun
        estimate = derived.record.estimate
        mine = Reached(_errors(scene, estimate.correction, estimate.measured), cpu_s)
        defaults, tuned = (
            _refined(scene, [program, *map(str, files), *options], folder, estimate.measured)
            for options in (DEFAULTS, TUNED)
        )
    return mine, defaults, tuned


def _refined(scene: Scene, command: Sequence[str], folder: Path, chosen: Bools) -> Reached | None:
    """None if dials.refine ends with an error."""
    foreign = ("PYTHON", "VIRTUAL")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    output = folder / "refined.expt"
    output.unlink(missing_ok=True)
    before = os.times()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, check=False, timeout=7200
    )
    after = os.times()
    if done.returncode != 0 or not output.exists():
        print(done.stderr.decode(errors="replace")[-2000:], file=sys.stderr)
        return None
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    frames = ExperimentFile.read(output).root_frames(0)
    return Reached(_errors(scene, Correction.between(scene.layout, frames), chosen), cpu_s)


def _errors(scene: Scene, correction: Correction, chosen: Bools) -> CornerErrors:
    return corner_errors(scene.layout, correction, scene.truth, scene.pose, chosen)


if __name__ == "__main__":
    sys.exit(main())
