"""Records for the store's tests: small ones made from a seed, and Hypothesis strategies."""

from __future__ import annotations

import hashlib
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from calib.model.base.canonical import instant_from
from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom, PanelStatus
from calib.model.detector.frames import rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames, PanelShape
from calib.model.result.report import (
    Acceptance,
    BeforeAfter,
    Convergence,
    DatasetUse,
    Fit,
    Halves,
    Report,
    Shell,
    Spread,
)
from calib.model.result.summary import SummaryFile
from calib.model.store.provenance import Environment, Provenance
from calib.model.store.record import (
    Application,
    CalibrationRecord,
    Certification,
    ChangeStamp,
    DetectorRecord,
    StoredCalibration,
)
from calib.model.store.validity import DistanceRange, Validity

SERIAL = "24-0107"
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def stamp(at: datetime = NOON, actor: str = "ada", host: str = "beamline") -> ChangeStamp:
    """Something that Ada did at noon."""
    return ChangeStamp(at, actor, host)


def layout(n_panels: int = 3, seed: int = 0) -> Layout:
    """Panels side by side, slightly turned."""
    rng = np.random.default_rng(seed)
    panels = tuple(PanelShape(f"panel-{p}", (487, 195), (0.172, 0.172)) for p in range(n_panels))
    origin = np.array([[0.1 * p, 40.0 * p, 0.0] for p in range(n_panels)]).reshape(-1, 3)
    turn = rotation_from_vector(rng.normal(scale=1e-3, size=(n_panels, 3)))
    return Layout(panels, PanelFrames(turn, origin))


def detector(serial: str = SERIAL, n_panels: int = 3, seed: int = 0) -> DetectorRecord:
    """A registered detector."""
    return DetectorRecord(serial, layout(n_panels, seed), "Europe/London", "PILATUS, S/N 24-0107")


def calibration(
    serial: str = SERIAL,
    seed: int = 0,
    n_panels: int = 3,
    accepted: bool = True,
    freedom: Freedom = Freedom.FULL,
    distances_mm: tuple[float, ...] = (150.0, 400.0),
) -> CalibrationRecord:
    """A calibration of ``detector(serial, n_panels)``; another seed gives another one."""
    rng = np.random.default_rng(seed)
    values = np.zeros((n_panels, 6))
    values[:, freedom.free] = rng.normal(scale=0.1, size=(n_panels, len(freedom.free)))
    root = rng.normal(size=(n_panels * len(freedom.free),) * 2)
    status = tuple(PanelStatus)
    estimate = CorrectionEstimate(
        Correction(values),
        freedom,
        root @ root.T * 1e-6,
        tuple(status[p % len(status)] for p in range(n_panels)),
        rng.integers(0, 10_000, n_panels),
    )
    return CalibrationRecord(
        serial=serial,
        layout_id=detector(serial, n_panels).layout_id,
        distances_mm=distances_mm,
        panel_names=tuple(f"panel-{p}" for p in range(n_panels)),
        estimate=estimate,
        parameters={"loss": "huber", "prior_mm": 0.1, "free_beam": False, "space_group": None},
        code_version="0.1.0",
        report=_report(rng, n_panels, len(distances_mm)),
        acceptance=Acceptance(accepted, ("held-out RMSD falls from 0.5 to 0.2 px",)),
    )


def with_summaries(
    record: CalibrationRecord,
) -> tuple[CalibrationRecord, tuple[SummaryFile | None, ...]]:
    """The same calibration resting on summaries of all its datasets but the last."""
    files: list[SummaryFile | None] = []
    uses = []
    for number, use in enumerate(record.report.datasets):
        last = number == len(record.report.datasets) - 1
        name = "" if last else hashlib.sha256(use.name.encode()).hexdigest()
        files.append(None if last else SummaryFile(name, f"bytes of {use.name}".encode()))
        uses.append(replace(use, summary=name))
    return replace(record, report=replace(record.report, datasets=tuple(uses))), tuple(files)


def certification(
    stored: StoredCalibration,
    start: datetime = NOON,
    end: datetime | None = None,
    distances_mm: tuple[float, float] = (100.0, 500.0),
    override: str = "",
    recorded: ChangeStamp | None = None,
) -> Certification:
    """Ada's word for a stored calibration, not recorded yet."""
    return Certification(
        number=0,
        calibration_id=stored.id,
        serial=stored.record.serial,
        version=stored.version,
        validity=Validity(start, end),
        distances=DistanceRange(*distances_mm),
        reason="after the module swap",
        override=override,
        recorded=recorded or stamp(),
        withdrawn=None,
        withdrawn_reason="",
    )


def provenance() -> Provenance:
    """How a calibration came about on some machine."""
    machine = Environment("3.11.7", "2.1.0", "1.14.0", "openblas 0.3.27", "EPYC", 1, "Linux")
    return Provenance(machine, {"ab" * 32: "/data/night1.expt"}, parent="cd" * 32)


def application(stored: StoredCalibration, name: str = "imported.expt") -> Application:
    """A receipt for a stored calibration."""
    return Application(
        serial=stored.record.serial,
        calibration_id=stored.id,
        version=stored.version,
        input_sha256=("ab" * 32,),
        output_sha256=("cd" * 32,),
        output_names=(name,),
        data_time=NOON + HOUR,
        distance_mm=265.1,
        why="certified for this time and distance",
        applied=stamp(NOON + 2 * HOUR),
    )


def _spread(rng: np.random.Generator) -> Spread:
    return Spread(int(rng.integers(1, 10_000)), *rng.random(6).tolist())


def _both(rng: np.random.Generator) -> BeforeAfter:
    return BeforeAfter(_spread(rng), _spread(rng))


