"""The budgets of time stand in two places, which say the same."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]


def budgets(name: str) -> list[str]:
    """The rows of the table headed by CPU seconds."""
    lines = (ROOT / name).read_text().splitlines()
    first = lines.index("| command | CPU s |") + 2
    rows = []
    for line in lines[first:]:
        if not line.startswith("| "):
            break
        rows.append(line)
    return rows


def test_developers_and_benchmarks_state_the_same_budgets() -> None:
    assert len(budgets("DEVELOPERS.md")) >= 5
    assert budgets("DEVELOPERS.md") == budgets("benchmarks/README.md")
