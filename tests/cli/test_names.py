"""Names from files follow the rules for typed ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.commands import calib, done

BAD_NAMES = ("a\nb", "-rf", "a\x1b[2J", "a\u2028b", "a" * 201)


@pytest.mark.parametrize("stem", BAD_NAMES, ids=ascii)
def test_a_file_whose_name_could_not_be_typed_is_neither_derived_from_nor_written(
    certified: Path, stem: str
) -> None:
    for ending in ("expt", "refl"):
        shutil.copy(f"night1.{ending}", f"./{stem}.{ending}")
    before = sorted(path.name for path in Path.cwd().iterdir())
    for words in (
        ("derive", f"./{stem}.expt", f"./{stem}.refl"),
        ("apply", "imported.expt", "-o", f"./{stem}.out.expt"),
    ):
        answer = calib(*words, "--json")
        assert (answer.code, answer.error["code"]) == (2, "bad-text"), answer
        assert "\x1b" not in answer.stderr
    assert sorted(path.name for path in Path.cwd().iterdir()) == before
    done("apply", f"./{stem}.expt", "-o", "out.expt", "--at", "2026-03-05", "--distance", "150")


@pytest.mark.parametrize("name", [*BAD_NAMES, " "], ids=ascii)
def test_an_actor_whose_name_is_refused_where_it_is_typed_is_refused_from_the_settings(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    words = ("detector", "place", "24-0107", "--beamline", "I04", "--from", "2026-03-01")
    if name.strip():
        typed = calib(*words, f"--by={name}", "--json")
        assert (typed.code, typed.error["code"]) == (2, "bad-text")
        monkeypatch.setenv("CALIB_ACTOR", name)
        setting = calib(*words, "--json")
        assert (setting.code, setting.error["problem"]) == (2, typed.error["problem"])
    refused = calib(*words[:4], name, *words[5:], "--json")
    assert refused.code == 2
