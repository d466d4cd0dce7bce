"""annotate and explain: which calibration a file carries, and whether it still holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calib.errors import InputError, NotFoundError
from calib.files.atomic import write_safely
from calib.files.exchange.history import HistoryLine, annotated_mtz, applied_lines, read_history
from calib.files.kinds import MTZ
from calib.flows.receipts import read_receipt, receipt_path
from calib.model.store.protocol import StoreLike
from calib.model.store.record import State


@dataclass(frozen=True, slots=True)
class Explained:
    """A calibration that a file carries."""

    line: HistoryLine
    name: str
    """``SERIAL:VERSION``; empty where the store does not hold it."""
    then: State | None
    """Its state when it was applied; None where it is unknown."""
    now: State | None
    reprocess: bool
    """Whether the data should be processed again."""

    @property
    def advice(self) -> str:
        """What to do, as a sentence."""
        if self.now is None:
            return "this store does not hold it: ask the store it was applied from."
        if self.now is State.WITHDRAWN:
            return "it was withdrawn: process the data again with another calibration."
        if self.now is State.SUPERSEDED:
            return "another calibration is certified in its place: process the data again."
        return "there is no reason to process the data again."


def explain(store: StoreLike, path: Path) -> tuple[Explained, ...]:
    """The calibrations in the history of a file, or in the receipt beside it, in order.

    Raises ``NotFoundError`` (``no-history``) where there is none.
    """
    return tuple(_explained(store, line) for line in calibrations_in(path))


def annotate(mtz: Path, experiments: Path, output: Path, *, force: bool = False) -> tuple[str, ...]:
    """Write an MTZ file with the calibrations of the experiments that it was made from in its
    history; returns the lines."""
    lines = calibrations_in(experiments)
    data = annotated_mtz(mtz, lines)
    write_safely(output, data, MTZ, inputs=(mtz, experiments), force=force)
    return tuple(line.text for line in lines)


def calibrations_in(path: Path) -> list[HistoryLine]:
    """What the history of a file says, or else the receipt beside it."""
    lines = read_history(path)
    receipt = receipt_path(path)
    if not lines and receipt.is_file():
        found = [one for one in read_receipt(receipt) if path.name in one.output_names]
        lines = list(applied_lines(found, found[0].applied.at)) if found else []
    if not lines:
        raise NotFoundError(
            "no-history",
            "the file does not say which calibration it carries, and no receipt is beside it.",
            place=str(path),
            remedy="give the file that calib apply wrote, or one that DIALS 3.26 made from it.",
        )
    return lines


def _explained(store: StoreLike, line: HistoryLine) -> Explained:
    try:
        now = store.calibrations.get(line.calibration)
    except NotFoundError:
        return Explained(line, "", None, None, False)
    try:
        position = store.log.moment(line.at).position
        then: State | None = store.calibrations.get(now.id, None, position).state
    except (NotFoundError, InputError):
        then = None  # recorded later, in another store before
    reprocess = now.state in (State.WITHDRAWN, State.SUPERSEDED)
    return Explained(line, now.name, then, now.state, reprocess)
