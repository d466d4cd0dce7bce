"""Wall time, CPU time and memory of a command with its child processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_EVERY_S = 0.05
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one command from start to end."""

    wall_s: float
    cpu_s: float
    """User and system time of all threads and processes."""
    peak_mb: float
    """Largest sum of the resident sets of the command and its processes; shared pages count once
    per process."""


def cost_of(
    command: list[str],
    folder: Path,
    environment: dict[str, str] | None = None,
    *,
    fine: tuple[int, ...] = (0,),
) -> Cost:
    """Run a command in a folder and measure it.

    Ends the program if the exit code is not one of ``fine``: the time of a failure is meaningless.
    """
    log = folder / "benchmark.log"
    begun = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        monitor = _MemoryMonitor(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    together_mb = monitor.end()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in fine:
        sys.exit(f"{command[0]} failed:\n{log.read_text()[-2000:]}")
    peak = max(usage.ru_maxrss / 1024.0, together_mb)
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


class _MemoryMonitor:
    """Samples the memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak_mb = pid, 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """Stop sampling; returns the largest value in MB."""
        self._over.set()
        self._thread.join()
        return self._peak_mb

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLE_EVERY_S):
            self._peak_mb = max(self._peak_mb, sum(map(_resident_mb, _family(self._pid))))


def _family(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        try:
            tasks = Path(f"/proc/{member}/task")
            children = [(task / "children").read_text() for task in tasks.iterdir()]
        except OSError:
            continue  # the process has just ended
        found += [int(child) for child in " ".join(children).split()]
    return found


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MB
    except (OSError, IndexError):
        return 0.0
