"""Residuals of a dataset that show that something is wrong make a draft, which names them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calib.model.result.report import BeforeAfter, DatasetUse, Spread
from calib.solve.panels.residual_reasons import outlier_reasons, scale_reasons


def use(name: str = "near", px: float = 0.1, **changes: Any) -> DatasetUse:
    spread = Spread(1000, px, px, px, px, 0.1, 0.1)
    plain = DatasetUse(
        name=name,
        sha256=("a",),
        n_reflections=950,
        n_rejected=50,
        n_flagged=0,
        n_crystals=1,
        distance_mm=200.0,
        wavelength_angstrom=1.0,
        rmsd=BeforeAfter(spread, spread),
        left_out=None,
        weight_scale=(0.3, 0.4, 0.5),
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(("kept", "refused"), [(0, False), (69, False), (70, True)])
def test_twice_as_many_outliers_as_may_be_rejected_are_too_many(kept: int, refused: bool) -> None:
    found = outlier_reasons([use("far"), use(n_outliers_kept=kept)], 10)
    assert bool(found) is refused
    if refused:
        assert found[0].startswith("near: 120 of 1000 reflections are outliers, more than twice ")


def test_panels_with_too_many_outliers_are_named() -> None:
    data = [use(limited_panels=(3, 17))]
    assert outlier_reasons([use(limited_panels=(3,))], 3) == []
    assert outlier_reasons(data, 20) == []
    (found,) = outlier_reasons(data, 19)
    assert found.startswith("near: on panels 3, 17 more than 30% of the reflections are outliers")


@pytest.mark.parametrize(
    ("scale", "name"),
    [
        ((0.3, 0.89, 0.5), None),
        ((0.3, 0.91, 0.5), "y"),
        ((0.91, 0.3, 0.5), "x"),
        ((0.3, 0.4, 1.19), None),
        ((0.3, 0.4, 1.21), "phi"),
        ((0.3, 0.4, 0.01), None),
    ],
)
def test_no_coordinate_is_three_times_as_far_off_as_the_others(
    scale: tuple[float, float, float], name: str | None
) -> None:
    found = scale_reasons([use(weight_scale=scale)])
    assert [reason.split()[3] for reason in found] == ([] if name is None else [name])


def test_the_angle_of_stills_has_a_scale_of_its_own() -> None:
    assert not scale_reasons([use(weight_scale=(0.1, 0.1, 1.0), still=True)])


def test_a_dataset_is_compared_with_the_others_in_scale_and_in_pixels() -> None:
    """A unit of its own for the stated variances is no fault."""
    others = [use(f"night{k}", px=float(px)) for k, px in enumerate(np.linspace(0.08, 0.12, 3))]
    assert not scale_reasons(others)
    unit = tuple(1e3 * s for s in (0.3, 0.4, 0.5))
    assert not scale_reasons([*others, use(weight_scale=unit)])
    assert not scale_reasons([*others, use(px=0.4)])
    found = scale_reasons([*others, use(px=0.4, weight_scale=(1.2, 1.6, 2.0))])
    assert [reason[: reason.index(" are")] for reason in found] == [
        "near: residuals in x",
        "near: residuals in y",
    ]
    assert "(0.400 px), those of the other datasets 0.3 times (0.100 px)" in found[0]


def test_sound_data_give_no_reasons() -> None:
    sound = [use("near"), use("far", px=0.2)]
    assert outlier_reasons(sound, 10) == scale_reasons(sound) == []
