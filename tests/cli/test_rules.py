"""Shared accounts: a store can demand a name from those who certify."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.commands import calib, done

CERTIFY = ("certify", "24-0107:3", "--from", "2026-03-01", "--reason", "new")


def test_a_login_name_is_enough_unless_a_rule_demands_more(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CALIB_ACTOR")
    done(*CERTIFY, "--dry-run")
    assert done("db", "set", "demand-actor", "yes").stdout == "Set demand-actor to yes.\n"
    withdraw = ("withdraw", "24-0107:3", "--reason", "moved")
    for words in (CERTIFY, (*CERTIFY, "--dry-run"), withdraw, (*CERTIFY, "--by", "  ")):
        answer = calib(*words, "--json")
        assert (answer.code, answer.error["code"]) == (2, "actor-demanded")
        assert answer.error["remedy"] == "use --by NAME, or set CALIB_ACTOR=NAME"
    certified = done(*CERTIFY, "--by", "zoe", "--json").json
    assert certified["certification"]["recorded"]["by"] == "zoe"
    monkeypatch.setenv("CALIB_ACTOR", "ada")
    done(*withdraw)
    monkeypatch.delenv("CALIB_ACTOR")
    done("derive", "night1.expt", "night1.refl", "--dry-run")  # certifies nothing
    done("db", "set", "demand-actor", "no")
    done(*CERTIFY)


def test_a_name_in_the_system_settings_does_not_identify_an_author(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CALIB_ACTOR")
    done("db", "set", "demand-actor", "yes")
    own = here / "own.toml"
    own.write_text('actor = "zoe"\n')
    monkeypatch.setattr("calib.config.settings.SYSTEM", own)
    assert calib(*CERTIFY).code == 2
    monkeypatch.setattr("calib.config.settings.SYSTEM", here / "none.toml")
    monkeypatch.setenv("CALIB_CONFIG", str(own))
    done(*CERTIFY)


def test_the_author_of_a_rule_is_recorded(here: Path) -> None:
    assert done("db", "rules", "--json").json == {
        "rules": [{"name": "demand-actor", "value": "no"}],
        "history": [],
    }
    assert done("db", "set", "demand-actor", "no", "--json").json["new"] is False
    assert done("db", "set", "demand-actor", "yes", "--dry-run", "--json").json["new"] is True
    for value, by in (("yes", "ada"), ("yes", "eve"), ("no", "zoe")):
        done("db", "set", "demand-actor", value, "--by", by)
    view = done("db", "rules", "--json").json
    assert view["rules"][0]["value"] == "no"
    found = [(one["value"], one["recorded"]["by"]) for one in view["history"]]
    assert found == [("no", "zoe"), ("yes", "ada")]
    assert done("audit", "log", "--json").json[-1]["kind"] == "rule"
    done("audit", "verify")


@pytest.mark.parametrize("words", [("demand-everything", "yes"), ("demand-actor", "maybe")])
def test_an_unknown_rule_is_refused(here: Path, words: tuple[str, ...]) -> None:
    for dry in ((), ("--dry-run",)):
        answer = calib("db", "set", *words, *dry)
        assert answer.code == 2
        assert "Try: one of " in answer.stderr
