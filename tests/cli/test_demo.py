"""calib demo: a complete example compared with the known truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import calib, done, examples, program
from support.json_page import documented, is_of, leaves


def test_the_demo_shows_what_the_second_distance_gains(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    answer = program("demo", folder, "--json", XDG_DATA_HOME=str(tmp_path / "data"))
    assert answer.code == 0, answer.stderr
    view = answer.json
    keys = documented("`calib demo`")
    assert {key for key, _ in leaves(view)} == set(keys)
    assert all(is_of(value, keys[key]) for key, value in leaves(view))

    one, *_, both = view["derivations"]
    assert (one["freedom"], both["freedom"]) == ("in-plane", "full")
    for axis in ("x", "y"):
        assert both["rmsd_px"]["after"]["held_out"][axis] < 0.11
        assert both["rmsd_px"]["before"]["held_out"][axis] > 0.4
    for kind in ("in_plane", "normal", "seen_from_sample"):
        assert both["corner_error_um"][kind] < 0.5 * one["corner_error_um"][kind]
    target = view["target"]
    assert target["distance_mm"]["before"] == target["distance_mm"]["after"]
    rmsd = target["rmsd_px"]
    assert rmsd["as_they_truly_are"] < rmsd["as_drawn"] / 4
    assert rmsd["as_applied"] < 1.02 * rmsd["as_they_truly_are"]
    assert view["seconds"] < 60.0
    assert Path(view["store"]).is_relative_to(folder)
    assert all(Path(path).exists() for path in target["outputs"])
    assert not (tmp_path / "data").exists()  # the user's own store is not touched


def test_the_demo_never_overwrites_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = {name: f"my {name}" for name in ("calib.db", "near.expt", "notes")}
    for name, text in mine.items():
        Path(name).write_text(text)
    for folder, code in (
        (".", "folder-in-use"),
        ("notes", "not-a-folder"),
        ("notes/x", "not-a-folder"),
    ):
        answer = calib("demo", folder, "--json")
        assert (answer.code, answer.stdout) == (2, "")
        assert answer.error["code"] == code
        assert answer.error["remedy"]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == mine


def test_the_demo_prints_the_comparison_with_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (words,) = examples(done("demo", "--help").stdout)
    answer = program(*words)
    assert answer.code == 0, answer.stderr
    for text in ("compared with the known truth", "calibrated ", "Distance "):
        assert text in answer.stdout
    assert "Next: calib list --store calib-demo/calib.db" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["calib-demo"]
