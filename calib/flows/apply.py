"""apply: write an experiment list with its panels corrected and everything else unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from calib.errors import InputError, NotFoundError, StoreError
from calib.files.atomic import Outputs, file_sha256, read_bytes
from calib.files.exchange.history import applied_lines, with_history
from calib.files.kinds import EXPERIMENTS, RECEIPT, REFLECTIONS
from calib.files.output_target import OutputRule
from calib.files.reader import DataFiles, read_data
from calib.flows.applying.corrected import Corrections, corrected_file, moved_reflections
from calib.flows.layouts.one_panel import OnePanel, Prepared, prepared
from calib.flows.layouts.positions import ideal_positions
from calib.flows.receipts import receipt_bytes, receipt_path
from calib.flows.shared.identity import serial_of_reference
from calib.flows.shared.images import ImagePlaces
from calib.flows.shared.lookups import Lookups
from calib.flows.shared.selection import Selection, select_certified, select_named
from calib.flows.shared.targets import Target, refuse_without_time, targets_in
from calib.flows.shared.times import future_warnings, read_moment
from calib.model.base.text import checked_name, counted
from calib.model.detector.correction import Correction, PanelStatus
from calib.model.experiment.pose import DRAWN, DetectorPose
from calib.model.store.application import AppliedDetector
from calib.model.store.protocol import StoreLike
from calib.model.store.record import Application, ChangeStamp
from calib.model.store.resolution import DistancePolicy, TimePolicy


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """The files to correct, and which calibration to apply."""

    experiments: Path
    output: Path
    reflections: Path | None = None
    reflections_output: Path | None = None
    """None: beside ``output``, with the ending ``.refl``."""
    serial: str | None = None
    force_serial: bool = False
    at: str | None = None
    """When the data were taken, as text; None: as the experiment list states."""
    distance_mm: float | None = None
    """None: from the experiment list."""
    calibration: str | None = None
    """None: the one certified for that time and distance."""
    as_known_at: str | None = None
    """A position of the log or a time, as text: later records are ignored."""
    distance_policy: DistancePolicy = DistancePolicy.EXACT
    time_policy: TimePolicy = TimePolicy.PRIOR
    images: ImagePlaces = field(default_factory=ImagePlaces)
    """Where the images are that state the serial and the time."""
    one_panel: OnePanel | None = None
    """What to do with a detector of one panel; None: split it if DIALS can read the result."""
    nominal: bool = False
    """Take a correction off instead."""
    copy_if_missing: bool = False
    """Copy the input unchanged where no calibration is certified."""
    force: bool = False
    """Replace existing outputs by files of their own kind (``files/output_target``)."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying calibrations."""

    detectors: tuple[AppliedDetector, ...]
    outputs: tuple[Path, ...]
    receipt: Path | None
    recorded: bool
    """Whether the store recorded it; if not, the receipt can be delivered later (``calib usage
    push``)."""
    copied: bool
    """Whether the inputs were copied unchanged, since nothing is certified."""
    warnings: tuple[str, ...]
    applications: tuple[Application, ...] = ()
    """What the receipt states, one for each detector."""


def apply(
    request: ApplyRequest, store: StoreLike, stamp: ChangeStamp, *, dry_run: bool = False
) -> Applied:
    """Write the experiments with the panels at their calibrated positions.

    The pose, beam, goniometer, crystals, scan and everything that calib does not read stay
    unchanged byte for byte; with reflections, their positions in mm follow the panels.
    Raises ``InputError``, ``NotFoundError`` (nothing certified) and ``StoreError``; then nothing
    is written.
    """
    done = write_corrected(request, Lookups(store), stamp, dry_run=dry_run)
    return record_applications([done], store, stamp)[0]


def record_applications(
    done: Sequence[Applied], store: StoreLike, stamp: ChangeStamp
) -> list[Applied]:
    """Record in the store what was applied, all of it or nothing.

    The files are complete already. Where the store fails, each has a warning, and its receipt can
    be delivered later.
    """
    applications = [one for applied in done for one in applied.applications]
    if not applications:
        return list(done)
    try:
        store.applications.record_all(applications, stamp)
    except StoreError as error:
        why = error.problem.rstrip(".")
        return [_unrecorded(applied, why) for applied in done]
    return [replace(applied, recorded=bool(applied.applications)) for applied in done]


def _unrecorded(applied: Applied, why: str) -> Applied:
    if applied.receipt is None:
        return applied
    text = (
        f"the store could not record this ({why}); the receipt {applied.receipt.name} keeps it. "
        f"Deliver it later with calib usage push {applied.receipt}."
    )
    return replace(applied, warnings=(*applied.warnings, text))


