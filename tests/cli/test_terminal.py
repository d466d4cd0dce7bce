"""Output to a terminal and to a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from calib.report.blocks import Facts, Sentences, Table
from calib.store.store import Store
from calib_cli.rendering import render
from support.children import environment
from support.commands import done, program
from support.records import detector, stamp

ESCAPE = "\x1b"
HINT = "--details prints datasets, panels and weak modes.\n"
DERIVE = ("derive", "night1.expt", "night1.refl", "--dry-run")


def at_terminal(*words: str, **variables: str) -> tuple[str, str]:
    """What a command writes to stdout and stderr where both are terminals."""
    out, out_end = pty.openpty()
    err, err_end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "calib_cli", *words],
        env={**environment(), "TERM": "xterm", "COLUMNS": "100", **variables},
        stdout=out_end,
        stderr=err_end,
    ) as running:
        os.close(out_end)
        os.close(err_end)
        read = everything(err), everything(out)
        assert running.wait(timeout=60) == 0
    return read[1], read[0]


def everything(terminal: int) -> str:
    """All that is written to a pseudo-terminal until its other end closes."""
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # on Linux, the other end is closed
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode()
        parts.append(part)


def test_a_terminal_gets_colour_and_progress(here: Path) -> None:
    out, err = at_terminal(*DERIVE)
    assert ESCAPE in out
    for text in ("Refining panels", "of 1 datasets", "iteration ", "RMSD 0."):
        assert text in err
    assert "Calibration" in out


def test_a_pipe_gets_neither(here: Path) -> None:
    answer = program(*DERIVE, FORCE_COLOR="1")
    assert answer.code == 0
    assert ESCAPE not in answer.stdout + answer.stderr
    assert answer.stderr == HINT


def test_no_color_gets_neither(here: Path) -> None:
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        out, err = at_terminal(*DERIVE, **variables)
        assert ESCAPE not in out + err
        assert err == HINT.replace("\n", "\r\n")
        assert "Calibration" in out


def test_json_on_a_terminal_is_still_json(here: Path) -> None:
    out, _ = at_terminal("list", "--json")
    assert ESCAPE not in out
    assert out.startswith("[\r\n  {\r\n")


def test_a_pipe_gets_whole_lines() -> None:
    long = "word " * 100 + "end"
    table = Table("Title", ("a", "b"), ((long, "1"), ("x", "22")))
    assert render([Sentences("", (long,)), table], coloured=False).splitlines() == [
        long,
        "",
        "Title",
        "a" + " " * (len(long) + 2) + "b",
        f"{long}   1",
        "x" + " " * (len(long) + 1) + "22",
    ]


WIDE = Table(
    "Wide",
    ("number", "valid", "reason", "dx um", "dy um"),
    (
        (
            "3",
            "2026-03-01 09:00:00 UTC until further notice",
            "the module was swapped",
            "-46.6 (0.6)",
            "1",
        ),
        ("4", "-", "a " * 200 + "/a/very/long/path/to/a/file.expt", "+1234.5 (12.5)", "22"),
    ),
    n_text=3,
)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 130, 700])
def test_a_table_fits_the_terminal_and_no_number_or_word_is_broken(width: int) -> None:
    text = render([WIDE], coloured=False, width=width)
    assert all(len(line) <= width for line in text.splitlines())
    words = text.split()
    for column, heading in enumerate(WIDE.columns):
        for cell in (heading, *(row[column] for row in WIDE.rows)):
            assert set(cell.split()) <= set(words), cell
    for number in ("-46.6 (0.6)", "+1234.5 (12.5)"):
        assert number in text


def test_each_part_of_a_wide_table_repeats_the_first_column() -> None:
    parts = render([WIDE], coloured=False, width=40).split("\n\n")
    assert len(parts) > 1
    for part in parts:
        heading, *rows = part.removeprefix("Wide\n").splitlines()
        assert heading.startswith("number ")
        assert [row[0] for row in rows if row[0] != " "] == ["3", "4"]


def test_text_is_wrapped_before_a_table_is_split() -> None:
    row = ("a.expt", "2026-03-01 09:00:00 UTC", "2026-03-02 09:00:00 UTC", "149.93")
    table = Table("", ("file", "taken", "applied", "distance mm"), (row,), n_text=3)
    assert render([table], coloured=False, width=50).splitlines() == [
        "file    taken          applied         distance mm",
        "a.expt  2026-03-01     2026-03-02           149.93",
        "        09:00:00 UTC   09:00:00 UTC",
    ]


def test_markup_and_control_characters_have_no_effect(here: Path) -> None:
    sly = "[red]x[/red] \x1b[2J\x07 :smile:"
    text = render([Facts((("Description", sly),))], coloured=True)
    assert "[red]x[/red]" in text
    assert "\x1b[2J" not in text
    assert "\x07" not in text
    assert ":smile:" in text
    with Store.open("beamline.sqlite") as store:  # as older programs accepted
        store.detectors.add(replace(detector("24-9"), description=sly), stamp())
    assert ESCAPE not in done("detector", "list").stdout
    assert done("detector", "show", "24-9", "--json").json["description"] == sly


def test_text_that_the_terminal_cannot_encode_is_escaped(here: Path) -> None:
    done("detector", "add", "24-9", "--layout", "PILATUS 300K", "--description", "Röntgen µ")
    answer = program("detector", "list", PYTHONIOENCODING="ascii")
    assert answer.code == 0
    assert "R\\xf6ntgen" in answer.stdout
