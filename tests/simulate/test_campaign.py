"""The campaign against the truth: its 600 cases, how they are judged, and its table."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.truth.cases import CASES, KAPPA, ROWS, SCAN, STILLS, Case, chosen
from benchmarks.truth.catalogue import CATALOGUE, NOTHING, entry_of
from benchmarks.truth.outcome import Outcome, Verdict, failed, verdict
from benchmarks.truth.run import run
from benchmarks.truth.scenes import scene_of
from benchmarks.truth.table import merged, page, pooled, read, too_wide, write
from calib.errors import InputError
from calib.model.result.corner_errors import CornerErrors
from calib.simulate.effects.effect import Effect
from calib.simulate.gauge_free import GaugeFreeError

RIGHT = GaugeFreeError(CornerErrors(1.0, 1.0, 1.0), 1.0, 10.0, 10, 0.5)
WRONG = replace(RIGHT, chi_square=1000.0, p_value=1e-30)
ROOT = Path(__file__).parents[2]
SLIP = next(case for case in CASES if case.effect == "slip")
PLAIN = next(case for case in CASES if case.effect == NOTHING.name)


def test_there_are_600_derivations_with_names_and_seeds_of_their_own() -> None:
    assert len(CASES) == 600
    assert len({case.name for case in CASES}) == 600
    assert len({case.seed for case in CASES}) == 600
    assert [case.seed for case in CASES[:2]] == [20_000, 20_001]
    assert len({case.name for case in (*CASES, *ROWS)}) == 600 + len(ROWS)


def test_every_effect_has_all_its_sizes_panels_and_distances() -> None:
    for entry in CATALOGUE:
        mine = [case for case in CASES if case.effect == entry.name]
        assert len(mine) == 16
        for size in entry.sizes:
            found = {(c.panels_um, c.distances) for c in mine if c.size == size}
            assert found == {(p, d) for p in (7, 70) for d in ("far", "both")}
        assert {case.n_panels for case in mine} == {3, 24, 60}
        assert {c.kind for c in mine} == (
            {KAPPA} if entry.name == "kappa" else {SCAN, STILLS} if entry.stills else {SCAN}
        )
        ranges = {case.range_deg for case in mine if case.kind != STILLS}
        assert ranges >= ({30, 80} if entry.name == "kappa" else {30, 80, 360})


def test_sizes_span_three_decades_where_the_effect_has_them() -> None:
    bounded = {"tails", "missing", "rigid-flags", "second-lattice", "lone-outlier", "misindexed"}
    for entry in CATALOGUE:
        assert len(set(entry.sizes)) == 4
        if entry.name not in bounded:
            assert max(entry.sizes) >= 999.0 * min(entry.sizes)


def test_each_combination_is_also_run_without_effects() -> None:
    plain = Counter(case.combination for case in CASES if case.effect == NOTHING.name)
    assert sum(plain.values()) == 120
    assert {case.combination for case in CASES} <= set(plain)


def test_every_effect_of_the_catalogue_makes_effects_and_is_found_by_a_warning() -> None:
    for entry in CATALOGUE:
        assert entry.codes
        made = entry.make(entry.sizes[0], 24)
        assert made
        assert all(isinstance(effect, Effect) for effect in made)
        assert entry_of(entry.name) is entry
        # A size is in the values of the effect: another one gives another effect.
        if entry.name != "rigid-flags":
            assert entry.make(entry.sizes[1], 24) != made


def test_words_and_a_limit_choose_cases() -> None:
    found = chosen(CASES, ("slip", "60 panels"))
    assert found
    assert all(case.effect == "slip" and case.n_panels == 60 for case in found)
    few = chosen(CASES, (), 10)
    assert len(few) == 10
    assert len({case.effect for case in few}) >= 8
    assert chosen(CASES, ("nonesuch",)) == []
    assert len(chosen(CASES, ("slip",), 1000)) == 16


@pytest.mark.parametrize(
    ("case", "accepted", "codes", "error", "worse", "expected"),
    [
        (SLIP, True, (), RIGHT, False, Verdict.SOUND),
        (SLIP, True, (), WRONG, False, Verdict.SILENT),
        (SLIP, True, (), RIGHT, True, Verdict.SILENT),
        (SLIP, True, ("slip",), WRONG, True, Verdict.WARNED),
        (SLIP, True, ("symmetry",), WRONG, False, Verdict.SILENT),
        (SLIP, False, (), WRONG, True, Verdict.REFUSED),
        (PLAIN, True, (), RIGHT, False, Verdict.SOUND),
        (PLAIN, True, (), WRONG, False, Verdict.SILENT),
        (PLAIN, True, ("slip",), RIGHT, False, Verdict.ALARM),
        (PLAIN, False, (), RIGHT, False, Verdict.ALARM),
    ],
)
def test_a_case_fails_silently_if_it_is_accepted_wrong_and_not_warned_of(
    case: Case,
    accepted: bool,
    codes: tuple[str, ...],
    error: GaugeFreeError,
    worse: bool,
    expected: Verdict,
) -> None:
    found = verdict(case, accepted=accepted, codes=codes, error=error, worse=worse)
    assert found is expected


def test_the_same_case_is_simulated_alike_and_another_seed_otherwise() -> None:
    case = chosen(CASES, ("moved 100", "3 panels", "scan"))[0]
    assert case.n_panels == 3
    one, again, other = scene_of(case), scene_of(case), scene_of(replace(case, seed=7))
    for a, b, c in zip(one.datasets, again.datasets, other.datasets, strict=True):
        assert (a.reflections.centroid_mm == b.reflections.centroid_mm).all()
        assert not (a.reflections.centroid_mm[:50] == c.reflections.centroid_mm[:50]).all()
    # The truth is that after the move, which the target has as well.
    assert max(one.target.rms_px(one.truth)) < 1e-3
    assert [data.name[-1] for data in one.datasets][:2] == ["0", "1"]


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    case = chosen(CASES, ("nothing", "7 um", "3 panels", "both", "scan 30"))[0]
    assert case.n_panels == 3
    return run(case)


def test_a_case_without_effects_is_derived_and_compared(outcome: Outcome) -> None:
    assert outcome.sigmas == pytest.approx(1.0, abs=0.8)
    assert outcome.degrees == 18 - 6
    assert outcome.freedom == "full"
    assert max(outcome.after_px) < max(outcome.before_px)
    assert outcome.worse_shells == ()
    assert outcome.verdict in (Verdict.SOUND, Verdict.ALARM)


def test_the_table_is_written_read_again_and_merged(outcome: Outcome, tmp_path: Path) -> None:
    error = failed(SLIP, InputError("bad", "nothing works."), 1.0)
    write(tmp_path, [outcome])
    both = merged(tmp_path / "truth.json", [error])
    write(tmp_path, both)
    again = read(tmp_path / "truth.json")
    assert {one.name for one in again} == {outcome.name, SLIP.name}
    assert outcome in again
    text = (tmp_path / "truth.md").read_text(encoding="utf-8")
    assert "2 of 600 derivations: 0 silent failures" in text
    assert f"| {SLIP.name} | error |" in text


def test_silent_failures_and_false_alarms_are_counted(outcome: Outcome) -> None:
    names = [case.name for case in CASES if case.effect == NOTHING.name][:3]
    rows = [
        replace(outcome, name=names[0], verdict=Verdict.SOUND),
        replace(outcome, name=names[1], verdict=Verdict.SILENT),
        replace(outcome, name=names[2], verdict=Verdict.ALARM),
    ]
    first = page(rows)[0]
    assert "3 of 600 derivations: 1 silent failures; 1 of 3 sound data" in first
    assert pooled([replace(outcome, accepted=True, sigmas=s) for s in (3.0, 4.0)]) == "3.54"
    assert pooled([replace(outcome, accepted=False)]) == "-"


def test_uncertainties_that_are_twice_those_without_the_effect_are_counted() -> None:
    case = next(c for c in CASES if c.effect == "slip")
    plain = next(c for c in CASES if c.effect == NOTHING.name and c.combination == case.combination)
    base = replace(failed(plain, InputError("x", "y"), 0.0), accepted=True, sigma_um=1.0)
    for sigma, expected in ((1.9, 0), (2.1, 1)):
        wide = replace(base, name=case.name, effect="slip", sigma_um=sigma)
        assert len(too_wide([base, wide])) == expected
        assert too_wide([base, replace(wide, accepted=False)]) == []


def test_known_failures_are_rows_of_their_own() -> None:
    assert {row.effect for row in ROWS} >= {"nothing", "crystal-drift", "slip", "symmetry"}
    assert not set(ROWS) & set(CASES)


def test_the_command_names_cases_and_knows_its_words() -> None:
    command = [sys.executable, "-m", "benchmarks.truth", "--list", "--only", "slip", "60 panels"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == [c.name for c in chosen(CASES, ("slip", "60 panels"))]


@pytest.mark.long
def test_a_scan_that_shows_too_few_reflections_is_simulated_with_fewer() -> None:
    """The cell shrinks by 3 % during 30 degrees."""
    (case,) = chosen(CASES, ("damage 3 %, 70 um, 24 panels, both, scan 30",))
    counts = [len(data.reflections) for data in scene_of(case).datasets]
    assert min(counts) > 1_000