def write_corrected(
    request: ApplyRequest, lookups: Lookups, stamp: ChangeStamp, *, dry_run: bool = False
) -> Applied:
    """What ``apply`` does, except for recording the applications."""
    store = lookups.store
    outputs = _checked_outputs(request, store)
    for path in outputs:
        checked_name(path.name, "the name of an output")  # the receipt records it
    given = [path for path in (request.experiments, request.reflections) if path is not None]
    (data,) = read_data(given, need_reflections=request.reflections is not None)
    if data.has_ideal_positions and not request.nominal:
        data.positions()  # refuses to move them again
    if data.has_ideal_positions:
        return _restored(request, store, data, outputs, given, dry_run=dry_run)
    if request.nominal and any(len(one.panels) == 1 for one in data.file.experiments.detectors):
        raise InputError(
            "no-correction",
            "the detector has one panel, and its observed positions were not moved, so there is "
            "no correction to take off.",
            place=str(request.experiments),
            remedy="use the file as it is.",
        )
    serial = request.serial or serial_of_reference(request.calibration)
    with prepared(data, store, request.images, serial=serial, route=request.one_panel) as ready:
        return _apply(ready, request, lookups, stamp, outputs, given, dry_run=dry_run)


def _apply(
    ready: Prepared,
    request: ApplyRequest,
    lookups: Lookups,
    stamp: ChangeStamp,
    outputs: tuple[Path, ...],
    given: list[Path],
    *,
    dry_run: bool,
) -> Applied:
    """Apply to experiments of which no detector has one panel."""
    store = lookups.store
    targets = targets_in(
        ready.file,
        request.experiments,
        lookups,
        images=ready.images,
        serial=request.serial,
        force_serial=request.force_serial,
        calibration=request.calibration,
        at=request.at,
        distance_mm=request.distance_mm,
        now=stamp.at,
    )
    if request.nominal:
        return _uncorrected(ready, request, store, targets, outputs, given, dry_run=dry_run)
    if request.calibration is None:
        refuse_without_time(targets, request.experiments)
    try:
        selected = [_select(target, request, lookups, stamp.at) for target in targets]
    except NotFoundError as error:
        if not request.copy_if_missing or error.code != "not-certified":
            raise
        return _copy_inputs(request, store, outputs, given, error, dry_run=dry_run)

    for choice in selected:
        if not choice.correction.within_bounds:
            raise InputError(
                "out-of-bounds",
                f"{choice.name} moves panels by more than 100 m.",
                remedy="withdraw it, and certify another calibration.",
            )
    chosen_for = list(zip(targets, selected, strict=True))
    warnings = list(ready.notices)
    warnings += [text for pair in chosen_for for text in _warnings(*pair, lookups, stamp.at)]
    detectors = tuple(_applied(target, choice) for target, choice in chosen_for)
    if dry_run:
        return Applied(detectors, outputs, None, False, False, counted(warnings))
    corrections = [(target, choice.correction) for target, choice in chosen_for]
    ready = replace(ready, history=applied_lines(detectors, stamp.at))
    receipt = receipt_path(outputs[0])
    with Outputs(inputs=given, store=store.files, force=request.force) as staged:
        written = _staged(staged, ready, corrections, outputs)
        applications = [
            Application(
                serial=done.serial,
                calibration_id=done.calibration_id,
                version=done.version,
                input_sha256=tuple(file_sha256(path) for path in given),
                output_sha256=tuple(written),
                output_names=tuple(path.name for path in outputs),
                data_time=done.data_time,
                distance_mm=done.distance_mm,
                why=done.why,
                applied=stamp.signature,
            )
            for done in detectors
        ]
        log = lookups.log_heads([done.serial for done in detectors], stamp.at)
        staged.stage(receipt, receipt_bytes(applications, log), RECEIPT)
        staged.commit()
    return Applied(
        detectors, outputs, receipt, False, False, counted(warnings), tuple(applications)
    )


def _staged(
    staged: Outputs, ready: Prepared, corrections: Corrections, outputs: tuple[Path, ...]
) -> list[str]:
    """Stage the corrected experiments and reflections; the SHA-256 of each."""
    data = ready.data
    if ready.positions:
        written = [staged.stage(outputs[0], data.file.data, EXPERIMENTS)]
        moved = ideal_positions(ready, corrections)
        return [*written, staged.stage(outputs[1], moved, REFLECTIONS)]
    text = with_history(corrected_file(data.file, corrections).data, outputs[0].name, ready.history)
    written = [staged.stage(outputs[0], text, EXPERIMENTS)]
    if len(outputs) > 1:
        rewritten = data.with_positions(moved_reflections(data, corrections))
        written.append(staged.stage(outputs[1], rewritten, REFLECTIONS))
    return written


def _uncorrected(
    ready: Prepared,
    request: ApplyRequest,
    store: StoreLike,
    targets: Sequence[Target],
    outputs: tuple[Path, ...],
    given: list[Path],
    *,
    dry_run: bool,
) -> Applied:
    """Write the experiments with the panels at their nominal positions; no receipt."""
    none = [(target, Correction.none(len(target.record.layout))) for target in targets]
    if not dry_run:
        with Outputs(inputs=given, store=store.files, force=request.force) as staged:
            _staged(staged, ready, none, outputs)
            staged.commit()
    texts = [*ready.notices, *(_taken_off(target.pose) for target in targets)]
    return Applied((), outputs, None, False, False, counted(texts))


