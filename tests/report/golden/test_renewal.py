"""Renewing golden texts writes them and fails, and new words never hide a new number."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.golden import VARIABLE, compare


def renew(folder: Path, how: str, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What the run that renews fails with."""
    monkeypatch.setenv(VARIABLE, how)
    with pytest.raises(AssertionError) as failed:
        compare(folder, texts)
    monkeypatch.delenv(VARIABLE)
    return str(failed.value)


def test_a_run_that_renews_fails_and_the_next_one_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"a.txt": "panel 7 +1.5 um\n"}
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(AssertionError, match=VARIABLE):
        compare(tmp_path, texts)
    assert "a.txt" in renew(tmp_path, "words", texts, monkeypatch)
    compare(tmp_path, texts)
    assert "nothing" in renew(tmp_path, "all", texts, monkeypatch)


@pytest.mark.parametrize(
    "now", ["shift 7: ↗ +1.6", "shift 7: ↘ +1.5", "+1.5 ↗ 7", "7: ↗", "-1.5 7 ↗"]
)
def test_new_words_are_refused_with_other_numbers_or_arrows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: str
) -> None:
    before = "panel 7: ↗ +1.5"
    (tmp_path / "a.txt").write_text(before, encoding="utf-8")
    assert "other numbers" in renew(tmp_path, "words", {"a.txt": now}, monkeypatch)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == before
    renew(tmp_path, "all", {"a.txt": now}, monkeypatch)
    compare(tmp_path, {"a.txt": now})


def test_new_words_with_the_same_numbers_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("turn 7: ↗ +1.5", encoding="utf-8")
    now = {"a.txt": "rotation of panel 7 towards ↗ is +1.5", "a.80.txt": "rotation\n"}
    renew(tmp_path, "words", now, monkeypatch)
    compare(tmp_path, now)
