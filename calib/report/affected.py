"""Files that a calibration was applied to, and what they would get instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.application import AffectedFile
from calib.model.store.log import Moment
from calib.model.store.record import Certification, StoredCalibration
from calib.report.applications import application_view, file_name
from calib.report.blocks import NONE, Block, Facts, Table, View, at_second, fixed, moment_words
from calib.report.scalar import moment_view
from calib.report.spreadsheet import value_cell


def affected_view(
    known_at: Moment, calibration: StoredCalibration, files: Sequence[AffectedFile]
) -> dict[str, Any]:
    """All files that got the calibration, and how many would get another one now."""
    return {
        "as_known_at": moment_view(known_at),
        "calibration": calibration.name,
        "calibration_id": calibration.id,
        "state": calibration.state.value,
        "n_files": len(files),
        "n_superseded": sum(one.superseded for one in files),
        "files": [
            {
                **application_view(one.application),
                "superseded": one.superseded,
                "answer_now": _name(one.now),
                "answer_without": _name(one.without),
            }
            for one in files
        ],
    }


def affected_data(view: View) -> Table:
    """The files with all values in full, for a spreadsheet."""
    columns = ("answer_now", "answer_without", "superseded", "distance_mm")
    return Table(
        "",
        ("file", "data_time", "applied_at", "applied_by", *columns),
        tuple(
            (
                file_name(one),
                value_cell(one["data_time"]),
                one["applied"]["at"],
                one["applied"]["by"],
                *(value_cell(one[column]) for column in columns),
            )
            for one in view["files"]
        ),
        n_text=7,
    )


def affected_blocks(view: View) -> list[Block]:
    """Counts, and one line per file."""
    blocks: list[Block] = [
        Facts(
            (
                ("Calibration", f"{view['calibration']} ({view['state']})"),
                ("As known at", moment_words(view["as_known_at"])),
                ("Files", str(view["n_files"])),
                ("Superseded", f"{view['n_superseded']} of them would get another calibration now"),
            )
        )
    ]
    if view["files"]:
        blocks.append(
            Table(
                "",
                (
                    "file",
                    "data taken",
                    "applied",
                    "by",
                    "current answer",
                    "answer if withdrawn",
                    "distance mm",
                ),
                tuple(
                    (
                        file_name(one),
                        at_second(one["data_time"]),
                        at_second(one["applied"]["at"]),
                        one["applied"]["by"],
                        one["answer_now"] or NONE,
                        one["answer_without"] or NONE,
                        fixed(one["distance_mm"], 1),
                    )
                    for one in view["files"]
                ),
                n_text=6,
            )
        )
    return blocks


def _name(certification: Certification | None) -> str | None:
    return None if certification is None else f"{certification.serial}:{certification.version}"
