"""What the command line shows of calibrations."""

from __future__ import annotations

from calib.model.result.corner_errors import CornerErrors
from calib.model.store.log import Moment
from calib.report.bundle import origin_table, origin_view
from calib.report.calibration.derived import derived_blocks, derived_summary, derived_view
from calib.report.calibration.findings import record_view
from calib.report.calibration.listing import line_view, list_table
from calib.report.calibration.rejected import rejected_blocks
from calib.report.calibration.stored import stored_blocks, stored_view
from calib.report.demo import demo_blocks, demo_view
from calib.report.difference import difference_blocks, difference_view
from calib.report.history import (
    history_blocks,
    history_view,
    panel_history_blocks,
    panel_history_view,
)
from calib.report.panel_map import drift_map
from calib.report.provenance import (
    provenance_facts,
    provenance_view,
    rederived_facts,
    rederived_view,
)
from calib.report.scalar import moment_view
from calib.report.summaries import summary_table, summary_view
from support.asymmetric import calibrations, certified, detector, drifts, recorded
from support.asymmetric.case import Case


def derived(*, all_panels: bool) -> Case:
    """calib derive, stored."""
    view = derived_view(
        calibrations.wide(),
        calibrations.stored_wide(),
        new=True,
        detector_registered=False,
        freedom_reason="3 distances",
        notices=("night3 has no time",),
        seconds=12.34567,
    )
    blocks = derived_blocks(view, all_panels=all_panels)
    return Case(None if all_panels else view, blocks)


def derived_draft() -> Case:
    """calib derive --dry-run, not accepted."""
    view = derived_view(
        calibrations.narrow(),
        None,
        new=False,
        detector_registered=True,
        freedom_reason="asked for",
        notices=(),
        seconds=0.98765,
    )
    return Case(view, derived_blocks(view, all_panels=False))


def derived_in_short() -> Case:
    """calib derive without --details."""
    view = derived(all_panels=False).view
    assert view is not None
    return Case(None, derived_summary(view))


def shown(*, all_panels: bool) -> Case:
    """calib show."""
    words = certified.certifications()[:2]
    provenance = provenance_view(recorded.provenance())
    assert provenance is not None
    view = {
        "as_known_at": moment_view(recorded.KNOWN_NOW),
        **stored_view(calibrations.stored_wide(), words, 29),
        "relabelled": None,
        "replaces": None,
        "provenance": provenance,
        "origins": [origin_view(one) for one in recorded.origins()],
    }
    blocks = stored_blocks(view, all_panels=all_panels)
    origins = origin_table(view["origins"])
    blocks += [provenance_facts(provenance), origins]
    return Case(None if all_panels else view, blocks)


def shown_uncertified() -> Case:
    """calib show of a draft that nobody certified."""
    view = stored_view(calibrations.stored_narrow(), (), 0)
    return Case(view, stored_blocks(view, all_panels=False))


def listed() -> Case:
    """calib list."""
    view = [line_view(line) for line in certified.lines()]
    return Case(view, [list_table(view)])


def difference(*, all_panels: bool) -> Case:
    """calib diff with the map of panels."""
    found = drifts.wide()
    first = calibrations.stored(calibrations.wide(), 3, "3c")
    view = difference_view(first, calibrations.stored_wide(), found)
    head, *rest = difference_blocks(view, all_panels=all_panels)
    drawn = drift_map(detector.wide().layout, found)
    assert drawn is not None
    return Case(None if all_panels else view, [head, drawn, *rest])


def difference_many() -> Case:
    """calib diff where more panels moved than are named."""
    first = calibrations.stored(calibrations.wide(), 3, "3c")
    found = drifts.many_moved()
    view = difference_view(first, calibrations.stored_wide(), found)
    return Case(view, difference_blocks(view, all_panels=False))


def difference_none() -> Case:
    """calib diff where nothing moved, in the plane alone."""
    first = calibrations.stored(calibrations.narrow(), 1, "1f")
    view = difference_view(first, calibrations.stored_narrow(), drifts.narrow())
    head, *rest = difference_blocks(view, all_panels=True)
    drawn = drift_map(detector.narrow().layout, drifts.narrow())
    assert drawn is not None
    return Case(view, [head, drawn, *rest])


def history() -> Case:
    """calib history --at."""
    first, second, _ = certified.certifications()
    view = history_view(
        "W-14",
        recorded.KNOWN_NOW,
        certified.PERIOD,
        (first, second),
        certified.placements()[0],
        9,
        recorded.events(),
        recorded.origins(),
    )
    return Case(view, history_blocks(view))


def history_empty(*, at: bool) -> Case:
    """calib history where nothing is known."""
    period = certified.PERIOD if at else None
    view = history_view("W-14", Moment(0, None), period, (), None, 0, (), ())
    return Case(view, history_blocks(view))


def panel_history() -> Case:
    """calib history --panel, known otherwise by now."""
    then, now = recorded.knowledge(later=False), recorded.knowledge(later=True)
    view = panel_history_view("W-14", 7, certified.PERIOD, then, now)
    return Case(view, panel_history_blocks(view))


def panel_history_same() -> Case:
    """calib history --panel, known as it was."""
    known = recorded.narrow_knowledge()
    view = panel_history_view("N-05", 1, certified.PERIOD, known, known)
    return Case(view, panel_history_blocks(view))


def rederived(*, reproduced: bool, identical: bool, known: bool) -> Case:
    """calib rederive."""
    view = rederived_view(
        "W-14:4",
        "4d" * 32,
        reproduced=reproduced,
        identical=identical,
        largest_sigma=0.0 if identical else 0.01234 if reproduced else 3.457,
        environment=("numpy 2.1.3 against 1.24.0",) if reproduced and not identical else (),
        environment_known=known,
    )
    return Case(view, [rederived_facts(view)])


def summaries() -> Case:
    """calib summary."""
    view = [summary_view(recorded.summary(), 45_678)]
    return Case(view, [summary_table(view)])


def demo() -> Case:
    """calib demo."""
    view = demo_view(
        (
            (calibrations.wide(), calibrations.stored_wide(), CornerErrors(1.37, 5.91, 2.83)),
            (calibrations.narrow(), None, CornerErrors(7.19, 11.43, 9.67)),
        ),
        distances_mm=(263.4173, 263.4259),
        target_rmsd_px={"as_drawn": 0.61283, "corrected": 0.20917, "true": 0.19734},
        outputs=("demo/target.expt", "demo/target.refl"),
        store="demo/calib.db",
        seconds=23.45678,
    )
    return Case(view, demo_blocks(view))


def many_rejected() -> Case:
    """More misfits than a table shows."""
    view = [record_view(calibrations.wide())["misfits"][k % 4] for k in range(23)]
    return Case(view, rejected_blocks(view))
