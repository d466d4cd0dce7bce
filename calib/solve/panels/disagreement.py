"""Parts of the data that disagree, as reasons for a draft."""

from __future__ import annotations

from calib.model.base.text import joined
from calib.model.result.comparison import Agreement, Compared, Comparison
from calib.model.result.report import NAMED_PX, Report

_MOST_REASONS, _MOST_NAMES, _MOST_PANELS = 3, 3, 5
_CAUSES = {
    Compared.HALVES: "The crystal, the beam or the detector moved during the scan in a way that no "
    "parameter describes. Leave the dataset out, or derive from shorter scans.",
    Compared.DATASET: "A panel moved between the datasets, or this one has errors that no "
    "parameter describes. Leave it out, or derive separate calibrations and compare them with "
    "calib diff.",
    Compared.DISTANCE: "The beam, the sensor or the detector differs between distances in a way "
    "that no parameter describes. Derive a calibration for each distance.",
    Compared.OCCASION: "The detector changed in between. Derive a calibration for each occasion, "
    "and certify each for its own time.",
}


def disagreements_in_words(report: Report) -> list[str]:
    """A sentence for each comparison that found a difference, with its cause and remedy: those of
    the largest ones, and the number of the others."""
    found = [one for one in report.all_comparisons if one.agreement is Agreement.DISAGREES]
    found.sort(key=lambda one: -one.worst_um)
    words = [
        f"{_what(one, report)}: {_where(one)} beyond what noise and repeatability explain "
        f"({one.size_um:.0f} um rms over all panels). {_cause(one, report)}"
        for one in found[:_MOST_REASONS]
    ]
    more = len(found) - len(words)
    if more > 0:
        words.append(f"{more} further comparisons of parts of the data disagree.")
    return words


def distortion_px(report: Report) -> float:
    """The typical displacement of parts of panels in px, of those where it is significant; 0 if
    these are less than half of the panels."""
    found = report.structure
    if found is None or 2 * len(found.significant) < len(found.sizes_px):
        return 0.0
    sizes = sorted(found.sizes_px[panel] for panel in found.significant)
    return sizes[len(sizes) // 2]


def _cause(one: Comparison, report: Report) -> str:
    distortion = distortion_px(report)
    if distortion >= NAMED_PX and one.kind is not Compared.OCCASION:
        return (
            f"Parts of the panels are displaced by {distortion:.2f} px, which parts of the data "
            "with other spots see differently. Correct positions with a distortion map first."
        )
    if one.kind is Compared.DATASET and len(one.datasets) > 1:
        return _CAUSES[Compared.OCCASION]
    return _CAUSES[one.kind]


def _what(one: Comparison, report: Report) -> str:
    names = [report.datasets[place].name for place in one.datasets]
    listed = joined(names, _MOST_NAMES)
    match one.kind:
        case Compared.HALVES:
            return f"The first and second halves of the scans of {listed} disagree"
        case Compared.DATASET:
            if len(names) > 1:
                return f"The first {len(names)} datasets ({listed}) disagree with the others"
            others = [use.name for use in report.datasets if use.name not in names]
            return f"{listed} disagrees with {others[0] if len(others) == 1 else 'the others'}"
        case Compared.DISTANCE:
            distance = report.datasets[one.datasets[0]].distance_mm
            return f"The data at {distance:.0f} mm ({listed}) disagree with the others"
        case Compared.OCCASION:
            return f"The data of one occasion ({listed}) disagree with the others"


def _where(one: Comparison) -> str:
    if not one.panels:
        return f"panels differ, most significantly panel {one.worst_panel} by {one.worst_um:.0f} um"
    shown = joined([str(panel) for panel in one.panels], _MOST_PANELS)
    if len(one.panels) == 1:
        return f"panel {shown} differs by {one.worst_um:.0f} um"
    return f"panels {shown} differ, panel {one.worst_panel} by {one.worst_um:.0f} um"
