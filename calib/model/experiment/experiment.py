"""Experiments: beam, goniometer, scan, crystal and detector as a file describes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools, Floats, frozen, frozen_floats
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import PanelFrames, PanelGroup, PanelShape


@dataclass(frozen=True, slots=True, eq=False)
class Beam:
    """A monochromatic beam."""

    direction: Floats
    """(3,) unit vector from the sample to the source, laboratory frame."""
    wavelength_angstrom: float
    s0_at_scan_points: Floats | None = None
    """(k, 3) 1/Angstrom, incident wave vectors at evenly spaced scan points from the start of the
    scan to its end, if the file has a scan-varying beam."""

    def __post_init__(self) -> None:
        direction = frozen_floats(self.direction, (3,), "beam direction")
        object.__setattr__(self, "direction", direction)
        points = self.s0_at_scan_points
        if points is not None:
            points = frozen_floats(points, (len(points), 3), "wave vectors")
            object.__setattr__(self, "s0_at_scan_points", points)

    @property
    def s0(self) -> Floats:
        """(3,) incident wave vector in 1/Angstrom: -direction / wavelength."""
        unit = self.direction / np.linalg.norm(self.direction)
        return np.asarray(-unit / self.wavelength_angstrom)

    @property
    def mean_s0(self) -> Floats:
        """(3,) 1/Angstrom, along the mean direction at the scan points, if there are any; else
        ``s0``. Its length is that of ``s0``."""
        points = self.s0_at_scan_points
        if points is None:
            return self.s0
        mean = (points / np.linalg.norm(points, axis=1, keepdims=True)).mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean) / self.wavelength_angstrom)


@dataclass(frozen=True, slots=True, eq=False)
class Goniometer:
    """r_lab = setting @ R(axis, phi) @ fixed @ A @ h, whatever axes the file gave."""

    axis: Floats
    """(3,) unit vector of the rotation axis at datum."""
    fixed: Floats
    """(3, 3) rotation applied before the scan axis (F)."""
    setting: Floats
    """(3, 3) rotation applied after the scan axis (S)."""
    setting_at_scan_points: Floats | None = None
    """(k, 3, 3) S at evenly spaced scan points from the start of the scan to its end, if the file
    has a scan-varying goniometer."""

    def __post_init__(self) -> None:
        axis = frozen_floats(self.axis, (3,), "rotation axis")
        object.__setattr__(self, "axis", frozen_floats(axis / np.linalg.norm(axis), (3,), "axis"))
        object.__setattr__(self, "fixed", frozen_floats(self.fixed, (3, 3), "fixed rotation"))
        object.__setattr__(self, "setting", frozen_floats(self.setting, (3, 3), "setting rotation"))
        points = self.setting_at_scan_points
        if points is not None:
            points = frozen_floats(points, (len(points), 3, 3), "setting rotations")
            object.__setattr__(self, "setting_at_scan_points", points)

    @property
    def mean_setting(self) -> Floats:
        """(3, 3) the rotation nearest to the mean over the scan points, if there are any; else
        ``setting``."""
        points = self.setting_at_scan_points
        if points is None:
            return self.setting
        left, _, right = np.linalg.svd(points.mean(axis=0))
        return np.asarray(left @ right)


@dataclass(frozen=True, slots=True)
class Scan:
    """A rotation scan."""

    image_range: tuple[int, int]
    """First and last image number."""
    start_rad: float
    """The angle at the start of the first image."""
    width_rad: float
    """The rotation of one image."""
    epoch: float | None
    """Seconds of the first image as the file gives them: local time, stored as if it were UTC.
    None if not set, NaN if it is not a finite number; ``epochs.is_date`` says whether it is one."""

    @property
    def n_images(self) -> int:
        """Number of images."""
        return self.image_range[1] - self.image_range[0] + 1

    @property
    def end_rad(self) -> float:
        """The angle at the end of the last image."""
        return self.start_rad + self.n_images * self.width_rad

    @property
    def range_rad(self) -> float:
        """The range of angles, whatever the direction of rotation."""
        return abs(self.end_rad - self.start_rad)


@dataclass(frozen=True, slots=True, eq=False)
class Crystal:
    """A crystal lattice and its orientation at datum."""

    real_space: Floats
    """(3, 3) Angstrom; rows are a, b, c."""
    hall_symbol: str
    a_at_scan_points: Floats | None = None
    """(k, 3, 3) 1/Angstrom, setting matrices at evenly spaced scan points from the start of the
    scan to its end, if the file has a scan-varying crystal."""

    def __post_init__(self) -> None:
        basis = frozen_floats(self.real_space, (3, 3), "real space basis")
        object.__setattr__(self, "real_space", basis)
        points = self.a_at_scan_points
        if points is not None:
            points = frozen_floats(points, (len(points), 3, 3), "setting matrices")
            object.__setattr__(self, "a_at_scan_points", points)

    @property
    def a_matrix(self) -> Floats:
        """(3, 3) 1/Angstrom; the setting matrix A whose columns are a*, b*, c*."""
        return np.asarray(np.linalg.inv(self.real_space))

    @property
    def mean_a_matrix(self) -> Floats:
        """(3, 3) the mean over the scan points, if there are any; else ``a_matrix``."""
        points = self.a_at_scan_points
        return self.a_matrix if points is None else np.asarray(points.mean(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Sensors:
    """The sensitive layer of n panels, for the parallax correction."""

    parallax: Bools
    """(n,) whether the file asks for the parallax correction."""
    mu_per_mm: Floats
    """(n,) linear absorption coefficient; 0 where unknown."""
    thickness_mm: Floats
    """(n,) thickness along the normal; 0 where unknown."""

    def __post_init__(self) -> None:
        n = len(self.mu_per_mm)
        object.__setattr__(self, "parallax", frozen(self.parallax, np.bool_, (n,), "parallax"))
        object.__setattr__(self, "mu_per_mm", frozen_floats(self.mu_per_mm, (n,), "mu"))
        thickness = frozen_floats(self.thickness_mm, (n,), "thickness")
        object.__setattr__(self, "thickness_mm", thickness)


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """A detector as described by an experiment list."""

    panels: tuple[PanelShape, ...]
    frames: PanelFrames
    """The panels in the laboratory."""
    lab_from_root: RigidMotion | None
    """The root frame if the file has a hierarchy with one; None if panels are given in the
    laboratory frame (no hierarchy, or a root that is the identity)."""
    sensors: Sensors
    identifier: str
    """The first non-empty panel identifier, such as ``PILATUS 2M, S/N 24-0107 Diamond``."""
    groups: tuple[PanelGroup, ...] = ()
    """Groups of panels between the root and the panels, outer groups first."""


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """One entry of an experiment list; equal indices mean the same, jointly refined model."""

    identifier: str
    """The experiment's identifier; empty in older files."""
    beam: int
    detector: int
    goniometer: int | None
    scan: int | None
    crystal: int | None
    imageset: int | None


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentList:
    """The experiments of one file and the models that they share."""

    experiments: tuple[Experiment, ...]
    beams: tuple[Beam, ...]
    detectors: tuple[Detector, ...]
    goniometers: tuple[Goniometer, ...]
    scans: tuple[Scan, ...]
    crystals: tuple[Crystal, ...]

    def epochs_of(self, detector: int) -> tuple[float | None, ...]:
        """The epochs of the scans that a detector took, by index of the scan."""
        scans = {e.scan for e in self.experiments if e.detector == detector and e.scan is not None}
        return tuple(self.scans[index].epoch for index in sorted(scans))

    @property
    def detectors_in_use(self) -> tuple[int, ...]:
        """The indices of the detectors that experiments use; of all, without experiments."""
        used = {entry.detector for entry in self.experiments}
        return tuple(sorted(used or range(len(self.detectors))))

    @property
    def one_panel_detectors(self) -> tuple[int, ...]:
        """The indices of the detectors in use that are described as one panel."""
        return tuple(k for k in self.detectors_in_use if len(self.detectors[k].panels) == 1)

    @property
    def stills(self) -> Bools:
        """(e,) which experiments are stills: without a scan, with one of zero width, or with one
        image and no goniometer."""
        return np.array([self._is_still(entry) for entry in self.experiments], dtype=np.bool_)

    def _is_still(self, entry: Experiment) -> bool:
        if entry.scan is None:
            return True
        scan = self.scans[entry.scan]
        return scan.width_rad == 0.0 or (entry.goniometer is None and scan.n_images == 1)
