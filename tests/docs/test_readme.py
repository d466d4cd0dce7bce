"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SESSIONS = [
    block for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if "$ calib" in block
]


def test_the_readme_shows_sessions() -> None:
    assert len(SESSIONS) == 2


def test_the_sessions_of_the_readme_are_what_happens(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    environment = {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
    for session in SESSIONS:
        for command, shown in steps(session):
            if command.startswith("export "):
                environment |= dict(pair.split("=") for pair in command.split()[1:])
                continue
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            happened = done.stdout.replace(str(tmp_path), "/home/ana/calib")
            assert shape(happened) == shape(shown), command


def steps(session: str) -> list[tuple[str, str]]:
    """Each command of a session with the output shown below it."""
    parts = re.split(r"^\$ (.*)\n", session, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def shape(text: str) -> list[str]:
    """Lines without their numbers, hashes and column widths, which differ between machines."""
    lines = (re.sub(r"\b[0-9a-f]{12}\b|[-+]?\d[\d.:]*", "#", line) for line in text.splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


@pytest.mark.parametrize("command", ["calib init", "calib derive", "calib certify", "calib apply"])
def test_the_readme_shows_the_main_job(command: str) -> None:
    assert any(f"$ {command}" in session for session in SESSIONS)
