"""A format of an export gets all that a calibration says of a detector."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from calib.files import writer
from calib.files.exchange.source import ExportSource
from calib.files.kinds import FileKind
from calib.files.writer import Entry, ExportFormat
from calib.flows.exchange.export import export_geometry
from calib.model.experiment.pose import facing_pose
from calib.model.store.record import ChangeStamp
from calib.store.store import Store
from support.records import calibration, detector

STAMP = ChangeStamp(datetime(2026, 3, 2, tzinfo=UTC), "tester", "here")


class PanelTable:
    """Name, correction and corrected origin of each panel, as comma-separated values."""

    needs_like = ""
    kind = FileKind("a table of panels", lambda head: head.startswith(b"panel,"))

    def hint(self, source: ExportSource, output: Path) -> str:
        return f"Read {output}."

    def files(self, source: ExportSource, output: Path) -> list[tuple[Path, bytes]]:
        calibrated = source.calibrated
        rows = zip(
            calibrated.layout.panels,
            calibrated.estimate.correction.values,
            calibrated.detector.frames.origin_mm,
            strict=True,
        )
        lines = (
            [panel.name, *(repr(float(value)) for value in (*correction, *origin_mm))]
            for panel, correction, origin_mm in rows
        )
        return [(output, "\n".join(",".join(line) for line in lines).encode())]


def test_an_export_gets_corrections_and_corrected_panels(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Entry("a table of panels", PanelTable)
    monkeypatch.setitem(writer.EXPORTS, ExportFormat.DIALS, entry)
    record, known = calibration(), detector()
    starts = (None,) * len(record.report.datasets)
    stored, _ = store.calibrations.add(record, starts, STAMP, known)
    output = tmp_path / "panels.csv"
    done = export_geometry(
        store,
        stored.name,
        form=ExportFormat.DIALS,
        serial=None,
        like=None,
        distance_mm=200.0,
        output=output,
    )
    assert done.hint == f"Read {output}."
    lines = [line.split(",") for line in output.read_text().splitlines()]
    assert [line[0] for line in lines] == [panel.name for panel in known.layout.panels]
    numbers = np.array([line[1:] for line in lines], dtype=np.float64)
    correction = record.estimate.correction
    assert np.array_equal(numbers[:, :6], correction.values)
    placed = correction.frames(known.layout).moved(facing_pose(known.layout, 200.0))
    assert np.array_equal(numbers[:, 6:], placed.origin_mm)
