"""calib report: figures show the numbers of --json; the page is valid and needs no network."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import html5lib
import numpy as np
import pytest

from calib.report.blocks import Sentences
from calib.report.page.what_if import what_if_section
from support.commands import calib, done
from support.svg_numbers import centre, element, figures, points, title
from support.workplace import copied_here

STORE = "beamline.sqlite"
READ_BACK_UM = 0.5
"""Coordinates are written to a hundredth of a point, which is about 0.2 um in these arrows."""
_BAR = re.compile(r"([\d.e-]+) um; ellipses")
SHIFTS, NORMAL, RMSD = "shifts-figure", "normal-figure", "rmsd-figure"


@pytest.fixture(scope="module")
def report(
    story: Path, certified_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, Any]]:
    """The page of 24-0107:3 and the JSON beside it."""
    with pytest.MonkeyPatch.context() as patched:
        copied_here(story, tmp_path_factory.mktemp("report"), patched, STORE)
        Path(STORE).write_bytes(certified_store.read_bytes())
        answer = done("report", "24-0107:3", "-o", "page.html", "--json")
        shown = done("show", "24-0107:3", "--json").json
        return Path("page.html").read_text(), {**shown, **answer.json}


def test_arrows_show_the_shifts_of_the_panels(report: tuple[str, dict[str, Any]]) -> None:
    figure = figures(report[0])[SHIFTS]
    scale = float(str(figure.get("data-um-per-mm")))
    face = report[1]["face"]
    for panel in report[1]["panels"]:
        k = panel["panel"]
        drawn = points(figure, f"arrow-{k}")
        shift_um = scale * (drawn[3] - 0.5 * (drawn[0] + drawn[6]))
        fast, slow = np.array(face["fast"][k]), np.array(face["slow"][k])
        expected = 1e3 * (panel["dx_mm"] * fast + panel["dy_mm"] * slow)
        assert shift_um == pytest.approx(expected, abs=READ_BACK_UM)
        assert f"dx {1e3 * panel['dx_mm']:+.1f}" in title(figure, f"arrow-{k}")


def test_the_map_is_seen_as_in_an_image_viewer(report: tuple[str, dict[str, Any]]) -> None:
    """Fast to the right, slow downwards on the screen, of a detector of which this is so."""
    figure = figures(report[0])[SHIFTS]
    _, across, _, down = map(float, str(figure.get("data-axes")).split())
    assert across > 0.0 and down == pytest.approx(across, rel=1e-6)
    assert np.array(report[1]["face"]["fast"])[:, 0].min() > 0.99
    assert np.array(report[1]["face"]["slow"])[:, 1].min() > 0.99


def test_the_scale_bar_is_as_long_as_it_says(report: tuple[str, dict[str, Any]]) -> None:
    figure = figures(report[0])[SHIFTS]
    bar = element(figure, "scale-bar")
    ends = points_of_line(str(next(one for one in bar.iter() if one.get("d")).get("d")))
    _, across, _, _ = map(float, str(figure.get("data-axes")).split())
    texts = [found for one in figure.iter() if (found := _BAR.match(one.text or ""))]
    stated = float(texts[0][1])
    um = float(str(figure.get("data-um-per-mm"))) * (ends[1] - ends[0]) / across
    assert um == pytest.approx(stated, rel=2e-3)


def points_of_line(d: str) -> list[float]:
    return [float(one) for one in re.findall(r"[ML] (-?[\d.]+) ", d)]


def test_ellipses_contain_95_percent(report: tuple[str, dict[str, Any]]) -> None:
    figure = figures(report[0])[SHIFTS]
    scale = float(str(figure.get("data-um-per-mm")))
    for panel in report[1]["panels"]:
        half = scale * np.ptp(points(figure, f"ellipse-{panel['panel']}"), axis=0) / 2.0
        sigma = 1e3 * np.array([panel["sigma"]["dx_mm"], panel["sigma"]["dy_mm"]])
        assert half == pytest.approx(2.4477 * sigma, rel=0.03, abs=READ_BACK_UM)


def test_maps_show_values_and_uncertainties(report: tuple[str, dict[str, Any]]) -> None:
    figure = figures(report[0])[NORMAL]
    for panel in report[1]["panels"]:
        k = panel["panel"]
        for name, factor, digits in (("dz_mm", 1e3, 1), ("rx_mrad", 1.0, 3), ("ry_mrad", 1.0, 3)):
            key = name[:2]
            assert title(figure, f"{key}-{k}").endswith(f" {factor * panel[name]:+.{digits}f}")
            sigma = factor * panel["sigma"][name]
            assert title(figure, f"sigma-{key}-{k}").endswith(f" {sigma:.{digits}f}")


def test_points_show_the_residuals(report: tuple[str, dict[str, Any]]) -> None:
    figure = figures(report[0])[RMSD]
    for panel in report[1]["panels"]:
        for place, axis in enumerate("xy"):
            for stage in ("before", "after"):
                name = f"{stage}-{axis}-{panel['panel']}"
                drawn = centre(figure, name, place)
                expected = panel["panel"], panel["rmsd_px"][stage]["used"][axis]
                assert drawn == pytest.approx(expected, abs=2e-3)


def test_bars_show_what_was_not_used(report: tuple[str, dict[str, Any]]) -> None:
    figure = figures(report[0])["unused-figure"]
    for panel in report[1]["panels"]:
        every = panel["n_reflections"] + panel["n_rejected"] + panel["n_flagged"]
        for series in ("rejected", "flagged"):
            drawn = points(figure, f"{series}-{panel['panel']}")
            assert np.ptp(drawn[:, 1]) == pytest.approx(
                100.0 * panel[f"n_{series}"] / every, abs=0.1
            )


def test_points_show_the_influence_of_datasets(report: tuple[str, dict[str, Any]]) -> None:
    figure = figures(report[0])["influence-figure"]
    for k, dataset in enumerate(report[1]["datasets"]):
        drawn = centre(figure, f"rms-{k}")
        assert drawn == pytest.approx((dataset["influence"]["rms_sigma"], k), abs=0.02)
        drawn = centre(figure, f"largest-{k}")
        assert drawn == pytest.approx((dataset["influence"]["largest_sigma"], k), abs=0.02)


def test_points_show_the_motion_under_other_choices(report: tuple[str, dict[str, Any]]) -> None:
    figure = figures(report[0])["what-if-figure"]
    rows = report[1]["what_if"]["rows"]
    assert rows
    for k, row in enumerate(rows):
        for series, key in (("plane", "in_plane_um"), ("normal", "normal_um")):
            if row[key] is not None:
                drawn = centre(figure, f"{series}-{k}")
                assert drawn == pytest.approx((row[key], k), rel=0.01, abs=0.05)
                assert title(figure, f"{series}-{k}").startswith(row["choice"])
    noise = points_of_line(
        str(next(one for one in element(figure, "noise").iter() if one.get("d")).get("d"))
    )
    zero, across, _, _ = map(float, str(figure.get("data-axes")).split())
    assert (noise[0] - zero) / across == pytest.approx(
        np.sqrt(2.0) * report[1]["sigma_um"]["noise"], rel=0.01, abs=0.05
    )


def test_a_record_without_a_what_if_table_says_so() -> None:
    section = what_if_section({"what_if": None, "sigma_um": None})
    (block,) = section.blocks
    assert isinstance(block, Sentences)
    assert "no what-if table" in block.lines[0]


def test_the_page_is_valid_and_self_contained(report: tuple[str, dict[str, Any]]) -> None:
    page = report[0]
    html5lib.HTMLParser(strict=True).parse(page)
    assert not re.search(r"<script|<link|<img|<iframe|\sstyle=|\son\w+=|@import", page)
    assert not re.search(r"""(?:src|href|action)="(?!#|data:text/csv)""", page)
    assert "http:" not in re.sub(r'xmlns(?::\w+)?="[^"]*"', "", page)
    names = Counter(re.findall(r'\bid="([^"]*)"', page))
    assert [name for name, times in names.items() if times > 1] == []
    targets = re.findall(r'(?:href="#|url\(#)([^")]+)', page)
    assert set(targets) <= set(names)


