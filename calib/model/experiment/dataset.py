"""A metrology dataset: experiments that share one detector, and their reflections."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calib.errors import InputError
from calib.model.experiment.experiment import Detector, ExperimentList
from calib.model.experiment.reflections import Reflections


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The files that a dataset came from."""

    names: tuple[str, ...]
    """File names without folders, for people."""
    sha256: tuple[str, ...]
    """The hash of each file's bytes."""


@dataclass(frozen=True, slots=True)
class Apart:
    """Reflections that are far from where their experiments predict them."""

    share: float
    """Half of them are off by more than this fraction of their scattering vectors."""
    n: int
    """Number of reflections."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """One group of experiments with a common detector: a scan, forty wedges, many stills."""

    name: str
    """The stem of its experiment file."""
    source: Source
    experiments: ExperimentList
    """All experiments of the file; reflections index into them."""
    detector: Detector
    """The detector that the group's experiments share."""
    reflections: Reflections
    epoch: float | None
    """Seconds of the earliest image as the files give them: local time, stored as if it were
    UTC. None if no epoch in the files is a date."""
    notices: tuple[str, ...] = ()
    """Remarks on these files for the user, a sentence each."""
    detector_index: int = 0
    """Of the detector in its experiment file."""
    why_no_time: str = ""
    """Why epochs in the file are not the time of the data, as a clause."""
    apart: Apart | None = None
    """Set if the reflections cannot belong to these experiments."""

    def __post_init__(self) -> None:
        n_panels, n = len(self.detector.panels), len(self.experiments.experiments)
        panel, experiment = self.reflections.panel, self.reflections.experiment
        if len(panel) and (panel.min() < 0 or panel.max() >= n_panels):
            bad = int(panel.max() if panel.max() >= n_panels else panel.min())
            raise InputError(
                "panel-out-of-range",
                f"a reflection names panel {bad}, but the detector has {n_panels} panels.",
                place=f"{self.name}, column panel",
                remedy="use the .expt and .refl files that were written together.",
            )
        if len(experiment) and experiment.max() >= n:
            raise InputError(
                "experiment-out-of-range",
                f"a reflection names experiment {int(experiment.max())}, but there are {n}.",
                place=f"{self.name}, column id",
                remedy="use the .expt and .refl files that were written together.",
            )

    def header(self) -> Dataset:
        """The dataset without reflections and experiments: its name, files and detector."""
        return replace(
            self,
            reflections=Reflections.none(),
            experiments=ExperimentList((), (), (), (), (), ()),
        )

    def without_reflections(self) -> Dataset:
        """The same models and an empty list of reflections."""
        return replace(self, reflections=Reflections.none())
