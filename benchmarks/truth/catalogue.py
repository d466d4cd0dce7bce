"""The effects of the campaign: their sizes, and the warnings that name them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from calib.simulate.effects.beam import BeamDrift
from calib.simulate.effects.bias import EdgeBias, IntensityBias, PartialityBias, PositionBias
from calib.simulate.effects.bow import Bow
from calib.simulate.effects.chip import ChipOffsets, WideGaps
from calib.simulate.effects.crystal import CrystalDrift, RadiationDamage
from calib.simulate.effects.detector import DetectorDrift, Sag
from calib.simulate.effects.effect import Effect
from calib.simulate.effects.flags import RigidFlags
from calib.simulate.effects.kappa import Kappa
from calib.simulate.effects.lattice import Misindexing, SecondLattice
from calib.simulate.effects.noise import ClaimedVariances, CorrelatedNoise, HeavyTails
from calib.simulate.effects.panel import MovedPanel
from calib.simulate.effects.pixel import PixelSize
from calib.simulate.effects.sample import SampleOffset
from calib.simulate.effects.sensor import SensorThickness
from calib.simulate.effects.shadow import LoneOutlier, MissingHalf
from calib.simulate.effects.slip import Slip
from calib.simulate.effects.spindle import SpindleTilt, Wobble
from calib.simulate.effects.symmetry import LowerSymmetry

KAPPA_RAD = (0.0, 0.5236, 1.0472)
SENSOR_MM = 0.32
"""As stated, in the cases of a wrong sensor."""
_SIZES = (0.003, 0.03, 0.3, 3.0)


@dataclass(frozen=True)
class Entry:
    """An effect of the campaign."""

    name: str
    unit: str
    sizes: tuple[float, ...]
    """Over three decades where the effect has them."""
    make: Callable[[float, int], tuple[Effect, ...]]
    """The effects of a size in ``unit`` on a detector with that number of panels."""
    codes: tuple[str, ...]
    """Codes of warnings that fit the effect."""
    stills: bool = False
    """Whether it acts on stills, too."""
    detector: bool = False
    """Whether it belongs to the detector, so that an unseen target has it as well."""
    later: bool = False
    """Whether only the second half of the datasets has it."""
    scale: bool = False
    """Whether it magnifies the whole detector, which no data can show."""


_MOVES = ("halves-disagree", "correlated-noise")
_INDEXED = ("many-rejected", "misindexed", "disputed-panels")
NOTHING = Entry("nothing", "", (0.0,), lambda _s, _n: (), (), stills=True)
CATALOGUE = (
    Entry("detector-drift", "um", (3, 30, 300, 3000),
          lambda s, _: (DetectorDrift((0.4e-3 * s, 0.7e-3 * s, 0.6e-3 * s)),),
          _MOVES, stills=True),
    Entry("sag", "um", (3, 30, 300, 3000), lambda s, _: (Sag(1e-3 * s, 1e-5 * s),),
          _MOVES, stills=True),
    Entry("beam-drift", "mrad", _SIZES, lambda s, _: (BeamDrift(1e-3 * s),),
          _MOVES),
    Entry("wobble", "mrad", _SIZES, lambda s, _: (Wobble(1e-3 * s),),
          _MOVES),
    Entry("spindle", "mrad", _SIZES, lambda s, _: (SpindleTilt(1e-3 * s),),
          ("datasets-disagree", "distances-disagree")),
    Entry("sample", "um", (1, 10, 100, 1000),
          lambda s, _: (SampleOffset((0.0, 0.6e-3 * s, 0.8e-3 * s)),),
          _MOVES),
    Entry("crystal-drift", "mrad", (0.02, 0.2, 2.0, 20.0),
          lambda s, _: (CrystalDrift(1e-3 * s, 0.5, 0.3e-3 * s),), _MOVES),
    Entry("slip", "mrad", (0.01, 0.1, 1.0, 10.0), lambda s, _: (Slip(1e-3 * s, 0.5),),
          ("slip", *_MOVES)),
    Entry("damage", "%", _SIZES,
          lambda s, _: (RadiationDamage((1e-2 * s, 1e-2 * s, 1.5e-2 * s)),),
          _MOVES),
    Entry("symmetry", "%", (0.0005, 0.005, 0.05, 0.5),
          lambda s, _: (LowerSymmetry(1e-2 * s),),
          ("datasets-disagree", "halves-disagree"), stills=True),
    Entry("kappa", "mrad", (0.01, 0.1, 1.0, 10.0),
          lambda s, _: (Kappa(KAPPA_RAD, 1e-3 * s, seed=1),), _MOVES),
    Entry("chips", "px", (0.002, 0.02, 0.2, 2.0), lambda s, _: (ChipOffsets(s),),
          ("panel-structure",), stills=True, detector=True),
    Entry("wide-gaps", "px", (0.002, 0.02, 0.2, 2.0), lambda s, _: (WideGaps(1.0 + s),),
          ("panel-structure",), stills=True, detector=True),
    Entry("bow", "um", (1, 10, 100, 1000), lambda s, _: (Bow(1e-3 * s),),
          ("panel-structure",), stills=True, detector=True),
    Entry("sensor", "%", (0.3, 3.0, 30.0, 300.0), lambda s, _: (SensorThickness(1.0 + 1e-2 * s),),
          ("panel-structure",), detector=True),
    Entry("pixel", "ppm", (3, 30, 300, 3000), lambda s, _: (PixelSize(1e-6 * s),),
          ("pixel-size", "panel-structure"), stills=True, detector=True),
    Entry("magnified", "ppm", (3, 30, 300, 3000),
          lambda s, _: (PixelSize(1e-6 * s, places_too=True),),
          ("pixel-size",), stills=True, detector=True, scale=True),
    Entry("edge-bias", "px", _SIZES, lambda s, _: (EdgeBias(s),),
          ("panel-structure",), stills=True, detector=True),
    Entry("position-bias", "px", (0.002, 0.02, 0.2, 2.0), lambda s, _: (PositionBias(s),),
          ("panel-structure",), stills=True, detector=True),
    Entry("intensity-bias", "px a decade", _SIZES,
          lambda s, _: (IntensityBias((0.6 * s, 0.8 * s)),),
          ("heavy-tails", "correlated-noise", "panel-structure"), stills=True),
    Entry("partiality", "px", _SIZES, lambda s, _: (PartialityBias(s),),
          ("heavy-tails", "correlated-noise", "panel-structure"), stills=True),
    Entry("tails", "degrees of freedom", (1000, 100, 10, 2), lambda s, _: (HeavyTails(s),),
          ("heavy-tails",), stills=True),
    Entry("correlated", "px", _SIZES, lambda s, _: (CorrelatedNoise(s),),
          ("correlated-noise", "halves-disagree"), stills=True),
    Entry("variances", "times", (1e-8, 1e-4, 1e2, 1e8), lambda s, _: (ClaimedVariances(s),),
          ("variances",), stills=True),
    Entry("second-lattice", "of reflections", (0.001, 0.01, 0.1, 0.4),
          lambda s, _: (SecondLattice(s),), _INDEXED, stills=True),
    Entry("misindexed", "of reflections", (0.0005, 0.005, 0.05, 0.5),
          lambda s, _: (Misindexing(s),), _INDEXED, stills=True),
    Entry("missing", "of panels", (0.02, 0.1, 0.5, 0.9), lambda s, _: (MissingHalf(s),),
          ("partial-coverage",), stills=True),
    Entry("moved", "um", (1, 10, 100, 1000),
          lambda s, n: (MovedPanel(n // 2, (1e-3 * s, 0.0, 0.0)),),
          ("datasets-disagree", "occasions-disagree"), stills=True, detector=True, later=True),
    Entry("rigid-flags", "", (1.0, 2.0, 3.0, 4.0), lambda _s, _n: (RigidFlags(),),
          ("disputed-panels",)),
    Entry("lone-outlier", "px", (0.3, 3.0, 30.0, 100.0), lambda s, n: (LoneOutlier(n // 2, s),),
          ("sparse-panel",), stills=True),
)  # fmt: skip
"""All effects; ``size`` of rigid flags only numbers the seeds."""


def entry_of(name: str) -> Entry:
    """The effect with this name."""
    return next(entry for entry in (NOTHING, *CATALOGUE) if entry.name == name)
