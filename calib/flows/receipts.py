"""Receipts of applied calibrations: written beside the outputs, and delivered to the store."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.errors import FileFormatError, InputError
from calib.files.atomic import read_bytes
from calib.model.base.content import from_content, to_content
from calib.model.store.admission import check_application
from calib.model.store.protocol import StoreLike
from calib.model.store.record import Application, ChangeStamp

_FORMAT = "calib/receipt/1"
ENDING = ".calib.json"


@dataclass(frozen=True, slots=True)
class Pushed:
    """The result of delivering receipts."""

    recorded: int
    """Applications that the store did not have yet."""
    already: int
    """Applications that it had already."""
    files: tuple[Path, ...]


def receipt_path(output: Path) -> Path:
    """The path of the receipt of an output: ``OUT.calib.json`` beside it."""
    return output.with_name(output.name + ENDING)


def receipt_bytes(
    applications: Sequence[Application], log: Mapping[str, Any] | None = None
) -> bytes:
    """The text of a receipt; times in ISO 8601. ``log`` comes from ``log_heads``."""
    content: dict[str, Any] = {
        "format": _FORMAT,
        "applications": [{"id": one.id, **to_content(one)} for one in applications],
    }
    if log is not None:
        content["log"] = log
    text = json.dumps(content, indent=2, ensure_ascii=False, default=lambda t: t.isoformat())
    return (text + "\n").encode()


def read_receipt(path: Path) -> list[Application]:
    """The applications in a receipt.

    Raises ``FileFormatError`` for another file, or a receipt that was changed.
    """
    data = read_bytes(path)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _not_a_receipt(path, "it is not JSON") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise _not_a_receipt(path, f"its format is not {_FORMAT}")
    try:
        return [_verified(entry, path) for entry in content["applications"]]
    except FileFormatError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _not_a_receipt(
            path, f"a field is missing or malformed ({str(error)[:80]})"
        ) from error


def push(
    paths: Sequence[Path], store: StoreLike, stamp: ChangeStamp, *, dry_run: bool = False
) -> Pushed:
    """Deliver receipts to the store, each application once.

    For a folder, all receipts below it. All are checked before the first is recorded: raises
    ``FileFormatError`` for one that is not a receipt, and ``InputError`` (``receipt-disagrees``)
    and ``NotFoundError`` for one that does not agree with the calibration it names.
    """
    files = [file for path in paths for file in _receipts_at(path)]
    recorded = already = 0
    found = [application for file in files for application in read_receipt(file)]
    previews = [store.applications.preview_record(application) for application in found]
    for application, preview in zip(found, previews, strict=True):
        new = preview if dry_run else store.applications.record(application, stamp)
        recorded, already = recorded + new, already + (not new)
    return Pushed(recorded, already, tuple(files))


def _receipts_at(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    # os.walk skips folders that cannot be read or were removed meanwhile.
    found = ((folder, name) for folder, _, names in os.walk(path) for name in names)
    return sorted(Path(folder) / name for folder, name in found if name.endswith(ENDING))


def _verified(entry: dict[str, Any], path: Path) -> Application:
    application = from_content(Application, {k: v for k, v in entry.items() if k != "id"})
    if application.id != entry["id"]:
        raise FileFormatError(
            "receipt-changed",
            "the receipt was changed after it was written.",
            place=str(path),
            remedy="apply the calibration again.",
        )
    try:
        check_application(application)
    except InputError as error:
        raise _not_a_receipt(path, error.problem.rstrip(".")) from error
    return application


def _not_a_receipt(path: Path, why: str) -> FileFormatError:
    return FileFormatError(
        "no-receipt",
        f"this is not a receipt of calib: {why}.",
        place=str(path),
        remedy=f"give the file that calib apply wrote beside its output, ending in {ENDING}.",
    )
