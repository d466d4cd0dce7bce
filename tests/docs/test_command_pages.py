"""The reference of the command line shows every command as its own help does."""

from __future__ import annotations

from command_pages import commands_text

from support.commands import ALL_COMMANDS

TEXT = commands_text()


def test_every_command_has_a_section_with_its_usage() -> None:
    sections = [line.lstrip("#").strip() for line in TEXT.splitlines() if line.startswith("##")]
    assert sections == [" ".join(("calib", *words)) for words in ALL_COMMANDS]
    for words in ALL_COMMANDS:
        _, _, below = TEXT.partition(f"# {' '.join(('calib', *words))}\n")
        assert below.partition("\n#")[0].count(" ".join(("Usage: calib", *words))) == 1


def test_the_options_are_in_the_page() -> None:
    _, _, below = TEXT.partition("## calib derive\n")
    assert "--level-ratio" in below.partition("\n## ")[0]
