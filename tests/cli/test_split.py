"""calib split and calib merge: outputs, messages, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from support.commands import calib, done
from support.modules import one_panel, spots, write_expt, write_table


@pytest.fixture
def single(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A one-panel experiment with three spots, one of them in a gap."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    px = np.array([[50.5, 50.5, 1.0], [50.5, 203.0, 1.0], [50.5, 300.5, 1.0]])
    write_table(tmp_path / "single.refl", spots(px, px * 0.172))
    return write_expt(tmp_path / "single.expt", one_panel())


def test_the_result_is_printed_and_the_files_are_in_the_current_folder(single: Path) -> None:
    answer = done("split", "single.expt", "single.refl")
    assert "PILATUS 300K, 3 modules" in answer.stdout
    assert "2, 1 left out" in answer.stdout
    assert "1 reflections are in gaps" in answer.stderr
    assert Path("single_split.refl").is_file()
    done("merge", "single_split.expt", "single_split.refl")
    back = json.loads(Path("single_split_merged.expt").read_text())
    back["imageset"][0]["params"] = {}
    back["detector"][0]["panels"][0]["mask"] = []
    assert back == json.loads(single.read_text())


def test_a_dry_run_writes_nothing(single: Path) -> None:
    view = done("split", "single.expt", "single.refl", "--dry-run", "--json").json
    assert not view["written"]
    assert view["reflections"]["in_gaps"] == 1
    assert not list(Path().glob("single_split*"))


def test_outputs_follow_the_rule(single: Path) -> None:
    done("split", "single.expt", "-o", "a.expt")
    assert calib("split", "single.expt", "-o", "a.expt", "--json").error["code"] == "output-exists"
    done("split", "single.expt", "-o", "a.expt", "--force")
    over = calib("split", "single.expt", "-o", "single.expt", "--force", "--json")
    assert over.error["code"] == "output-is-input"
    same = ("-o", "b.expt", "--reflections-out", "b.expt")
    answer = calib("split", "single.expt", "single.refl", *same, "--json")
    assert answer.code == 2
    assert not Path("b.expt").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("single.refl",), "bad-use"),
        (("single.expt", "other.expt"), "bad-use"),
        (("single.expt", "--reflections-out", "a.refl"), "bad-use"),
        (("gone.expt",), "missing-file"),
        (("single.expt", "--layout", "PILATUS 6M"), "other-layout"),
        (("single.expt", "--layout", "frobnicate"), "unknown-layout"),
    ],
)
def test_bad_use_is_refused_and_nothing_is_written(
    single: Path, words: tuple[str, ...], code: str
) -> None:
    before = set(Path().iterdir())
    answer = calib("split", *words, "--json")
    assert (answer.code, answer.error["code"]) == (2, code)
    assert set(Path().iterdir()) == before


def test_the_remedies_of_split_work(single: Path) -> None:
    write_expt(single, one_panel((2068, 2162), 0.075))
    remedy = calib("split", "single.expt", "--json").error["remedy"]
    assert remedy == 'use --layout, such as --layout "EIGER2 4M"'
    done("split", "single.expt", "--layout", "EIGER2 4M")
    content = json.loads(Path("single_split.expt").read_text())
    content["detector"][0]["panels"][1]["origin"][0] += 0.05
    write_expt(Path("moved.expt"), content)
    remedy = calib("merge", "moved.expt", "--layout", "EIGER2 4M", "--json").error["remedy"]
    assert remedy == "use --drop-correction to give it up"
    done("merge", "moved.expt", "--layout", "EIGER2 4M", "--drop-correction")
    write_expt(single, one_panel((520, 256), 0.055))
    Path("own.toml").write_text(
        'format = "calib/family/1"\nfamily = "OWN"\nmodule_px = [256, 256]\ngap_px = [8, 0]\n'
        'pixel_mm = 0.055\n[models]\n"OWN 1" = [2, 1]\n'
    )
    unknown = calib("split", "single.expt", "--force", "--json").error
    assert "calib layout add" in unknown["remedy"]
    done("layout", "add", "own.toml")
    done("split", "single.expt", "--layout", "own 1", "--force")


def test_shoeboxes_that_cannot_be_read_can_be_left_out(single: Path) -> None:
    data = bytearray(Path("single.refl").read_bytes())
    at = data.index(b"Shoebox<>") + 40
    data[at] ^= 0xFF
    Path("single.refl").write_bytes(data)
    answer = calib("split", "single.expt", "single.refl", "--json")
    assert "--no-shoeboxes" in answer.error["remedy"]
    done("split", "single.expt", "single.refl", "--no-shoeboxes")
