"""The report of a derivation: residuals before and after, halves, convergence, verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import hypot

from calib.model.result.comparison import Comparison, Repeatability
from calib.model.result.what_if import WhatIf

SAME_DISTANCE = 0.01
"""Distances that differ by less than this fraction count as one."""


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
        """The median residuals of x and y, added in quadrature."""
        return hypot(self.median_abs_x_px, self.median_abs_y_px)


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """The same reflections with nominal panels (pose and crystals refined) and corrected ones."""

    before: Spread
    after: Spread
    chance: tuple[float, float] | None = None
    """Probability that mean squares of x and y increase so much by chance, from the differences of
    single reflections; None if not recorded."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Residuals of the reflections used in the solution, and of held-out ones."""

    used: BeforeAfter | None
    """None if there are no such reflections."""
    held_out: BeforeAfter | None
    """From a solution without these reflections; None if there are none."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Held-out residuals of one resolution shell."""

    d_max_angstrom: float
    d_min_angstrom: float
    held_out: BeforeAfter


@dataclass(frozen=True, slots=True)
class Halves:
    """The difference of two solutions from independent halves of the reflections.

    Over the panels with 100 reflections or more in each half, after rigid alignment.
    """

    n_panels: int
    rms_in_plane_um: float
    """Root mean square over dx and dy of half A minus half B."""
    rms_normal_um: float | None
    """The same along the normal; None if it was fixed."""
    chi_square_per_degree: float
    """Of the differences of the two halves against their claimed covariance."""


@dataclass(frozen=True, slots=True)
class Convergence:
    """Convergence of the refinement."""

    converged: bool
    iterations: int
    last_shift_sigma: float
    """The largest last step of any panel parameter in units of its sigma."""
    chi_square: float
    degrees_of_freedom: int

    @property
    def chi_square_per_degree(self) -> float:
        """Variance of the residuals relative to that which their weights state."""
        return self.chi_square / max(self.degrees_of_freedom, 1)


@dataclass(frozen=True, slots=True)
class Influence:
    """The shift of the solution if one dataset is omitted, in standard uncertainties."""

    rms_sigma: float
    """Root mean square over all free parameters."""
    largest_sigma: float
    panel: int
    """The panel with the largest shift."""


NARROW, METHOD = 1, 2
"""Versions of the method: the first one, in which beam, symmetry and crystals of short scans were
held unless asked otherwise; and the current one, in which they are free with priors."""


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """The contribution of one dataset to a derivation."""

    name: str
    sha256: tuple[str, ...]
    """The hashes of its files, sorted."""
    n_reflections: int
    """Used after rejection."""
    n_rejected: int
    """Rejected as outliers."""
    n_flagged: int
    """Indexed, but excluded by flags in the data."""
    n_crystals: int
    distance_mm: float
    wavelength_angstrom: float
    rmsd: BeforeAfter
    """On the used reflections."""
    left_out: BeforeAfter | None
    """Cross-validation: the same reflections with corrections from the other datasets only; None
    if there are no others."""
    weight_scale: tuple[float, float, float]
    """Observed over stated standard deviation of x, y and phi (or delta-psi)."""
    crystal_interval_deg: float | None = None
    """Interval length of scan-varying crystals; None for static ones."""
    slips_deg: tuple[float, ...] = ()
    """Angles at which crystals slipped; the parts before and after count as two crystals."""
    sample_root_mm: tuple[float, float, float] | None = None
    """Position of the sample in the root frame of the detector; None if not recorded."""
    influence: Influence | None = None
    """The effect of omitting it; None if there are no others."""
    linearisation_error_sigma: float | None = None
    """Upper limit of the error of the solution because this dataset was linearised elsewhere; None
    if it was linearised at the solution."""
    summary: str = ""
    """The id of its summary; empty if none was made."""
    still: bool = False
    """Whether all its experiments are stills, with delta-psi in the place of phi."""
    n_readmitted: int = 0
    """Used although flagged as outliers in the data."""
    n_outliers_kept: int = 0
    """Outliers in excess of the limits of rejection, which are used with a small weight."""
    limited_panels: tuple[int, ...] = ()
    """Panels with at least twice as many outliers as the limit for a panel allows to reject."""
    disputed_panels: tuple[int, ...] = ()
    """Panels of whose reflections, flagged or not, less than half agree: it does not measure
    them."""
    halves: Comparison | None = None
    """The first halves of its scans against the last ones; None if not compared."""
    method: int = NARROW
    """The version of the method that refined it."""