def _taken_off(pose: DetectorPose) -> str:
    """Which correction the panels of a file had, as a sentence."""
    if pose.carries == DRAWN:
        return "the panels had no correction."
    if pose.carries:
        return f"took off the correction {pose.carries}."
    return f"took off an unknown correction of up to {1e3 * pose.residual_mm:.0f} um."


def _restored(
    request: ApplyRequest,
    store: StoreLike,
    data: DataFiles,
    outputs: tuple[Path, ...],
    given: list[Path],
    *,
    dry_run: bool,
) -> Applied:
    """Write the experiments, and the reflections with their original positions; no receipt."""
    if not dry_run:
        with Outputs(inputs=given, store=store.files, force=request.force) as staged:
            staged.stage(outputs[0], data.file.data, EXPERIMENTS)
            staged.stage(outputs[1], data.with_original_positions(), REFLECTIONS)
            staged.commit()
    return Applied((), outputs, None, False, False, ("restored the observed positions.",))


def _checked_outputs(request: ApplyRequest, store: StoreLike) -> tuple[Path, ...]:
    """The output paths; raises ``InputError`` where they or the receipt cannot be written."""
    inputs = (request.experiments, request.reflections)
    rule = OutputRule(
        tuple(path for path in inputs if path is not None), tuple(store.files), request.force
    )
    outputs = [request.output]
    if request.reflections is not None:
        outputs.append(request.reflections_output or request.output.with_suffix(".refl"))
    for path, kind in zip(outputs, (EXPERIMENTS, REFLECTIONS), strict=False):
        rule.target(path, kind)
    rule.target(receipt_path(request.output), RECEIPT)
    if len(outputs) == 2 and outputs[0] == outputs[1]:
        raise InputError(
            "same-output",
            "experiments and reflections would be written to the same file.",
            place=str(outputs[0]),
            remedy="use --reflections-out with another name.",
        )
    return tuple(outputs)


def _select(target: Target, request: ApplyRequest, lookups: Lookups, now: datetime) -> Selection:
    if request.calibration is not None:
        return select_named(target, request.calibration, lookups)
    moment, zone = request.as_known_at, target.record.zones
    return select_certified(
        target,
        lookups,
        as_known_at=None if moment is None else read_moment(moment, zone, now),
        distance_policy=request.distance_policy,
        time_policy=request.time_policy,
    )


def _applied(target: Target, choice: Selection) -> AppliedDetector:
    applied_name = target.pose.carries
    return AppliedDetector(
        index=target.index,
        serial=target.record.serial,
        calibration=choice.name,
        calibration_id=choice.calibration_id,
        version=choice.version,
        state=choice.state,
        distance_mm=target.distance_mm,
        data_time=target.time,
        why=choice.why,
        pose_residual_um=1e3 * target.pose.residual_mm,
        replaced=applied_name if applied_name not in ("", DRAWN, choice.name) else "",
    )


def _warnings(target: Target, choice: Selection, lookups: Lookups, now: datetime) -> list[str]:
    texts = [*choice.warnings, *lookups.retired_warnings(target.record.serial, target.time)]
    if target.why_no_time:
        unknown = "the time of the data is unknown" if target.time is None else "it is ignored"
        if target.from_image:
            unknown = f"the time of the data is that of {target.from_image}"
        texts.append(f"{unknown}, since {target.why_no_time}.")
    if target.time is not None:
        texts += future_warnings(target.time, now)
    if target.pose.correction is None:
        texts.append(
            "the panels are neither at their nominal positions nor at those of a known calibration "
            "(refined elsewhere?); the pose is a rigid fit with residuals of up to "
            f"{1e3 * target.pose.residual_mm:.0f} um."
        )
    status = choice.status
    unmeasured = [str(k) for k, s in enumerate(status) if s is PanelStatus.UNMEASURED]
    if unmeasured:
        texts.append(
            f"{len(unmeasured)} of {len(status)} panels have no data in {choice.name} and follow "
            f"the rigid-body average: {', '.join(unmeasured)}."
        )
    return texts


def _copy_inputs(
    request: ApplyRequest,
    store: StoreLike,
    outputs: tuple[Path, ...],
    given: list[Path],
    error: NotFoundError,
    *,
    dry_run: bool,
) -> Applied:
    """Copy the inputs unchanged, for pipelines that must continue."""
    if not dry_run:
        with Outputs(inputs=given, store=store.files, force=request.force) as staged:
            kinds = (EXPERIMENTS, REFLECTIONS)
            for source, output, kind in zip(given, outputs, kinds, strict=False):
                staged.stage(output, read_bytes(source), kind)
            staged.commit()
    warning = f"copied unchanged: {error.problem}"
    return Applied((), outputs, None, recorded=False, copied=True, warnings=(warning,))
