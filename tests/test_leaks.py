"""A resource that a test leaves open fails the file of that test, and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import children

LEAKS = """
import gc, socket
def test_leaks():
    gc.disable()  # it would not have run yet
    ring = [socket.socket()]
    ring.append(ring)
"""
INNOCENT = """
import gc
def test_innocent():
    gc.enable()
    gc.collect()
"""


def test_what_a_test_leaves_open_fails_its_own_file(tmp_path: Path) -> None:
    for name, text in (("test_1.py", LEAKS), ("test_2.py", INNOCENT)):
        (tmp_path / name).write_text(text)
    outcomes = {}
    for plugins in ((), ("-p", "support.leaks")):
        words = ["-m", "pytest", "-c", "/dev/null", "-W", "error", "-rA", "-q", *plugins]
        done = subprocess.run(
            [sys.executable, *words, "-p", "no:cacheprovider", str(tmp_path)],
            env=children.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        summary = done.stdout.rpartition("short test summary info")[2].splitlines()
        outcomes[bool(plugins)] = {
            (line.split()[0], Path(line.split()[1].split("::")[0]).name)
            for line in summary
            if line.startswith(("FAILED", "ERROR", "PASSED"))
        }
    assert ("FAILED", "test_2.py") in outcomes[False]
    assert outcomes[True] == {
        ("PASSED", "test_1.py"),
        ("ERROR", "test_1.py"),
        ("PASSED", "test_2.py"),
    }