class Reason(StrEnum):
    """Why data were excluded."""

    SCATTER = "scatter"
    """Large residuals in the plane of the detector."""
    ANGLE = "angle"
    """Large residuals in phi or delta-psi."""
    LOST = "unpredictable"
    """Most reflections cannot diffract with this model."""
    FAR = "far"
    """Observed positions are far from those predicted by the indices in the files."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A dataset, or one of its experiments, that was excluded because it does not fit; most likely
    it is misindexed."""

    name: str
    sha256: tuple[str, ...]
    """The hashes of its files, sorted."""
    scatter_px: float | None
    """Its median residual (x and y added in quadrature): for a dataset with nominal panels after
    refining pose and crystals, for an experiment with almost final panels. None if hardly any
    reflection could be predicted, or if the reason is another one."""
    usual_px: float | None
    """The same for the others."""
    n_lost: int
    """Number of its reflections that cannot diffract with this model."""
    n_reflections: int
    experiment: int | None = None
    """Its number in the file, from 0; None for the whole dataset."""
    identifier: str = ""
    """The identifier of the experiment; empty if it has none."""
    reason: Reason = Reason.SCATTER
    scatter_mrad: float | None = None
    """The median residual in phi or delta-psi, if that is the reason."""
    usual_mrad: float | None = None
    """The same for the others."""
    off_share: float | None = None
    """The median deviation as a fraction of the scattering vectors, if that is the reason."""


@dataclass(frozen=True, slots=True)
class WeakMode:
    """A pattern of panel shifts that the data hardly determine."""

    words: str
    """Such as ``bow about fast``."""
    sigma_um: float
    """One standard deviation, as the root mean square shift of the panels."""


@dataclass(frozen=True, slots=True)
class DataShare:
    """The fraction of the information on a pattern of panel shifts that comes from the data."""

    words: str
    """Such as ``overall scale``."""
    share: float
    """1 - posterior / prior variance: 0 if only the tolerance determines it, 1 if only the data."""


@dataclass(frozen=True, slots=True)
class Determined:
    """How much is determined by the data, and how much by the assembly tolerances."""

    n_directions: int
    """Degrees of freedom of the panels within the free parameters, without rigid motions of all."""
    n_determined: int
    """Those that the data constrain more tightly than the assembly tolerances."""
    parameters: tuple[float | None, ...]
    """Fraction of each panel parameter that the data determine, over all panels; None if fixed."""
    patterns: tuple[DataShare, ...]
    """The same for named patterns of the measured panels."""


@dataclass(frozen=True, slots=True)
class PriorWidths:
    """Typical deviation of the panels, or groups, of one level from what they are mounted on."""

    level: int
    """1 for what is mounted on the detector itself."""
    of_groups: bool
    """Groups of panels rather than panels."""
    n_contrasts: int
    """Number of independent deviations of those with reflections."""
    shift_mm: float
    """Standard deviation of shifts in the plane."""
    normal_mm: float
    """The same along the normal."""
    tilt_rad: float
    """The same of rotations."""
    log_sigma: tuple[float, float, float]
    """Standard uncertainties of the logarithms of these three."""

    @property
    def widths(self) -> tuple[float, float, float]:
        """The standard deviations in mm, mm and rad."""
        return self.shift_mm, self.normal_mm, self.tilt_rad


@dataclass(frozen=True, slots=True)
class Deviating:
    """A panel or group whose deviation is beyond what is typical of its level."""

    is_group: bool
    index: int
    factor: float
    """Its width relative to that of its level."""


