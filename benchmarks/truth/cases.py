"""The 600 derivations of the campaign, and the rows of the table of known failures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from benchmarks.truth.catalogue import CATALOGUE, NOTHING, entry_of

PANELS_UM = (7, 70)
DETECTORS = (3, 24, 60)
RANGES_DEG = (30, 80, 360)
SCAN, STILLS, KAPPA = "scan", "stills", "kappa"
_FIRST_SEED = 20_000


@dataclass(frozen=True)
class Case:
    """One derivation."""

    effect: str
    size: float
    """In the unit of the effect."""
    panels_um: int
    """Standard deviation of the panels in the plane: 7 or 70."""
    n_panels: int
    """3, 24 or 60."""
    distances: str
    """``far``, ``near`` or ``both``."""
    kind: str
    """``scan``, ``stills`` or ``kappa``."""
    range_deg: int
    """Of each scan; 0 for stills."""
    seed: int
    """Of panels, crystals and noise; fixed beforehand."""
    options: tuple[tuple[str, str | bool], ...] = ()
    """Arguments of ``calib.derive``."""

    @property
    def name(self) -> str:
        """Such as ``slip 1 mrad, 7 um, 60 panels, both, scan 80``; unique with the seed."""
        unit = entry_of(self.effect).unit
        size = f" {self.size:g} {unit}".rstrip() if unit else ""
        range_ = f" {self.range_deg}" if self.range_deg else ""
        words = "".join(f", {key}={value}" for key, value in self.options)
        return (
            f"{self.effect}{size}, {self.panels_um} um, {self.n_panels} panels, "
            f"{self.distances}, {self.kind}{range_}{words} #{self.seed}"
        )

    @property
    def combination(self) -> tuple[int, int, str, str, int]:
        """Everything but the effect and the seed."""
        return self.panels_um, self.n_panels, self.distances, self.kind, self.range_deg


def _all() -> list[Case]:
    cases: list[Case] = []
    for index, entry in enumerate(CATALOGUE):
        for step, size in enumerate(entry.sizes):
            for place, (panels, distances) in enumerate(product(PANELS_UM, ("far", "both"))):
                kind = KAPPA if entry.name == "kappa" else SCAN
                if entry.stills and place == (index + step) % 4:
                    kind = STILLS
                count = 2 if kind == KAPPA else len(RANGES_DEG)
                range_deg = RANGES_DEG[(index + step + 2 * place + place // 2) % count]
                cases.append(
                    Case(
                        entry.name,
                        size,
                        panels,
                        DETECTORS[(2 * index + step + place) % 3],
                        distances,
                        kind,
                        0 if kind == STILLS else range_deg,
                        _FIRST_SEED + len(cases),
                    )
                )
    for repeat, kind in product(range(2), (SCAN, STILLS, KAPPA)):
        ranges = {SCAN: RANGES_DEG, STILLS: (0,)}.get(kind, (RANGES_DEG[repeat],))
        every = product(PANELS_UM, DETECTORS, ("far", "both"), ranges)
        for panels, n_panels, distances, range_deg in every:
            seed = _FIRST_SEED + len(cases)
            cases.append(
                Case(NOTHING.name, 0.0, panels, n_panels, distances, kind, range_deg, seed)
            )
    return cases


CASES = tuple(_all())
"""The campaign."""

_FULL = (("freedom", "full"),)
_TUNED = (("ignore_flags", True), ("free_beam", True))
ROWS = (
    Case("nothing", 0.0, 70, 60, "both", SCAN, 360, 1),
    Case("nothing", 0.0, 70, 60, "far", SCAN, 360, 1),
    Case("nothing", 0.0, 70, 60, "far", SCAN, 360, 1, _FULL),
    Case("crystal-drift", 2.0, 7, 60, "far", SCAN, 80, 1),
    Case("crystal-drift", 2.0, 7, 60, "both", SCAN, 80, 1),
    Case("slip", 1.0, 7, 60, "far", SCAN, 80, 1),
    Case("slip", 1.0, 7, 60, "both", SCAN, 80, 1),
    Case("slip", 5.0, 7, 60, "far", SCAN, 80, 1),
    Case("symmetry", 0.05, 70, 60, "both", SCAN, 360, 1),
    Case("spindle", 0.3, 7, 60, "near", SCAN, 80, 1),
    Case("spindle", 0.3, 7, 60, "near", SCAN, 80, 1, (("free_beam", True),)),
    Case("rigid-flags", 1.0, 70, 60, "both", SCAN, 360, 1),
    Case("rigid-flags", 1.0, 70, 60, "both", SCAN, 360, 1, _TUNED),
    Case("moved", 100.0, 70, 60, "both", SCAN, 360, 1),
    Case("chips", 0.05, 70, 60, "both", SCAN, 360, 1),
    Case("bow", 50.0, 70, 60, "both", SCAN, 360, 1),
    Case("position-bias", 0.05, 70, 60, "both", SCAN, 360, 1),
    Case("edge-bias", 0.2, 70, 60, "both", SCAN, 360, 1),
    Case("variances", 1e8, 70, 60, "both", SCAN, 360, 1),
    Case("lone-outlier", 4.0, 70, 60, "both", SCAN, 360, 1),
    Case("nothing", 0.0, 7, 60, "both", SCAN, 360, 1),
)
"""Failures of the narrow model that are known by name; not counted among the 600."""


def chosen(
    cases: tuple[Case, ...], only: tuple[str, ...] = (), limit: int | None = None
) -> list[Case]:
    """The cases whose names contain all of the words ``only``, at most ``limit``, evenly spread
    over the list."""
    found = [case for case in cases if all(word in case.name for word in only)]
    if limit is None or limit >= len(found):
        return found
    return [found[k * len(found) // limit] for k in range(limit)]
