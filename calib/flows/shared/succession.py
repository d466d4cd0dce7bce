"""The range of distances of a certification that succeeds another one.

Automatic ranges of two calibrations differ by millimetres, as the distances of their data do. The
older one would keep a sliver: a few millimetres of distance that it was not meant to keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from calib.model.store.certification_rules import is_succession, live, refuse_same
from calib.model.store.protocol import StoreLike
from calib.model.store.record import Certification
from calib.model.store.validity import DistanceRange, shown_instant


def without_slivers(
    store: StoreLike, new: Certification, limit_mm: float, *, lower: bool, upper: bool
) -> Certification:
    """The certification with its range extended to that of those which it succeeds, or of its own
    calibration, where these reach at most ``limit_mm`` further.

    ``lower`` and ``upper`` say which bounds may move. A bound stays where an extension would
    replace a certification other than by succession.
    """
    for bounds in _bounds_near(store, new):
        least = min(bounds.minimum_mm, new.distances.minimum_mm)
        most = max(bounds.maximum_mm, new.distances.maximum_mm)
        if lower and new.distances.minimum_mm - least <= limit_mm:
            new = _extended(store, new, DistanceRange(least, new.distances.maximum_mm))
        if upper and most - new.distances.maximum_mm <= limit_mm:
            new = _extended(store, new, DistanceRange(new.distances.minimum_mm, most))
    return new


def sliver_warnings(store: StoreLike, new: Certification, limit_mm: float) -> list[str]:
    """Sentences that name the slivers which a certification leaves to those that it succeeds."""
    found = []
    least, most = new.distances.minimum_mm, new.distances.maximum_mm
    for bounds in _bounds_near(store, new):
        for option, low, high in (
            ("--min-distance", bounds.minimum_mm, least),
            ("--max-distance", most, bounds.maximum_mm),
        ):
            if not 0.0 < high - low <= limit_mm:
                continue
            rest = replace(new, distances=DistanceRange(low, high))
            for change in store.certifications.preview_certify(rest).changes:
                if change.before is None:
                    continue
                kept = change.region.distances
                found.append(
                    f"{kept.minimum_mm:.6g} to {kept.maximum_mm:.6g} mm stay with "
                    f"{change.before.serial}:{change.before.version} from "
                    f"{shown_instant(change.region.validity.start)} on; use {option} "
                    f"{low if option == '--min-distance' else high:.6g} if "
                    f"{new.serial}:{new.version} is to succeed it there as well."
                )
    return list(dict.fromkeys(found))


def refuse_identical(store: StoreLike, new: Certification) -> None:
    """Raise ``InputError`` (``certified-already``) for a certification that is recorded already and
    holds over all of its times and distances."""
    if not store.certifications.preview_certify(new).changes:
        refuse_same(new, live(store.certifications.list(new.serial)))


def _bounds_near(store: StoreLike, new: Certification) -> Iterator[DistanceRange]:
    """The ranges of the certifications that are succeeded, or else of those of the same calibration
    and times."""
    changes = store.certifications.preview_certify(new).changes
    near = [change.before for change in changes if is_succession(change)]
    if not changes:
        near = [
            one
            for one in live(store.certifications.list(new.serial))
            if (one.calibration_id, one.validity) == (new.calibration_id, new.validity)
        ]
    for one in near:
        if one is not None:
            yield one.distances


def _extended(store: StoreLike, new: Certification, distances: DistanceRange) -> Certification:
    """The certification with that range, unless it would replace others there."""
    if distances == new.distances:
        return new
    wider = replace(new, distances=distances)
    replaced = (
        change
        for change in store.certifications.preview_certify(wider).changes
        if not is_succession(change)
    )
    within = new.distances
    if all(
        within.minimum_mm <= change.region.distances.minimum_mm
        and change.region.distances.maximum_mm <= within.maximum_mm
        for change in replaced
    ):
        return wider
    return new
