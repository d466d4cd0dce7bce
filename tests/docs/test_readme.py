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
    happened = [done(session, tmp_path, environment) for session in SESSIONS]
    if os.environ.get("CALIB_RENEW_README"):
        text = README
        for session, new in zip(SESSIONS, happened, strict=True):
            text = text.replace(session, new)
        (ROOT / "README.md").write_text(text, encoding="utf-8")
        pytest.skip("README.md was renewed: look at the difference")
    for session, new in zip(SESSIONS, happened, strict=True):
        for (command, shown), (_, printed) in zip(steps(session), steps(new), strict=True):
            assert shape(printed) == shape(shown), f"{command} (CALIB_RENEW_README=1 renews it)"


def done(session: str, folder: Path, environment: dict[str, str]) -> str:
    """The session with what its commands print now."""
    lines = []
    for command, _ in steps(session):
        lines.append(f"$ {command}\n")
        if command.startswith("export "):
            environment |= dict(pair.split("=") for pair in command.split()[1:])
            continue
        ended = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines.append(ended.stdout.replace(str(folder), "/home/ana/calib"))
    return "".join(lines)


def steps(session: str) -> list[tuple[str, str]]:
    """Each command of a session with the output shown below it."""
    parts = re.split(r"^\$ (.*)\n", session, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def shape(text: str) -> list[str]:
    """Lines without their numbers, hashes and column widths, which differ between machines."""
    lines = (
        re.sub(r"\d+:[0-9a-f]{64}|\b[0-9a-f]{12}\b|[-+]?\d[\d.:]*", "#", line)
        for line in text.splitlines()
    )
    return [" ".join(line.split()) for line in lines if line.strip()]


@pytest.mark.parametrize("command", ["calib init", "calib derive", "calib certify", "calib apply"])
def test_the_readme_shows_the_main_job(command: str) -> None:
    assert any(f"$ {command}" in session for session in SESSIONS)


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("name", ["DIALS", "xia2", "XDS", "CrystFEL", "PILATUS", "EIGER"])
def test_the_readme_says_what_works_with_each_program_and_detector(name: str) -> None:
    table = README.partition("## What works today\n")[2].partition("\n## ")[0]
    assert f"**{name}**" in table
