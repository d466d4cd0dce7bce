"""Python programs that run beside the tests: killed, starved, or as another user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path


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


def may_mount() -> bool:
    """Whether a file system can be mounted here in a private namespace."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def started(program: str, path: Path, *words: str) -> subprocess.Popen[str]:
    """A program that works on a store, to be talked with line by line."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path), *words],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def heard(reader: subprocess.Popen[str], line: str) -> None:
    """Wait until a program says this."""
    assert reader.stdout is not None
    assert reader.stdout.readline() == f"{line}\n"


def go_on(reader: subprocess.Popen[str]) -> None:
    """Let a program go on that waits for it."""
    assert reader.stdin is not None
    reader.stdin.write("go on\n")
    reader.stdin.flush()


def answer_after_going_on(reader: subprocess.Popen[str]) -> object:
    """What a program says in JSON when it has gone on to its end."""
    output, _ = reader.communicate("go on\n", timeout=120)
    return json.loads(output)
