"""CONTRIBUTING.md and DEVELOPERS.md name files that exist; the hooks need no downloads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = re.compile(r"`((?:calib|cli|migrations|tests|docs|benchmarks)/[\w./-]+)`")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "DEVELOPERS.md"])
def test_every_file_that_is_named_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = {*PLACES.findall(text), *re.findall(r"\]\(([^)#:]+)\)", text)}
    assert named
    future = {"migrations/calib_migrations/versions/00NN_name.py"}
    assert [name for name in sorted(named - future) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "recipe",
    ["reader", "export", "command", "migration", "panel parameter"],
)
def test_there_is_a_recipe_that_names_files(recipe: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.split(rf"^### Add an? {recipe}$", text, flags=re.MULTILINE)[1]
    assert len(set(PLACES.findall(section.partition("\n### ")[0]))) >= 2


def test_the_hooks_run_the_tools_of_the_environment() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"- repo: (.*)", text)) == {"local"}
    assert set(re.findall(r"language: (.*)", text)) == {"system"}
    entries = re.findall(r"entry: (\S+)", text)
    assert {Path(entry).name for entry in entries} == {"ruff", "mypy", "lint-imports"}
    assert all(entry.startswith(".venv/bin/") for entry in entries)
