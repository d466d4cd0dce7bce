"""No retired name is left: the words that docs/glossary.md replaces do not come back.

Identifiers are read from the syntax tree; docstrings, comments, messages and pages as text. What is
a format stays: stored names, tables and columns (``deed``), JSON keys, error codes, migrations.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = sorted(
    path
    for folder in ("calib", "cli", "benchmarks", "fixtures", "tests", "migrations")
    for path in (ROOT / folder).rglob("*.py")
    if "versions" not in path.parts and path != Path(__file__)
)
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

RETIRED_NAMES = {
    *("fleet", "fleets", "board", "boarded", "boarding", "crowd", "crowds", "growing", "spoken"),
    *("stray", "strays", "tally", "tallies", "standing", "judged", "rejudged", "judgement"),
    *("carried", "asked_again", "evidence", "laid_out", "unanswered", "surroundings", "door"),
    *("doors", "deed", "deeds", "crew", "berth", "told", "tell", "tells", "teller", "said", "onto"),
    *("solved_by", "solved_onto", "moved_with", "linearised", "varied", "examine", "examined"),
    *("assess", "assessed", "eliminated", "whitened", "placed", "misfits"),
}
"""Parts of identifiers, split at underscores and capitals; or whole identifiers."""
FORMATS = {"deed", "DEED", "Misfit", "misfits", "placed", "EliminatedCrystals"}
"""Stored names: the table ``deed``, fields of reports, checkpoints and events keep theirs."""
STORED_TEXTS = {"as drawn"}
"""In receipts."""
SQL = re.compile(r"\b(ALTER|CREATE|DELETE|DROP|FROM|INSERT|SELECT|UPDATE)\b|table deed")

RETIRED_WORDS = (
    *("fleets?", "crowds?", "doors?", "boarding", "deeds?", "crew", "berth", "strays?", "spoken"),
    *("tell", "tells", "told", "said", "lay at", "by whose word", "as found", "of no use"),
    *("is of use", "makes no sense", "makes? sense", "stands? for", "stands for it", "whoever"),
    *("somebody's word", "the whole way", "as drawn", "if it shall", "shall", "onto", "a turn"),
    *("turn about", "hardest to tell", "what lay", "guest'?s?", "beware", "at home"),
    *("thrown away", "a word of", "out of hand"),
)
"""Words and turns of the private language, as regular expressions, matched as whole words."""


def _parts(name: str) -> set[str]:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_")
    return {name.lower(), name.lower().strip("_"), *words}


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    if path.name == "tables.py":  # names of columns
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.alias):
            yield node.lineno, node.asname or node.name.split(".")[-1]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Comments and strings with a space in them (docstrings, messages)."""
    source = path.read_text()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


WORDS = re.compile(r"(?<![\w./`-])(" + "|".join(RETIRED_WORDS) + r")(?![\w`-])", re.IGNORECASE)


def test_no_identifier_has_a_retired_name() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in CODE
        for line, name in identifiers(path)
        if name not in FORMATS and RETIRED_NAMES & _parts(name)
    }
    assert sorted(found) == []


def test_no_docstring_comment_or_message_has_a_retired_word() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {match.group(0)}: "
        f"{text[max(0, match.start() - 30) : match.end() + 30]!r}"
        for path in CODE
        for line, text in texts(path)
        for match in WORDS.finditer(text)
        if text not in STORED_TEXTS and not (match.group(0) == "deed" and SQL.search(text))
    ]
    assert found == []


def test_no_page_has_a_retired_word() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number} {match.group(0)}"
        for path in PAGES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for match in WORDS.finditer(line)
    ]
    assert found == []


def test_a_retired_word_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "crowded.py"
    path.write_text('def told_by(crowd: int) -> None:\n    """What the fleet is told."""\n')
    assert {name for _, name in identifiers(path) if RETIRED_NAMES & _parts(name)} == {
        "told_by",
        "crowd",
    }
    assert [m.group(0) for _, text in texts(path) for m in WORDS.finditer(text)] == [
        "fleet",
        "told",
    ]
