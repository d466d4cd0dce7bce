"""What a whole process costs: wall clock, processor time, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """One process from start to end."""

    wall_s: float
    cpu_s: float
    """User and system, all threads and children."""
    peak_mb: float
    """Largest resident set."""


def cost_of(
    command: list[str],
    folder: Path,
    environment: dict[str, str] | None = None,
    *,
    fine: tuple[int, ...] = (0,),
) -> Cost:
    """Run a command in a folder and measure it; ends the program where its exit code is not one
    of ``fine``, for the time of a failure says nothing."""
    log = folder / "benchmark.log"
    begun = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in fine:
        sys.exit(f"{command[0]} failed:\n{log.read_text()[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024.0)
