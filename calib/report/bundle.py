"""Bundles: their contents, what loading one changed, and entries of another store's log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.bundle import Bundle, Loaded, OriginEntry
from calib.report.blocks import NONE, Block, Facts, Table, View, at_second, span
from calib.report.certifications import stamp_view
from calib.report.scalar import instant, number

_AMENDMENTS = ("edits", "retirements", "relabellings")


def bundle_view(bundle: Bundle) -> dict[str, Any]:
    """What a bundle contains: identity, numbers of rows, last log entry."""
    last = bundle.entries[-1].entry
    n_rows = {
        table: sum(
            len(next(iter(rows.columns.values()), ()))
            for rows in bundle.rows
            if rows.table == table
        )
        for table in (
            *("calibration", "certification", "withdrawal", "placement", "application"),
            *("detector_edit", "retirement", "relabelling"),
        )
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
        "n_edits": n_rows["detector_edit"],
        "n_retirements": n_rows["retirement"],
        "n_relabellings": n_rows["relabelling"],
        "head": {
            "position": last.position,
            "recorded_at": instant(last.recorded.at),
            "hash": last.hash,
        },
    }


def bundle_facts(view: View) -> Facts:
    """Contents of a bundle: counts, origin and last log entry."""
    what = (
        "whole detector"
        if view["calibration_id"] is None
        else f"calibration {view['calibration_id'][:12]}"
    )
    nouns = ["calibrations", "certifications", "withdrawals", "placements", "applications"]
    nouns += [noun for noun in _AMENDMENTS if view[f"n_{noun}"]]
    counts = ", ".join(f"{view[f'n_{noun}']} {noun}" for noun in nouns)
    head = view["head"]
    return Facts(
        (
            ("Detector", view["serial"]),
            ("Contents", f"{what}: {counts}"),
            ("Names and paths", "included" if view["with_usage"] else "omitted"),
            ("Written by", f"calib {view['code_version']}"),
            (
                "Log",
                f"{view['n_entries']} entries, the last at position {head['position']}, recorded "
                f"{at_second(head['recorded_at'])}, hash {head['hash'][:16]}",
            ),
        )
    )


def loaded_view(loaded: Loaded) -> dict[str, Any]:
    """What loading a bundle added to the store."""
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
    """What was added, and one line per calibration."""
    blocks: list[Block] = [
        Facts(
            (
                ("Detector", view["serial"] + (" (new)" if view["detector_registered"] else "")),
                ("History", f"{view['n_history']} new log entries of the original store"),
                ("Adopted", f"{len(view['adopted'])} certifications are now valid here"),
                ("Applications", f"{view['n_applications']} new"),
            )
        )
    ]
    if view["calibrations"]:
        blocks.append(
            Table(
                "",
                ("calibration", "original version", ""),
                tuple(
                    (
                        one["calibration"],
                        NONE if one["origin_version"] is None else str(one["origin_version"]),
                        "new" if one["new"] else "already present",
                    )
                    for one in view["calibrations"]
                ),
                n_text=3,
            )
        )
    return blocks


def origin_view(origin: OriginEntry) -> dict[str, Any]:
    """One entry of another store's log, as carried by a bundle."""
    entry, content = origin.bundled.entry, origin.values
    return {
        "event": entry.kind,
        "calibration_id": origin.calibration_id,
        "position": entry.position,
        "version": origin.version,
        "recorded_at": instant(entry.recorded.at),
        "by": entry.recorded.actor or None,
        "host": entry.recorded.host or None,
        "reason": content.get("reason") or entry.recorded.reason or None,
        "from": instant(content.get("valid_from")),
        "to": instant(content.get("valid_to")),
        "min_distance_mm": number(content.get("distance_min_mm")),
        "max_distance_mm": number(content.get("distance_max_mm")),
        "loaded": stamp_view(origin.loaded),
    }


def origin_table(views: Sequence[View]) -> Table:
    """Entries of another store's log, one per line; none of them is valid here."""
    return Table(
        "Recorded in another store (not valid here)",
        ("recorded there", "by", "original version", "id", "event", "valid", "reason", "loaded"),
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