def test_the_content_policy_allows_the_style_sheet_only(
    report: tuple[str, dict[str, Any]],
) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", report[0], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in report[0]


def test_each_figure_has_words_and_a_table(report: tuple[str, dict[str, Any]]) -> None:
    page = report[0]
    parts = re.findall(r"<section .*?</section>", page, re.DOTALL)
    drawn = [part for part in parts if "<svg" in part]
    assert len(drawn) == len(figures(page)) >= 6
    for part in drawn:
        assert re.search(r"<desc[^>]*>[^<]{40}", part)
        assert "<table>" in part and "Download as CSV" in part


def test_a_table_can_be_opened_as_a_spreadsheet(report: tuple[str, dict[str, Any]]) -> None:
    data = re.search(r'page-shifts\.csv" href="data:text/csv;charset=utf-8,([^"]*)"', report[0])
    assert data is not None
    rows = list(csv.DictReader(io.StringIO(unquote(data[1]))))
    for row, panel in zip(rows, report[1]["panels"], strict=True):
        assert float(row["dx_mm"]) == panel["dx_mm"]
        assert float(row["sigma_dy_mm"]) == panel["sigma"]["dy_mm"]


def test_the_summary_names_the_worst_panel(report: tuple[str, dict[str, Any]]) -> None:
    motions = [one for one in report[1]["motions"] if one["status"] == "measured"]
    worst = max(motions, key=lambda one: one["distance_um"])
    size, sigma = worst["distance_um"], worst["sigma_um"]
    header = report[0].partition("</header>")[0]
    assert f"Panel {worst['panel']} is farthest" in header
    assert f"{size:.1f} ± {sigma:.1f} um ({size / sigma:.1f} sigma: significant)" in header
    assert "Accepted" in header and "Certified by" in header


def test_a_report_replaces_reports_only(certified: Path) -> None:
    (certified / "page.html").write_text("<!doctype html><title>mine</title>")
    answer = calib("report", "24-0107:3", "-o", "page.html", "--force")
    assert answer.code == 2
    assert "mine" in (certified / "page.html").read_text()
    assert calib("report", "24-0107:3", "-o", "page.docx").code == 2


@pytest.mark.long
def test_reports_are_written_as_pdf_and_png(certified: Path) -> None:
    done("report", "24-0107:3", "-o", "page.pdf")
    done("report", "24-0107:3", "-o", "page.png")
    assert (certified / "page.pdf").read_bytes()[:5] == b"%PDF-"
    assert (certified / "page.png").read_bytes()[:4] == b"\x89PNG"
    done("report", "24-0107:3", "-o", "page.png", "--force")
