"""What became of a case: errors, the verdict of the derivation, and whether it failed silently."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from benchmarks.truth.cases import Case
from benchmarks.truth.catalogue import NOTHING, entry_of
from benchmarks.truth.scenes import Scene
from calib.flows.shared.results import Derived
from calib.report.calibration.warnings import warning_views
from calib.simulate.gauge_free import GaugeFreeError, gauge_free_error

WIDENED = 1.5
"""The stated standard uncertainties may be too small by this factor."""
CHANCE = 1e-5


class Verdict(StrEnum):
    """How a case ended."""

    SOUND = "sound"
    """Accepted, and right."""
    WARNED = "warned"
    """Accepted and wrong, with a warning that fits the effect."""
    REFUSED = "refused"
    """Not accepted, with an effect in the data."""
    ALARM = "false alarm"
    """Not accepted, or warned of, without any effect."""
    SILENT = "SILENT"
    """Accepted and wrong, without a fitting warning."""
    FAILED = "error"
    """The derivation ended with an error."""


@dataclass(frozen=True)
class Outcome:
    """One row of the table, as plain values."""

    name: str
    effect: str
    verdict: str
    accepted: bool
    freedom: str
    in_plane_um: float
    normal_um: float
    seen_um: float
    sigmas: float
    """Root mean square of error over stated standard uncertainty."""
    sigma_um: float
    """Median stated uncertainty of dx and dy of measured panels."""
    chi_square: float
    degrees: int
    p_value: float
    before_px: tuple[float, float]
    """Errors of the unseen target's spots in x and y with nominal panels."""
    after_px: tuple[float, float]
    worse_shells: tuple[int, ...]
    """Numbers of the shells that are worse, from low resolution."""
    worst_ratio: float
    """The largest ratio of after to before of all shells."""
    codes: tuple[str, ...]
    """Codes of the warnings."""
    reasons: tuple[str, ...]
    """Of the acceptance, or the error."""
    seconds: float


def outcome_of(case: Case, scene: Scene, derived: Derived) -> Outcome:
    """Compare a derivation with the truth."""
    import numpy as np

    estimate, entry = derived.record.estimate, entry_of(case.effect)
    error = gauge_free_error(
        scene.layout, estimate, scene.truth, scene.pose, widened=WIDENED, scale=entry.scale
    )
    shells = scene.target.shells(estimate, widened=WIDENED)
    worse = tuple(number for number, shell in enumerate(shells) if shell.worse)
    none = type(estimate.correction).none(len(scene.layout))
    accepted, codes = derived.record.acceptance.accepted, codes_of(derived)
    measured = estimate.sigma[estimate.measured, :2]
    return Outcome(
        name=case.name,
        effect=case.effect,
        verdict=verdict(case, accepted=accepted, codes=codes, error=error, worse=bool(worse)),
        accepted=accepted,
        freedom=estimate.freedom.value,
        in_plane_um=error.corners.in_plane_um,
        normal_um=error.corners.normal_um,
        seen_um=error.corners.seen_um,
        sigmas=error.sigmas * WIDENED,
        sigma_um=1e3 * float(np.median(measured)) if len(measured) else float("nan"),
        chi_square=error.chi_square * WIDENED**2,
        degrees=error.degrees,
        p_value=error.p_value,
        before_px=scene.target.rms_px(none),
        after_px=scene.target.rms_px(estimate.correction),
        worse_shells=worse,
        worst_ratio=max(
            after / max(before, 1e-6)
            for shell in shells
            for before, after in zip(shell.before_px, shell.after_px, strict=True)
        ),
        codes=codes,
        reasons=derived.record.acceptance.reasons,
        seconds=derived.seconds,
    )


def verdict(
    case: Case, *, accepted: bool, codes: tuple[str, ...], error: GaugeFreeError, worse: bool
) -> Verdict:
    """How a case ended: a warning counts only if its code fits the effect."""
    if case.effect == NOTHING.name and (not accepted or codes):
        return Verdict.ALARM
    if not accepted:
        return Verdict.REFUSED
    if error.p_value >= CHANCE and not worse:
        return Verdict.SOUND
    return Verdict.WARNED if set(codes) & set(entry_of(case.effect).codes) else Verdict.SILENT


def codes_of(derived: Derived) -> tuple[str, ...]:
    """The codes of the warnings of a derivation, in order."""
    return tuple(sorted({warning["code"] for warning in warning_views(derived.record)}))


def failed(case: Case, error: Exception, seconds: float) -> Outcome:
    """The row of a derivation that ended with an error: nothing was accepted."""
    nan = float("nan")
    alarm = case.effect == NOTHING.name
    return Outcome(
        case.name, case.effect, Verdict.ALARM if alarm else Verdict.FAILED, False, "", nan, nan,
        nan, nan, nan, nan, 0, nan, (nan, nan), (nan, nan), (), nan, (),
        (f"{type(error).__name__}: {error}",), seconds,
    )  # fmt: skip