NAMED_PX = 0.03
"""Displacement of parts of a panel, or of the margins of all, from which on it is named."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What rigid panels and independent residuals leave, and what the covariance allows for."""

    sizes_px: tuple[float, ...]
    """Of each panel: the standard deviation of displacements of its parts, beyond noise."""
    margin_px: float
    """The same of the margins of all panels alike, as a bias at edges makes it."""
    significant: tuple[int, ...]
    """Panels where it is ``NAMED_PX`` or more, and significant."""
    excess: tuple[float, ...]
    """Of each dataset: variance of the panels between blocks of time over that of independent
    residuals, for the parameter where it is largest; 1 where none is larger."""
    stretch_ppm: float = 0.0
    """How much further apart panels stand than drawn; 0 if as their other displacements suggest."""


@dataclass(frozen=True, slots=True)
class LearnedPrior:
    """Widths of the prior of the panels, as learned from the data."""

    levels: tuple[PriorWidths, ...]
    deviating: tuple[Deviating, ...] = ()

    def by_stratum(self) -> dict[tuple[bool, int], PriorWidths]:
        """The widths by whether they are of groups, and level."""
        return {(one.of_groups, one.level): one for one in self.levels}


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Comparison of the solutions from two distances."""

    distances_mm: tuple[float, float]
    chi_square: float
    degrees_of_freedom: int
    p_value: float
    """Probability of a difference this large if one set of corrections describes both."""
    panel_p_values: tuple[float, ...]
    """The same for each panel."""


@dataclass(frozen=True, slots=True)
class GroupMotion:
    """The rigid motion of a group of panels, in the root frame of the detector."""

    name: str
    level: int
    """1 for groups directly below the root."""
    panels: tuple[int, ...]
    n_reflections: int
    """Reflections on all of its panels."""
    values: tuple[float, ...]
    """Shifts along the fast, slow and normal axes of the group (mm), and rotations about them
    through the centre of its panels (rad); 0 if fixed."""
    sigma: tuple[float | None, ...]
    """Their standard uncertainties; None if fixed."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The verdict on a derivation."""

    accepted: bool
    reasons: tuple[str, ...]
    """One sentence per criterion that failed; if all passed, what was found."""


@dataclass(frozen=True, slots=True)
class Report:
    """All results of a derivation except the correction and its covariance."""

    overall: Fit
    panels: tuple[Fit, ...]
    shells: tuple[Shell, ...]
    halves: Halves | None
    """None if no panel has enough reflections in both halves."""
    convergence: Convergence
    datasets: tuple[DatasetUse, ...]
    held_out_dropped: float
    """Fraction of the held-out reflections beyond five robust sigma of either model."""
    gauge: int
    """Number of rigid motions within the free parameters, which were fixed by convention."""
    rejected_on_panel: tuple[int, ...]
    """Reflections of each panel that were rejected as outliers."""
    flagged_on_panel: tuple[int, ...]
    """Indexed reflections of each panel that were excluded by flags in the data."""
    null_directions: tuple[str, ...]
    """Further null directions, in words."""
    weak_modes: tuple[WeakMode, ...] = ()
    """The least well determined patterns of the panels, the worst first."""
    disagreements: tuple[Disagreement, ...] = ()
    """Pairwise comparisons of the solutions from single distances; empty for one distance."""
    misfits: tuple[Misfit, ...] = ()
    """Datasets and single experiments that were excluded because they do not fit the others."""
    groups: tuple[GroupMotion, ...] = ()
    """Groups of panels, outer ones first; empty if the detector has none."""
    determined: Determined | None = None
    """How much the data determine; None if not recorded."""
    comparisons: tuple[Comparison, ...] = ()
    """Datasets, distances and occasions against all others; empty if not recorded."""
    prior: LearnedPrior | None = None
    """Widths of the prior that were learned from the data; None if tolerances were used."""
    repeatability: Repeatability | None = None
    """Estimated from these data; None with fewer than four occasions, or unknown times."""
    structure: Structure | None = None
    """Displacements inside panels and correlated noise; None if not recorded."""
    what_if: WhatIf | None = None
    """How far panels move under other choices of the derivation; None if not recorded."""

    @property
    def all_comparisons(self) -> tuple[Comparison, ...]:
        """Those of halves of scans, and ``comparisons``."""
        halves = [
            replace(use.halves, datasets=(place,))
            for place, use in enumerate(self.datasets)
            if use.halves is not None
        ]
        return (*halves, *self.comparisons)
