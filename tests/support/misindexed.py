"""Many crystals in one file, some of them indexed wrongly as programs do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from calib.model.base.arrays import Floats, Ints
from calib.model.detector.correction import Correction
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.reflections import Reflections
from calib.simulate.scan import ScanPlan, simulated_scan

ON_LATTICE = 0.3
"""Reflections farther from a node, in indices, are not indexed (dials.index)."""
WAYS = ("shifted", "turned", "cell")


def wedges(
    rng: np.random.Generator,
    layout: Layout,
    truth: Correction,
    pose: RigidMotion,
    plan: ScanPlan,
    count: int,
    name: str = "wedges",
) -> Dataset:
    """So many scans of as many crystals in one file, all on one detector."""
    scans = [
        simulated_scan(rng, layout, truth, pose, plan, f"{name}{k}").dataset for k in range(count)
    ]
    return joined(scans, name)


def joined(scans: Sequence[Dataset], name: str) -> Dataset:
    """Datasets of one experiment each, as one of the first one's detector."""
    first = scans[0].experiments
    models = replace(
        first,
        experiments=tuple(
            replace(d.experiments.experiments[0], scan=k, crystal=k) for k, d in enumerate(scans)
        ),
        scans=tuple(d.experiments.scans[0] for d in scans),
        crystals=tuple(d.experiments.crystals[0] for d in scans),
    )
    tables = [d.reflections for d in scans]
    table = Reflections(
        experiment=np.repeat(np.arange(len(scans)), [len(t) for t in tables]),
        **{
            field: np.concatenate([getattr(t, field) for t in tables])
            for field in ("panel", "miller_index", "centroid_mm", "variance_mm", "flags")
        },
    )
    return replace(scans[0], name=name, experiments=models, reflections=table)


def misindexed(dataset: Dataset, experiments: Sequence[int], ways: Sequence[str] = WAYS) -> Dataset:
    """The dataset with these experiments misindexed, in each of these ways in turn."""
    models, table = dataset.experiments, dataset.reflections
    crystals, hkl = list(models.crystals), table.miller_index.copy()
    kept = np.ones(len(table), dtype=np.bool_)
    for turn, number in enumerate(experiments):
        mine = np.flatnonzero(table.experiment == number)
        which = models.experiments[number].crystal
        assert which is not None
        crystal, r = crystals[which], observed(dataset, number)
        way = ways[turn % len(ways)]
        if way == "shifted":
            # One index off, and the crystal turned to where that fits best.
            hkl[mine] += np.eye(3, dtype=hkl.dtype)[turn % 3]
            turned, _ = Rotation.align_vectors(r, hkl[mine] @ crystal.a_matrix.T)
            crystals[which] = replace(crystal, real_space=crystal.real_space @ turned.as_matrix().T)
        else:
            # Another lattice, and what happens to lie near its nodes.
            basis = crystal.real_space
            if way == "turned":
                basis = basis @ rotation_from_vector(np.array([0.05, -0.04, 0.06])).T
            else:
                basis = basis * np.array([1.09, 1.09, 0.93])[:, None]
            nodes = r @ basis.T
            hkl[mine] = np.rint(nodes)
            kept[mine] = (np.abs(nodes - hkl[mine]) < ON_LATTICE).all(axis=1)
            crystals[which] = replace(crystal, real_space=basis)
    return replace(
        dataset,
        experiments=replace(models, crystals=tuple(crystals)),
        reflections=replace(table, miller_index=hkl).where(kept & (hkl != 0).any(axis=1)),
    )


def only(dataset: Dataset, experiments: Sequence[int]) -> Dataset:
    """The dataset with the reflections of these experiments alone."""
    table = dataset.reflections
    return replace(dataset, reflections=table.where(np.isin(table.experiment, experiments)))


def observed(dataset: Dataset, number: int) -> Floats:
    """(n, 3) scattering vectors of an experiment's spots in the crystal's frame, on the panels as
    drawn."""
    models, table = dataset.experiments, dataset.reflections
    entry, mine = models.experiments[number], table.experiment == number
    frames, panel = dataset.detector.frames, table.panel[mine]
    xyz: Floats = table.centroid_mm[mine]
    lab = frames.origin_mm[panel]
    lab = lab + np.einsum("nij,nj->ni", frames.rotation[panel][:, :, :2], xyz[:, :2])
    s0 = models.beams[entry.beam].s0
    r = lab / np.linalg.norm(lab, axis=1)[:, None] * np.linalg.norm(s0) - s0
    if entry.goniometer is None:
        return np.asarray(r)
    gonio = models.goniometers[entry.goniometer]
    turn = rotation_from_vector(gonio.axis * xyz[:, 2:])
    turned = np.einsum("kj,nlk,ml,nm->nj", gonio.fixed, turn, gonio.setting, r)
    return np.asarray(turned)


def every_tenth(count: int) -> Ints:
    """A tenth of so many numbers, spread evenly."""
    return np.arange(count // 20, count, 10)
