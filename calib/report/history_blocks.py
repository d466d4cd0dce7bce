"""A detector's history as people see it."""

from __future__ import annotations

from calib.model.base.text import joined
from calib.report.blocks import (
    NONE,
    Block,
    Facts,
    Sentences,
    Table,
    View,
    at_second,
    fixed,
    general,
    micrometres,
    moment_words,
    span,
)
from calib.report.bundle_view import origin_table
from calib.report.certification_blocks import certification_table
from calib.report.drift_blocks import verdict_words


def history_blocks(view: View) -> list[Block]:
    """The timeline, the latest first; before it, what held at the time that was asked for."""
    known = view["as_known_at"]
    facts = [("Detector", view["serial"]), ("As known at", moment_words(known))]
    blocks: list[Block] = []
    if view["at"] is not None:
        facts.append(("At", span(view["at"]["from"], view["at"]["to"])))
        stood = view["placement"]
        facts.append(("Stood at", NONE if stood is None else stood["beamline"]))
    blocks.append(Facts(tuple(facts)))
    if view["at"] is not None:
        if view["holding"]:
            blocks.append(certification_table(view["holding"]))
        else:
            blocks.append(Sentences("", ("Nothing was certified for that time.",)))
    shown, n_all = view["events"], view["n_events"]
    if not shown:
        blocks.append(Sentences("", ("Nothing was recorded about this detector until then.",)))
        return blocks
    which = f"the latest {len(shown)} of {n_all}" if len(shown) < n_all else f"all {n_all}"
    blocks.append(
        Table(
            f"Events, the latest first ({which})",
            ("recorded", "by", "what", "why", "drift"),
            tuple(_event_row(event) for event in shown),
            n_text=5,
        )
    )
    if view["origins"]:
        blocks.append(origin_table(view["origins"]))
    return blocks


def panel_history_blocks(view: View) -> list[Block]:
    """What was held of one panel: as known then, and as known now where that differs."""
    blocks: list[Block] = [
        Facts(
            (
                ("Detector", view["serial"]),
                ("Panel", str(view["panel"])),
                ("At", span(view["at"]["from"], view["at"]["to"])),
            )
        )
    ]
    then, now = view["then"], view["now"]
    blocks += _known_blocks("As known then", then)
    if then["held"] == now["held"]:
        blocks.append(Sentences("As known now", ("The same.",)))
    else:
        blocks += _known_blocks("As known now", now)
    return blocks


def _known_blocks(title: str, known: View) -> list[Block]:
    heading = f"{title} ({moment_words(known['as_known_at'])})"
    if not known["held"]:
        return [Sentences(heading, ("Nothing was certified for that time.",))]
    table = Table(
        heading,
        (
            "calibration", "status", "dx um", "dy um", "dz um", "rx mrad", "ry mrad", "rz mrad",
            "reflections",
        ),
        tuple(_values(held) for held in known["held"]),
        n_text=2,
    )  # fmt: skip
    said = [line for held in known["held"] for line in _why(held)]
    return [table, Sentences("", tuple(said))]


def _values(held: View) -> tuple[str, ...]:
    row = held["values"]
    sigma = row["sigma"]
    return (
        held["calibration"],
        row["status"],
        *(
            micrometres(row[key]) + _sigma(sigma[key], 1e3, 1)
            for key in ("dx_mm", "dy_mm", "dz_mm")
        ),
        *(
            f"{row[key]:+.2f}" + _sigma(sigma[key], 1.0, 2)
            for key in ("rx_mrad", "ry_mrad", "rz_mrad")
        ),
        str(row["n_reflections"]),
    )


def _sigma(value: float | None, factor: float, digits: int) -> str:
    return " (held)" if value is None else f" ({fixed(factor * value, digits)})"


def _why(held: View) -> list[str]:
    word = held["certification"]
    datasets = ", ".join(
        f"{one['name']} ({one['n_reflections']} reflections, {general(one['distance_mm'], 4)} mm)"
        for one in held["datasets"]
    )
    override = f" (override: {word['override']})" if word["override"] else ""
    return [
        f"{held['calibration']} was certified by {word['recorded']['by']} on "
        f"{at_second(word['recorded']['at'])} for {span(word['from'], word['to'])}, "
        f"{general(word['min_distance_mm'], 6)} to {general(word['max_distance_mm'], 6)} mm: "
        f"{word['reason']}{override}.",
        f"It rests on {datasets}.",
        *held["acceptance_reasons"],
    ]


def _event_row(event: View) -> tuple[str, ...]:
    return (
        at_second(event["recorded"]["at"]),
        event["recorded"]["by"],
        _what(event),
        event["reason"] or NONE,
        _drift(event["drift"]),
    )


def _what(event: View) -> str:
    line, word, placed = event["calibration"], event["certification"], event["placement"]
    if line is not None:
        at = joined([fixed(value, 0) for value in line["distances_mm"]])
        draft = "" if line["accepted"] else ", a draft"
        return f"derived {line['calibration']} ({line['freedom']}, {at} mm{draft})"
    if word is not None:
        reach = (
            f"{span(word['from'], word['to'])}, {general(word['min_distance_mm'], 6)} to "
            f"{general(word['max_distance_mm'], 6)} mm"
        )
        return f"{event['event']} {word['calibration']} for {reach}"
    return f"placed at {placed['beamline']} from {at_second(placed['from'])}"


def _drift(drift: View | None) -> str:
    if drift is None:
        return NONE
    shift = fixed(drift["rms_shift_um"]["in_plane"], 1)
    return (
        f"against {drift['against']}: {verdict_words(drift)} (rms {shift} um, "
        f"p = {general(drift['p_value'], 2)})"
    )
