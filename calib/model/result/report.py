"""What a derivation says of itself: residuals before and after, halves, convergence, verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import hypot

SAME_DISTANCE = 0.01
"""Distances that differ by less than this share count as one."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Residuals (observed minus predicted) of n reflections."""

    n: int
    rms_x_px: float
    rms_y_px: float
    median_abs_x_px: float
    median_abs_y_px: float
    rms_phi_mrad: float
    median_abs_phi_mrad: float

    @property
    def scatter_px(self) -> float:
        """The median residual, of x and y in squares."""
        return hypot(self.median_abs_x_px, self.median_abs_y_px)


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """The same reflections with the panels as drawn (pose and crystals refined) and corrected."""

    before: Spread
    after: Spread


@dataclass(frozen=True, slots=True)
class Fit:
    """Residuals on the reflections that the solution used, and on ones that it never saw."""

    used: BeforeAfter | None
    """None where there is no such reflection."""
    held_out: BeforeAfter | None
    """From a solution without these reflections; None where there is no such reflection."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Held-out residuals of one resolution shell."""

    d_max_angstrom: float
    d_min_angstrom: float
    held_out: BeforeAfter


@dataclass(frozen=True, slots=True)
class Halves:
    """How far two solutions from independent halves of the reflections differ.

    Over the panels with 100 reflections or more in each half, after rigid alignment.
    """

    n_panels: int
    rms_in_plane_um: float
    """Root mean square over dx and dy of half A minus half B."""
    rms_normal_um: float | None
    """The same along the normal; None where it was held."""
    chi_square_per_degree: float
    """Of the differences of the two halves against their claimed covariance."""


@dataclass(frozen=True, slots=True)
class Convergence:
    """How the iteration ended."""

    converged: bool
    iterations: int
    last_shift_sigma: float
    """The largest last step of any panel parameter in units of its sigma."""
    chi_square: float
    degrees_of_freedom: int


@dataclass(frozen=True, slots=True)
class Influence:
    """How far the solution moves when one dataset is left out, in its standard uncertainties."""

    rms_sigma: float
    """Root mean square over all free parameters."""
    largest_sigma: float
    panel: int
    """Where the largest shift is."""


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """What one dataset gave to a derivation."""

    name: str
    sha256: tuple[str, ...]
    """The hashes of its files, sorted."""
    n_reflections: int
    """Used, after rejection."""
    n_rejected: int
    """Rejected here as outliers."""
    n_flagged: int
    """Indexed, but kept out by flags that came with the data."""
    n_crystals: int
    distance_mm: float
    wavelength_angstrom: float
    rmsd: BeforeAfter
    """On the used reflections."""
    left_out: BeforeAfter | None
    """The same reflections with corrections from the other datasets alone; None where this is
    the only one."""
    weight_scale: tuple[float, float, float]
    """Achieved over claimed standard deviation of x, y and phi."""
    crystal_interval_deg: float | None = None
    """Length of the intervals of crystals that change along their scans; None where they stand
    still."""
    slips_deg: tuple[float, ...] = ()
    """Angles at which crystals slipped; before and behind they count as two."""
    sample_root_mm: tuple[float, float, float] | None = None
    """Where the sample stands in the detector's root frame; None where it was not recorded."""
    influence: Influence | None = None
    """What leaving it out would change; None where it is the only one."""
    linearisation_error_sigma: float | None = None
    """How far the solution may be off, at most, by this dataset's having been linearised
    elsewhere; None where it was linearised at the solution."""
    summary: str = ""
    """The name of the summary that speaks for it; empty where none was made."""


