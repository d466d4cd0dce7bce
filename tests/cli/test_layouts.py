"""calib layout: layouts of the user, and messages."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.commands import calib, done
from support.modules import one_panel


def test_an_added_layout_is_known_to_every_command(here: Path) -> None:
    assert "LAMBDA 2M" in done("layout", "add", "lambda.toml").stdout
    assert (here / "settings" / "calib" / "layouts" / "lambda.toml").is_file()
    assert "LAMBDA 2M" in done("layout", "list").stdout
    answer = done("detector", "add", "L-1", "--layout", "lambda-2m", "--json").json
    assert answer["detector"]["n_panels"] == 18
    assert answer["detector"]["description"] == "LAMBDA 2M"


def test_an_added_layout_is_replaced_only_with_force(here: Path) -> None:
    done("layout", "add", "lambda.toml")
    assert calib("layout", "add", "lambda.toml", "--json").error["code"] == "output-exists"
    Path("lambda.toml").write_text(Path("lambda.toml").read_text().replace("2M", "3M"))
    done("layout", "add", "lambda.toml", "--force")
    assert "LAMBDA 3M" in done("layout", "list").stdout
    assert "LAMBDA 2M" not in done("layout", "list").stdout


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_layout_that_cannot_be_used_is_not_added(here: Path, dry: tuple[str, ...]) -> None:
    text = Path("lambda.toml").read_text()
    Path("taken.toml").write_text(text.replace("LAMBDA L", "pilatus 6M"))
    Path("bad.toml").write_text(text.replace("module_px", "modules_px"))
    Path("binary.toml").write_bytes(b"\xff\xfe")
    os.mkfifo("pipe.toml")
    codes = {"taken": "layout-exists", "bad": "bad-family", "binary": "bad-family"}
    codes |= {"pipe": "missing-file", "gone": "missing-file"}
    for name, code in codes.items():
        answer = calib("layout", "add", f"{name}.toml", *dry, "--json")
        assert (answer.code, answer.error["code"]) == (2, code)
        assert f"{name}.toml" in answer.error["place"]
    assert not (here / "settings" / "calib" / "layouts").exists()


def test_a_damaged_layout_is_reported_with_its_file(here: Path) -> None:
    done("layout", "add", "lambda.toml")
    damaged = here / "settings" / "calib" / "layouts" / "lambda.toml"
    damaged.write_text("format = 1")
    answer = calib("layout", "list", "--json")
    assert (answer.code, answer.error["code"]) == (2, "bad-family")
    assert answer.error["place"] == str(damaged)


def test_an_unknown_layout_is_refused_with_the_known_names(here: Path) -> None:
    answer = calib("layout", "show", "PILATUS 7M", "--json")
    assert (answer.code, answer.error["code"]) == (2, "unknown-layout")
    assert "PILATUS 6M" in answer.error["remedy"]


def test_a_module_without_halves_has_none(here: Path) -> None:
    answer = calib("layout", "show", "EIGER 1M", "--halves", "--json")
    assert (answer.code, answer.error["code"]) == (2, "no-halves")
    assert done("layout", "show", "EIGER2 1M", "--halves", "--json").json["n_panels"] == 4


def test_a_shared_layout_is_known_to_every_user_of_the_store(here: Path) -> None:
    added = done("layout", "add", "lambda.toml", "--shared", "--reason", "new", "--json").json
    assert (added["written"], Path(added["file"]).name) == (True, "beamline.sqlite")
    assert not (here / "settings" / "calib" / "layouts").exists()
    assert "LAMBDA 2M" in done("layout", "list").stdout
    done("init", "--store", "other.sqlite")
    assert "LAMBDA 2M" not in done("layout", "list", "--store", "other.sqlite").stdout
    done("layout", "show", "lambda-l")
    found = done("detector", "add", "L-1", "--layout", "LAMBDA 2M", "--json").json["detector"]
    assert found["n_panels"] == 18
    again = done("layout", "add", "lambda.toml", "--shared", "--json").json
    assert again["written"] is False


def test_a_shared_layout_is_replaced_only_with_force(here: Path) -> None:
    done("layout", "add", "lambda.toml", "--shared")
    text = Path("lambda.toml").read_text()
    Path("lambda.toml").write_text(text.replace("2M", "3M"))
    refused = calib("layout", "add", "lambda.toml", "--shared", "--json")
    assert refused.error["code"] == "layout-exists"
    done("layout", "add", "lambda.toml", "--shared", "--force")
    assert "LAMBDA 2M" not in done("layout", "list").stdout
    Path("second.toml").write_text(Path("lambda.toml").read_text())
    taken = calib("layout", "add", "second.toml", "--shared", "--json")
    assert taken.error["code"] == "layout-exists"


def test_an_own_layout_precedes_that_of_the_store(here: Path) -> None:
    done("layout", "add", "lambda.toml", "--shared")
    Path("lambda.toml").write_text(Path("lambda.toml").read_text().replace("6, 3", "6, 2"))
    done("layout", "add", "lambda.toml")
    assert done("layout", "show", "LAMBDA 2M", "--json").json["n_panels"] == 12


def test_a_detector_is_registered_in_halves_of_its_modules(here: Path) -> None:
    layout = ("--layout", "EIGER2 4M", "--halves")
    found = done("detector", "add", "E-08-0999", *layout, "--json").json["detector"]
    assert found["n_panels"] == 16
    path = Path("single.expt")
    path.write_text(json.dumps(one_panel((2068, 2162), 0.075)))
    view = done("detector", "add", "E-08-0999", "--from", path, "--json").json
    assert (view["new"], view["detector"]["n_panels"]) == (False, 16)
    refused = calib("detector", "add", "X", "--from", "night1.expt", "--halves", "--json")
    assert refused.error["code"] == "already-split"
