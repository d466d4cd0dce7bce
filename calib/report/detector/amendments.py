"""Changes and retirements of detectors, and calibrations under another serial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.amendment import DetectorEdit, Relabelling, Retirement
from calib.report.blocks import NONE, Block, Sentences, Table, View, at_second
from calib.report.certifications import stamp_view
from calib.report.scalar import instant

_CHANGED = (
    ("time_zone", "time zone"),
    ("description", "description"),
    ("layout_name", "layout name"),
)


def edit_view(edit: DetectorEdit) -> dict[str, Any]:
    """One change of a detector; its number is None before it is recorded."""
    return {
        "number": edit.number or None,
        "serial": edit.serial,
        "from": instant(edit.start),
        **{name: getattr(edit, name) for name, _ in _CHANGED},
        "reason": edit.reason,
        "recorded": stamp_view(edit.recorded),
    }


def edit_table(views: Sequence[View]) -> Table:
    """Changes of a detector, one per line."""
    return Table(
        "Changes",
        ("change", "from", "by", "recorded", "reason"),
        tuple(
            (
                edit_words(view),
                _since(view["from"]),
                view["recorded"]["by"],
                at_second(view["recorded"]["at"]),
                view["reason"],
            )
            for view in views
        ),
        n_text=5,
    )


def edit_words(view: View) -> str:
    """What a change sets."""
    return "; ".join(
        f"{called}: {view[name] or NONE}" for name, called in _CHANGED if view[name] is not None
    )


def _since(start: str | None) -> str:
    return "always" if start is None else at_second(start)


def retirement_view(retirement: Retirement) -> dict[str, Any]:
    """One retirement or return to use; its number is None before it is recorded."""
    return {
        "number": retirement.number or None,
        "serial": retirement.serial,
        "retired": retirement.start is not None,
        "from": instant(retirement.start),
        "reason": retirement.reason,
        "recorded": stamp_view(retirement.recorded),
    }


def in_force_view(retirement: Retirement) -> dict[str, Any]:
    """The retirement that is in force."""
    view = retirement_view(retirement)
    return {name: view[name] for name in ("from", "reason", "recorded")}


def retirement_table(views: Sequence[View]) -> Table:
    """Retirements and returns to use, one per line."""
    return Table(
        "Retirements",
        ("state", "by", "recorded", "reason"),
        tuple(
            (
                retirement_words(view),
                view["recorded"]["by"],
                at_second(view["recorded"]["at"]),
                view["reason"],
            )
            for view in views
        ),
        n_text=4,
    )


def retirement_words(view: View) -> str:
    """Whether a detector is retired, and since when."""
    return f"retired since {at_second(view['from'])}" if view["retired"] else "in use again"


def relabelling_view(relabelling: Relabelling) -> dict[str, Any]:
    """The replacement of a calibration that had a wrong serial."""
    return {
        "number": relabelling.number or None,
        "calibration_id": relabelling.calibration_id,
        "replacement_id": relabelling.replacement_id,
        "serial": relabelling.serial,
        "reason": relabelling.reason,
        "recorded": stamp_view(relabelling.recorded),
    }


def relabelled_blocks(view: View) -> list[Block]:
    """Sentences about the wrong serial of a calibration, or of the one that it replaces."""
    found = []
    one = view["relabelled"]
    if one is not None:
        found.append(
            f"Wrong serial: recorded again for {one['serial']} as {one['replacement_id'][:12]} by "
            f"{one['recorded']['by']} on {at_second(one['recorded']['at'])}: {one['reason']}"
        )
    if view["replaces"] is not None:
        found.append(f"Replaces {view['replaces']}, which has a wrong serial.")
    return [Sentences("", tuple(found))] if found else []


def relabelled_table(view: View) -> Table:
    """A calibration under the wrong and under the right serial."""
    right = view["calibration"] or view["relabelling"]["serial"]
    return Table(
        "Relabelled",
        ("wrong", "right", "id", "reason"),
        (
            (
                view["wrong"],
                right,
                view["relabelling"]["replacement_id"][:12],
                view["relabelling"]["reason"],
            ),
        ),
        n_text=4,
    )