class Reason(StrEnum):
    """Why data were left out."""

    SCATTER = "scatter"
    """They scatter in the plane."""
    ANGLE = "angle"
    """They scatter in phi or delta-psi."""
    LOST = "unpredictable"
    """Most of the reflections cannot diffract at all."""
    FAR = "far"
    """As the files have them, reflections lie nowhere near where their indices place them."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A dataset, or one experiment of it, that was left out, since it does not fit: indexed
    wrongly, most likely."""

    name: str
    sha256: tuple[str, ...]
    """The hashes of its files, sorted."""
    scatter_px: float | None
    """Its median residual (of x and y, added in squares): of a dataset with pose and crystals
    refined and panels as drawn, of an experiment with the panels nearly in place. None where hardly
    a reflection could be predicted, and where the reason is another."""
    usual_px: float | None
    """The same of the others."""
    n_lost: int
    """Reflections that cannot diffract at all where it was placed, of ..."""
    n_reflections: int
    experiment: int | None = None
    """Its number in the file, from 0; None for the whole dataset."""
    identifier: str = ""
    """The experiment's identifier; empty where it has none."""
    reason: Reason = Reason.SCATTER
    scatter_mrad: float | None = None
    """The median residual in phi or delta-psi, where that is the reason."""
    usual_mrad: float | None = None
    """The same of the others."""
    off_share: float | None = None
    """By which share of their scattering vectors half of the reflections lie apart at least, where
    that is the reason."""


@dataclass(frozen=True, slots=True)
class WeakMode:
    """A pattern of panels that the data hardly determine."""

    words: str
    """Such as ``bow about fast``."""
    sigma_um: float
    """One standard deviation, as the root mean square of the panels' motion."""


@dataclass(frozen=True, slots=True)
class DataShare:
    """How much of what is known of a pattern of panels comes from the data."""

    words: str
    """Such as ``overall scale``."""
    share: float
    """1 - variance after over variance before: 0 where the tolerances of assembly alone speak, 1
    where the data do."""


@dataclass(frozen=True, slots=True)
class Determined:
    """Which directions the data determine, and which lean on the tolerances of assembly."""

    n_directions: int
    """Independent motions of the panels within the free parameters, but those of all together."""
    n_determined: int
    """Those of which the data say more than the tolerances do."""
    parameters: tuple[float | None, ...]
    """The data's share in dx, dy, dz, rx, ry and rz, over all panels; None where held."""
    patterns: tuple[DataShare, ...]
    """The same of patterns of the measured panels that have a name."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How far the solutions from two distances differ, against their uncertainties."""

    distances_mm: tuple[float, float]
    chi_square: float
    degrees_of_freedom: int
    p_value: float
    """How likely a difference this large is where one set of corrections describes both."""
    panel_p_values: tuple[float, ...]
    """The same for each panel by itself."""


@dataclass(frozen=True, slots=True)
class GroupMotion:
    """How a group of panels moved as a whole, in the detector's root frame."""

    name: str
    level: int
    """1 for groups directly below the root."""
    panels: tuple[int, ...]
    n_reflections: int
    """On all of its panels."""
    values: tuple[float, ...]
    """Shifts along the group's own fast, slow and normal axes (mm), and turns about them through
    the middle of its panels (rad); 0 where held."""
    sigma: tuple[float | None, ...]
    """Their standard uncertainties; None where held."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The verdict on a derivation."""

    accepted: bool
    reasons: tuple[str, ...]
    """One sentence per gate that failed; where all passed, what was found."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a derivation measured of itself."""

    overall: Fit
    panels: tuple[Fit, ...]
    shells: tuple[Shell, ...]
    halves: Halves | None
    """None where no panel has enough reflections in both halves."""
    convergence: Convergence
    datasets: tuple[DatasetUse, ...]
    held_out_dropped: float
    """Share of the held-out reflections beyond five robust sigma of either model."""
    gauge: int
    """How many rigid motions lay within the free parameters and were fixed by convention."""
    rejected_on_panel: tuple[int, ...]
    """Reflections of each panel that were rejected here as outliers."""
    flagged_on_panel: tuple[int, ...]
    """Indexed reflections of each panel that flags in the data kept out."""
    null_directions: tuple[str, ...]
    """Further directions which the data do not determine, in words."""
    weak_modes: tuple[WeakMode, ...] = ()
    """The least determined patterns of the panels, the worst first."""
    disagreements: tuple[Disagreement, ...] = ()
    """Solutions from single distances compared, pair by pair; empty for one distance."""
    misfits: tuple[Misfit, ...] = ()
    """Datasets and single experiments that were left out, since they do not fit the others."""
    groups: tuple[GroupMotion, ...] = ()
    """Groups of panels, outer ones first; empty where the detector has none."""
    determined: Determined | None = None
    """Which directions the data determine; None where that was not recorded."""
