"""All golden texts by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calib.model.store.backup import StoreRevision
from support.asymmetric import (
    amended,
    calibration_cases,
    explained_cases,
    identified_cases,
    layout_cases,
    recorded,
    store_cases,
)
from support.asymmetric.case import Case

CASES: Mapping[str, Callable[[], Case]] = {
    "affected": store_cases.affected,
    "amended": amended.amended,
    "applications": store_cases.applications,
    "applied": store_cases.applied,
    "audit": lambda: store_cases.audit(verified=False),
    "anchored": store_cases.anchored,
    "keys": store_cases.keys,
    "log-head": store_cases.log_head,
    "audit-clock": lambda: store_cases.clock(recorded=True),
    "audit-clock-dry": lambda: store_cases.clock(recorded=False),
    "audit-verified": lambda: store_cases.audit(verified=True),
    "backup": store_cases.backup,
    "bundle": lambda: store_cases.bundle(None),
    "bundle-of-one": lambda: store_cases.bundle("4d" * 32),
    "certified": lambda: store_cases.certification(changing=True),
    "certified-no-change": lambda: store_cases.certification(changing=False),
    "checked": store_cases.checked,
    "demo": calibration_cases.demo,
    "derived": lambda: calibration_cases.derived(all_panels=False),
    "derived-draft": calibration_cases.derived_draft,
    "derived-short": calibration_cases.derived_in_short,
    "derived-panels": lambda: calibration_cases.derived(all_panels=True),
    "detector": lambda: store_cases.detector_shown(all_panels=False),
    "detector-panels": lambda: store_cases.detector_shown(all_panels=True),
    "detectors": store_cases.detectors,
    "difference": lambda: calibration_cases.difference(all_panels=False),
    "difference-many": calibration_cases.difference_many,
    "difference-none": calibration_cases.difference_none,
    "difference-panels": lambda: calibration_cases.difference(all_panels=True),
    "explained": explained_cases.explained,
    "history": calibration_cases.history,
    "history-empty": lambda: calibration_cases.history_empty(at=False),
    "history-empty-at": lambda: calibration_cases.history_empty(at=True),
    "identified": identified_cases.several,
    "identified-experiments": identified_cases.experiments,
    "identified-image": identified_cases.image,
    "layout": lambda: layout_cases.layout(all_panels=False),
    "layout-panels": lambda: layout_cases.layout(all_panels=True),
    "layouts": layout_cases.layouts,
    "list": calibration_cases.listed,
    "loaded": store_cases.loaded,
    "log": store_cases.log,
    "misfits": calibration_cases.many_rejected,
    "panel-history": calibration_cases.panel_history,
    "panel-history-same": calibration_cases.panel_history_same,
    "rederived": lambda: calibration_cases.rederived(reproduced=True, identical=False, known=True),
    "rederived-another": lambda: calibration_cases.rederived(
        reproduced=False, identical=False, known=False
    ),
    "rederived-identical": lambda: calibration_cases.rederived(
        reproduced=True, identical=True, known=True
    ),
    "resolution": lambda: store_cases.resolution(explain=False),
    "resolution-explained": lambda: store_cases.resolution(explain=True),
    "resolution-future": store_cases.resolution_from_the_future,
    "revision": lambda: store_cases.revision(recorded.revision()),
    "revision-none": lambda: store_cases.revision(StoreRevision(None)),
    "rules": lambda: store_cases.rules(ever=True),
    "rules-never": lambda: store_cases.rules(ever=False),
    "show": lambda: calibration_cases.shown(all_panels=False),
    "show-panels": lambda: calibration_cases.shown(all_panels=True),
    "show-uncertified": calibration_cases.shown_uncertified,
    "split": layout_cases.split,
    "summaries": calibration_cases.summaries,
}
"""Name of the golden files -> what makes their content."""