def _report(rng: np.random.Generator, n_panels: int, n_datasets: int) -> Report:
    datasets = tuple(
        DatasetUse(
            name=f"night{index}",
            sha256=tuple(sorted(rng.bytes(32).hex() for _ in range(2))),
            n_reflections=1000 + index,
            n_rejected=20,
            n_flagged=3,
            n_crystals=1,
            distance_mm=float(rng.uniform(100.0, 500.0)),
            wavelength_angstrom=0.9795,
            rmsd=_both(rng),
            left_out=_both(rng) if index else None,
            weight_scale=(1.1, 1.2, 0.9),
        )
        for index in range(n_datasets)
    )
    return Report(
        overall=Fit(_both(rng), _both(rng)),
        panels=tuple(Fit(_both(rng), None) for _ in range(n_panels)),
        shells=(Shell(50.0, 2.0, _both(rng)),),
        halves=Halves(n_panels, 1.5, None, 1.02),
        convergence=Convergence(True, 7, 0.001, 1234.5, 1200),
        datasets=datasets,
        held_out_dropped=0.004,
        gauge=6,
        rejected_on_panel=(3, 0),
        flagged_on_panel=(0, 1),
        null_directions=(),
    )


# Strategies: whatever the model admits, the store must give back.

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SERIALS = st.text(string.ascii_letters + string.digits + "-_:. /äß", min_size=1, max_size=20)
INSTANTS = st.integers(-62_135_000_000_000_000, 253_402_000_000_000_000).map(instant_from)
"""Nearly everything that a datetime can say, to the microsecond."""
STAMPS = st.builds(ChangeStamp, INSTANTS, TEXT, TEXT)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
COUNTS = st.integers(0, 2**40)
SPREADS = st.builds(Spread, COUNTS, *[FINITE] * 6)
BOTH = st.builds(BeforeAfter, SPREADS, SPREADS)
FITS = st.builds(Fit, st.none() | BOTH, st.none() | BOTH)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT.filter(lambda key: not key.startswith("$")), inner, max_size=3)
    ),
    max_leaves=6,
)
DATASETS = st.builds(
    DatasetUse,
    name=TEXT,
    sha256=st.lists(HASHES, min_size=1, max_size=3).map(lambda names: tuple(sorted(names))),
    n_reflections=COUNTS,
    n_rejected=COUNTS,
    n_flagged=COUNTS,
    n_crystals=COUNTS,
    distance_mm=FINITE,
    wavelength_angstrom=FINITE,
    rmsd=BOTH,
    left_out=st.none() | BOTH,
    weight_scale=st.tuples(FINITE, FINITE, FINITE),
)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Layouts of a few panels with any finite frame: the store does not judge."""
    n = draw(st.integers(1, 4))
    panels = tuple(
        PanelShape(
            draw(TEXT),
            (draw(st.integers(1, 5000)), draw(st.integers(1, 5000))),
            (draw(FINITE), draw(FINITE)),
        )
        for _ in range(n)
    )
    return Layout(panels, PanelFrames(_floats(draw, n, 3, 3), _floats(draw, n, 3)))


@st.composite
def derivations(draw: st.DrawFn, serial: str) -> tuple[DetectorRecord, CalibrationRecord]:
    """A detector and a calibration of it."""
    drawn = DetectorRecord(serial, draw(layouts()), draw(TEXT), draw(TEXT))
    n = len(drawn.layout)
    freedom = draw(st.sampled_from(Freedom))
    size = n * len(freedom.free)
    covariance = np.zeros((size, size))
    lower = np.tril_indices(size)
    covariance[lower] = draw(st.lists(FINITE, min_size=len(lower[0]), max_size=len(lower[0])))
    covariance.T[lower] = covariance[lower]
    covariance[np.diag_indices(size)] = np.abs(covariance[np.diag_indices(size)])
    estimate = CorrectionEstimate(
        Correction(_floats(draw, n, 6)),
        freedom,
        covariance,
        tuple(draw(st.sampled_from(PanelStatus)) for _ in range(n)),
        np.array([draw(COUNTS) for _ in range(n)]),
    )
    record = CalibrationRecord(
        serial=serial,
        layout_id=drawn.layout_id,
        distances_mm=tuple(sorted(draw(st.lists(FINITE, min_size=1, max_size=3)))),
        panel_names=tuple(draw(TEXT) for _ in range(n)),
        estimate=estimate,
        parameters=draw(
            st.dictionaries(TEXT.filter(lambda key: not key.startswith("$")), JSON, max_size=3)
        ),
        code_version=draw(TEXT),
        report=Report(
            overall=draw(FITS),
            panels=tuple(draw(FITS) for _ in range(n)),
            shells=tuple(draw(st.lists(st.builds(Shell, FINITE, FINITE, BOTH), max_size=2))),
            halves=draw(st.none() | st.builds(Halves, COUNTS, FINITE, st.none() | FINITE, FINITE)),
            convergence=draw(st.builds(Convergence, st.booleans(), COUNTS, FINITE, FINITE, COUNTS)),
            datasets=tuple(draw(st.lists(DATASETS, min_size=1, max_size=2))),
            held_out_dropped=draw(FINITE),
            gauge=draw(st.integers(0, 6)),
            rejected_on_panel=tuple(draw(st.lists(st.integers(0, 99), max_size=3))),
            flagged_on_panel=tuple(draw(st.lists(st.integers(0, 99), max_size=3))),
            null_directions=tuple(draw(st.lists(TEXT, max_size=2))),
        ),
        acceptance=Acceptance(draw(st.booleans()), tuple(draw(st.lists(TEXT, max_size=2)))),
    )
    return drawn, record


def _floats(draw: st.DrawFn, *shape: int) -> Any:
    count = int(np.prod(shape))
    return np.array(draw(st.lists(FINITE, min_size=count, max_size=count))).reshape(shape)
