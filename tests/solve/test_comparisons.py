"""Parts of the data compared: what counts as a disagreement, and what cannot be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.result.comparison import Agreement, Compared, Comparison
from calib.model.result.report import DatasetUse
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.comparisons import CommonSolution, compared
from calib.solve.panels.dataset_comparisons import _parts
from calib.solve.panels.disagreement import disagreements_in_words
from calib.solve.panels.repeatability import repeatability
from calib.solve.panels.system import PanelSystem
from support.asymmetric import calibrations
from support.linear import PRIOR, Seen, seen

LAYOUT = known_layout("PILATUS 1M")
N = len(LAYOUT)
PIXEL_MM = 0.172
LIMIT_UM = 5.16
REPEATS = 60
THREE_SD = 3.0
NONE = Correction.none(N)
SYSTEM = PanelSystem(LAYOUT, Freedom.FULL, PRIOR)


def equations(one: Seen) -> PanelEquations:
    return PanelEquations(one.information, one.vector, one.panel_information)


def parts(rng: np.random.Generator, truths: Sequence[Floats], counts: Floats) -> list[Seen]:
    """Datasets of a detector whose panels deviate by the prior, displaced by ``truths`` (n, 6)."""
    drawn = rng.normal(size=(N, 6)) * PRIOR.sigma()
    return [seen(rng, LAYOUT, Correction(drawn + own), counts) for own in truths]


def outcome(found: Sequence[Seen], repeat_mm: float = 0.0) -> Comparison:
    """The first part against the others."""
    each = [equations(one) for one in found]
    common = CommonSolution(SYSTEM, NONE, each)
    repeat = 2.0 * repeatability(LAYOUT, repeat_mm, (0, 1, 5)) if repeat_mm else None
    contrast = common.contrast(each[0], Compared.DATASET, (0,), repeat)
    return compared([contrast], PIXEL_MM)[0]


def displaced(seed: int, moved: Floats, n: float = 900.0, repeat_mm: float = 0.0) -> Comparison:
    rng = np.random.default_rng(seed)
    return outcome(parts(rng, [moved, np.zeros((N, 6))], np.full(N, n)), repeat_mm)


def test_chi_square_of_parts_that_agree_is_its_degrees_of_freedom() -> None:
    """With few reflections, which determine less than the prior, and with many."""
    still = np.zeros((N, 6))
    for n in (5.0, 900.0):
        found = [displaced(seed, still, n) for seed in range(REPEATS)]
        degrees = sum(one.degrees_of_freedom for one in found)
        total = sum(one.chi_square for one in found)
        assert degrees > 0
        assert abs(total - degrees) < THREE_SD * np.sqrt(2.0 * degrees)
        assert all(one.agreement is not Agreement.DISAGREES for one in found)


def test_p_values_of_a_scatter_within_the_repeatability_are_even() -> None:
    """Those against noise and repeatability; the chi-square against noise shows it."""
    root = np.linalg.cholesky(2.0 * repeatability(LAYOUT, 0.005, (0, 1, 5)))
    found = []
    for seed in range(REPEATS):
        moved = np.zeros((N, 6))
        scatter = root @ np.random.default_rng(900 + seed).normal(size=3 * N)
        moved[:, [0, 1, 5]] = scatter.reshape(N, 3)
        found.append(displaced(seed, moved, repeat_mm=0.005))
    assert kstest([one.p_value for one in found], "uniform").pvalue > 1e-3
    assert all(one.agreement is not Agreement.DISAGREES for one in found)
    assert np.mean([one.chi_square_per_degree for one in found]) > 10.0


def test_a_panel_that_moved_is_named_with_its_size() -> None:
    moved = np.zeros((N, 6))
    moved[4, :2] = 0.03, -0.04
    sizes = []
    for seed in range(8):
        found = displaced(seed, moved)
        assert found.agreement is Agreement.DISAGREES
        assert found.panels == (4,)
        assert found.worst_panel == 4
        assert found.worst_um == pytest.approx(50.0, rel=0.25)  # the others' mean moves as well
        sizes.append(found.size_um)
    # Information differs by panel and direction.
    assert np.sqrt(np.mean(np.square(sizes))) == pytest.approx(50.0 / np.sqrt(N), rel=0.25)


def test_all_panels_that_moved_are_found_although_none_is_named() -> None:
    rng = np.random.default_rng(1)
    moved = np.zeros((N, 6))
    moved[:, :2] = rng.normal(scale=0.02, size=(N, 2))
    found = displaced(2, moved, 60.0)
    assert found.agreement is Agreement.DISAGREES
    assert found.p_value < 1e-6
    rms = 1e3 * np.sqrt(((moved[:, :2] - moved[:, :2].mean(axis=0)) ** 2).sum(axis=1).mean())
    assert found.size_um == pytest.approx(rms, rel=0.25)  # rotations of the detector are free


def test_a_rigid_motion_is_no_disagreement() -> None:
    moved = np.zeros((N, 6))
    moved[:, :2] = 0.2, -0.3
    assert displaced(3, moved).agreement is Agreement.AGREES


@pytest.mark.parametrize(("size_um", "expected"), [(4.0, "agrees"), (6.5, "disagrees")])
def test_a_significant_difference_below_the_limit_does_not_count(
    size_um: float, expected: str
) -> None:
    """The larger of 5 um and 0.03 px, over all panels and on any single one."""
    turn = np.tile([1.0, -1.0], N // 2)[:, None] * [1.0, 0.0]
    moved = np.zeros((N, 6))
    moved[:, :2] = 1e-3 * size_um * turn
    found = displaced(4, moved, 1e5)
    assert found.p_value < 1e-6
    assert found.size_um == pytest.approx(size_um, rel=0.2)
    assert (found.size_um > LIMIT_UM) == (expected == "disagrees")
    assert found.agreement.value == expected


def test_few_reflections_have_tested_nothing() -> None:
    found = displaced(5, np.zeros((N, 6)), 4.0)
    assert found.agreement is Agreement.NOT_TESTED
    assert found.visible_um is None or found.visible_um > 3.0 * LIMIT_UM
    assert displaced(5, np.zeros((N, 6))).agreement is Agreement.AGREES


def test_a_displacement_of_the_visible_size_is_seen_half_the_time() -> None:
    found = []
    for seed in range(REPEATS):
        rng = np.random.default_rng(seed)
        visible = displaced(seed, np.zeros((N, 6)), 200.0).visible_um
        assert visible is not None
        moved = np.zeros((N, 6))
        moved[:, :2] = 1e-3 * visible * rng.normal(size=(N, 2)) / np.sqrt(2.0)
        found.append(displaced(seed, moved, 200.0).p_value < 1e-6)
    assert 0.2 < np.mean(found) < 0.8


def test_more_comparisons_need_a_smaller_probability() -> None:
    rng = np.random.default_rng(6)
    each = [equations(one) for one in parts(rng, [np.zeros((N, 6))] * 3, np.full(N, 200.0))]
    common = CommonSolution(SYSTEM, NONE, each)
    contrasts = [common.contrast(one, Compared.DATASET, (k,)) for k, one in enumerate(each)]
    alone = [compared([one], PIXEL_MM)[0].p_value for one in contrasts]
    together = [one.p_value for one in compared(contrasts, PIXEL_MM)]
    assert min(together) == pytest.approx(min(1.0, 3.0 * min(alone)))
    assert max(together) >= max(alone)


def test_noise_that_is_larger_than_the_weights_state_counts() -> None:
    rng = np.random.default_rng(7)
    each = [equations(one) for one in parts(rng, [np.zeros((N, 6))] * 2, np.full(N, 200.0))]
    contrast = CommonSolution(SYSTEM, NONE, each).contrast(each[0], Compared.DATASET, (0,))
    plain, noisy = (compared([one], PIXEL_MM)[0] for one in (contrast, contrast.with_noise(4.0)))
    assert noisy.chi_square == pytest.approx(plain.chi_square / 4.0)
    assert plain.visible_um is not None
    assert noisy.visible_um == pytest.approx(2.0 * plain.visible_um)


def use(distance_mm: float, n_reflections: int = 1000) -> DatasetUse:
    one = calibrations.wide_report().datasets[0]
    return replace(one, distance_mm=distance_mm, n_reflections=n_reflections)


def test_each_part_of_the_datasets_is_compared_once() -> None:
    uses = [use(mm) for mm in (150.0, 400.0, 150.5, 401.0)]
    singly = [(Compared.DATASET, (k,)) for k in range(4)]
    distance, first = (Compared.DISTANCE, (0, 2)), (Compared.DATASET, (0, 1))
    assert _parts(uses, None) == [*singly, distance, first]
    night = (Compared.OCCASION, (0, 3))
    assert _parts(uses, [1, 0, 0, 1]) == [*singly, distance, (Compared.DATASET, (1, 2))]
    assert _parts(uses, [0, 1, 2, 0]) == [*singly, distance, (Compared.DATASET, (0, 3))]
    assert _parts([use(150.0)] * 5, [1, 0, 0, 1, 0])[5:] == [
        (Compared.DATASET, (1, 2)),
        (Compared.OCCASION, (1, 2, 4)),
    ]
    assert night not in _parts(uses, None)
    assert _parts(uses[:1], [0]) == []
    assert _parts(uses[:2], None) == [(Compared.DATASET, (0,))]


def test_of_many_datasets_those_with_the_most_reflections_are_compared_singly() -> None:
    uses = [use(150.0, 100 + k) for k in range(60)]
    found = [members for kind, members in _parts(uses, None) if len(members) == 1]
    assert found == [(k,) for k in range(20, 60)]


def test_of_many_disagreements_the_largest_are_reasons() -> None:
    report = calibrations.wide_report()
    one = report.comparisons[0]
    many = tuple(replace(one, worst_um=20.0 + k) for k in range(5))
    words = disagreements_in_words(replace(report, comparisons=many))
    assert [" by 24 um" in words[0], " by 22 um" in words[2]] == [True, True]
    assert words[3:] == ["2 further comparisons of parts of the data disagree."]


def test_a_reason_names_part_panels_sizes_and_remedy() -> None:
    report = calibrations.wide_report()
    (words,) = disagreements_in_words(report)
    assert words.startswith(
        "night2 disagrees with the others: panels 5 and 11 differ, panel 11 by 43 um beyond what "
        "noise and repeatability explain (17 um rms over all panels). A panel moved"
    )
    none = replace(report.comparisons[0], panels=(), datasets=(0, 1))
    (words,) = disagreements_in_words(replace(report, comparisons=(none,)))
    assert "The first 2 datasets (night4 and night2) disagree with the others: panels" in words
    assert "most significantly panel 11 by 43 um beyond" in words


def test_of_many_displaced_panels_five_are_named_and_the_others_counted() -> None:
    report = calibrations.wide_report()
    many = replace(report.comparisons[0], panels=(1, 2, 3, 5, 8, 11))
    (words,) = disagreements_in_words(replace(report, comparisons=(many,)))
    assert ": panels 1, 2, 3, 5, 8 and 1 more differ, panel 11 by" in words
