"""Bundles as scripts and people see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.bundle import Bundle, Loaded, OriginEntry
from calib.report.blocks import NONE, Block, Facts, Table, View, at_second, span
from calib.report.certifications import stamp_view
from calib.report.scalar import instant, number


def bundle_view(bundle: Bundle) -> dict[str, Any]:
    """What a bundle carries."""
    last = bundle.entries[-1].entry
    n_rows = {
        table: sum(
            len(next(iter(rows.columns.values()), ()))
            for rows in bundle.rows
            if rows.table == table
        )
        for table in ("calibration", "certification", "withdrawal", "placement", "application")
    }
    return {
        "serial": bundle.serial,
        "calibration_id": bundle.calibration_id,
        "with_usage": bundle.with_usage,
        "code_version": bundle.code_version,
        "n_entries": len(bundle.entries),
        "n_calibrations": n_rows["calibration"],
        "n_certifications": n_rows["certification"],
        "n_withdrawals": n_rows["withdrawal"],
        "n_placements": n_rows["placement"],
        "n_applications": n_rows["application"],
        "head": {
            "position": last.position,
            "recorded_at": instant(last.recorded.at),
            "hash": last.hash,
        },
    }


def bundle_facts(view: View) -> Facts:
    """The same for people."""
    what = "all of it" if view["calibration_id"] is None else view["calibration_id"][:12]
    counts = ", ".join(
        f"{view[f'n_{noun}']} {noun}"
        for noun in ("calibrations", "certifications", "withdrawals", "placements", "applications")
    )
    head = view["head"]
    return Facts(
        (
            ("Detector", view["serial"]),
            ("Carries", f"{what}: {counts}"),
            ("Names and paths", "included" if view["with_usage"] else "left out"),
            ("Made by", f"calib {view['code_version']}"),
            (
                "Log",
                f"{view['n_entries']} entries, the last at position {head['position']} of "
                f"{at_second(head['recorded_at'])}: {head['hash'][:16]}",
            ),
        )
    )


def loaded_view(loaded: Loaded) -> dict[str, Any]:
    """What came of loading."""
    return {
        "serial": loaded.serial,
        "detector_registered": loaded.registered,
        "calibrations": [
            {"calibration": name, "origin_version": version, "new": new}
            for name, version, new in loaded.calibrations
        ],
        "n_history": loaded.n_history,
        "adopted": list(loaded.adopted),
        "n_applications": loaded.n_applications,
    }


def loaded_blocks(view: View) -> list[Block]:
    """The same for people."""
    blocks: list[Block] = [
        Facts(
            (
                ("Detector", view["serial"] + (" (new)" if view["detector_registered"] else "")),
                ("History", f"{view['n_history']} new entries of the origin's log"),
                ("Adopted", f"{len(view['adopted'])} certifications hold here now"),
                ("Applications", f"{view['n_applications']} new"),
            )
        )
    ]
    if view["calibrations"]:
        blocks.append(
            Table(
                "",
                ("calibration", "number at its origin", ""),
                tuple(
                    (
                        one["calibration"],
                        str(one["origin_version"]),
                        "new" if one["new"] else "was here",
                    )
                    for one in view["calibrations"]
                ),
                n_text=3,
            )
        )
    return blocks


def origin_view(told: OriginEntry) -> dict[str, Any]:
    """An entry of another store's log."""
    entry, said = told.told.entry, told.said
    return {
        "event": entry.kind,
        "calibration_id": told.calibration_id,
        "position": entry.position,
        "version": told.version,
        "recorded_at": instant(entry.recorded.at),
        "by": entry.recorded.actor or None,
        "host": entry.recorded.host or None,
        "reason": said.get("reason") or entry.recorded.reason or None,
        "from": instant(said.get("valid_from")),
        "to": instant(said.get("valid_to")),
        "min_distance_mm": number(said.get("distance_min_mm")),
        "max_distance_mm": number(said.get("distance_max_mm")),
        "loaded": stamp_view(told.loaded),
    }


def origin_table(views: Sequence[View]) -> Table:
    """What another store recorded; it holds nothing here."""
    return Table(
        "Told of another store (it holds nothing here)",
        ("recorded there", "by", "number there", "id", "what", "valid", "reason", "loaded"),
        tuple(
            (
                at_second(view["recorded_at"]),
                NONE if view["by"] is None else f"{view['by']}@{view['host']}",
                NONE if view["version"] is None else str(view["version"]),
                NONE if view["calibration_id"] is None else view["calibration_id"][:12],
                view["event"],
                NONE if view["from"] is None else span(view["from"], view["to"]),
                view["reason"] or NONE,
                at_second(view["loaded"]["at"]),
            )
            for view in views
        ),
        n_text=8,
    )
