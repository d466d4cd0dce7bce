"""Which calibration answers, and why, as people see it."""

from __future__ import annotations

from calib.report.blocks import (
    NONE,
    Block,
    Facts,
    Sentences,
    Table,
    View,
    at_second,
    distances,
    fixed,
    general,
    span,
)


def resolution_blocks(view: View, *, explain: bool) -> list[Block]:
    """The answer; with ``explain`` also the certifications that lost."""
    word = view["certification"]
    whose = f"number {word['number']} by {word['recorded']['by']}: {word['reason']}"
    reach = (
        f"{general(word['min_distance_mm'], 6)} to {general(word['max_distance_mm'], 6)} mm, "
        f"gap {general(word['gap_mm'], 6)} mm"
    )
    age = NONE if view["age_days"] is None else f"{fixed(view['age_days'], 1)} days before the data"
    blocks: list[Block] = [
        Facts(
            (
                ("Calibration", f"{view['calibration']}  {view['calibration_id'][:12]}"),
                ("Certified", whose),
                ("Valid", span(word["from"], word["to"])),
                ("Distances", reach),
                ("Derived", f"at {distances(view['derived_at_mm'])}"),
                ("Measured", f"{at_second(view['last_measured'])}, {age}"),
                (
                    "Known at",
                    f"position {view['known_at']['position']}, {at_second(view['known_at']['at'])}",
                ),
            )
        )
    ]
    if explain:
        blocks.append(
            Sentences("Accepted" if view["accepted"] else "Draft", tuple(view["acceptance"]))
        )
        rows = tuple(
            (
                str(one["certification"]["number"]),
                one["certification"]["calibration"],
                span(one["certification"]["from"], one["certification"]["to"]),
                f"{general(one['certification']['min_distance_mm'], 6)} to "
                f"{general(one['certification']['max_distance_mm'], 6)}",
                one["lost"],
            )
            for one in view["candidates"]
        )
        columns = ("number", "calibration", "valid", "distances mm", "why not")
        if rows:
            blocks.append(Table("Certifications that do not answer", columns, rows, n_text=5))
    return blocks
