"""Python programs that run beside the tests: killed, starved, or as another user."""

from __future__ import annotations

import os
import subprocess
import sys


def environment() -> dict[str, str]:
    """The variables with which a child finds the same modules, installed or not."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def run(program: str, *arguments: str, before: tuple[str, ...] = (), timeout: float = 300.0) -> str:
    """What a Python program prints; ``before`` are words before the interpreter's name."""
    done = subprocess.run(
        [*before, sys.executable, "-c", program, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
