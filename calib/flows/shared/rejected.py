"""Datasets and experiments that were rejected in a derivation, with notices about them."""

from __future__ import annotations

from collections.abc import Sequence

from calib.files.reader import TOGETHER, disagreement
from calib.model.experiment.dataset import Dataset
from calib.model.result.report import Misfit, Reason
from calib.solve.parallel.executor import Executor

_FEW = 12
"""At most this number of experiments is listed."""


def reject_disagreeing(
    executor: Executor, datasets: Sequence[Dataset], *, keep_all: bool
) -> tuple[list[Dataset], tuple[Misfit, ...]]:
    """Remove datasets whose reflections do not match their experiments from the executor.

    Returns the headers of the others, and the rejected ones. Raises ``InputError`` where no other
    dataset is left, and with ``keep_all``.
    """
    far = [(data, data.apart) for data in datasets if data.apart is not None]
    if not far:
        return list(datasets), ()
    if keep_all or len(far) == len(datasets):
        worst, apart = far[0]
        raise disagreement(apart, *worst.source.names)
    rest = [place for place, data in enumerate(datasets) if data.apart is None]
    executor.select(rest)
    return [datasets[place] for place in rest], tuple(
        Misfit(
            name=data.name,
            sha256=tuple(sorted(data.source.sha256)),
            scatter_px=None,
            usual_px=None,
            n_lost=0,
            n_reflections=apart.n,
            reason=Reason.FAR,
            off_share=apart.share,
        )
        for data, apart in far
    )


def rejection_notices(misfits: Sequence[Misfit]) -> list[str]:
    """A notice for each rejected dataset, and one for the rejected experiments of each file."""
    notices = [_dataset(one) for one in misfits if one.experiment is None]
    parts: dict[str, list[Misfit]] = {}
    for one in misfits:
        if one.experiment is not None:
            parts.setdefault(one.name, []).append(one)
    return notices + [_experiments(name, own) for name, own in parts.items()]


def _dataset(one: Misfit) -> str:
    remedy = _TOGETHER if one.reason is Reason.FAR else _KEEP
    why = _reason(one)
    return f"{one.name} was left out: it does not fit, as if indexed wrongly. {why}{remedy}"


def _experiments(name: str, own: Sequence[Misfit]) -> str:
    if len(own) == 1:
        return (
            f"{name}: experiment {own[0].experiment} was left out: it does not fit, as if indexed "
            f"wrongly. {_reason(own[0])}{_KEEP}"
        )
    numbers = ", ".join(str(one.experiment) for one in own[:_FEW])
    more = f" and {len(own) - _FEW} more" if len(own) > _FEW else ""
    return (
        f"{name}: {len(own)} experiments were left out: they do not fit, as if indexed wrongly "
        f"({numbers}{more}).{_KEEP}"
    )


_KEEP = " --keep-all keeps all."
_TOGETHER = f" To use it, {TOGETHER}"


def _reason(one: Misfit) -> str:
    if one.reason is Reason.FAR:
        return (
            f"Half of its reflections lie more than {one.off_share or 0.0:.0%} of their scattering "
            "vector from where their Miller index places them."
        )
    lost = (
        f"{one.n_lost} of its {one.n_reflections} reflections cannot be predicted."
        if one.n_lost
        else ""
    )
    if one.reason is Reason.ANGLE:
        found, usual, unit = one.scatter_mrad, one.usual_mrad, "mrad"
    else:
        found, usual, unit = one.scatter_px, one.usual_px, "px"
    if found is None or usual is None:
        return lost
    residual = (
        f"Its median residual is {found:.2f} {unit} where the others have {usual:.2f} {unit}."
    )
    return f"{residual} {lost}".rstrip()
