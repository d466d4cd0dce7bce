"""A report as one HTML file that needs neither a network nor a script."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from urllib.parse import quote

from calib.report.blocks import Block, Facts, Figure, Table
from calib.report.figures.registry import FIGURES
from calib.report.figures.style import styled
from calib.report.figures.svg import svg_text
from calib.report.page.section import Page, Section
from calib.report.spreadsheet import csv_text

MARK = b"<!-- calib/report/1 -->"
"""In the head of each report, by which it is recognised."""
_STYLE = Path(__file__).with_name("page.css")


def html_text(page: Page, file_name: str) -> str:
    """The report as HTML; tables are offered as CSV files named after ``file_name``."""
    style = _STYLE.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    with styled():
        sections = [_section(section, file_name) for section in page.sections]
    contents = "".join(
        f'<li><a href="#{section.key}">{escape(section.title)}</a></li>'
        for section in page.sections
    )
    verdict, *rest = page.summary
    tone = "good" if verdict.startswith("Accepted") else "bad"
    lines = "".join(f"<p>{escape(line)}</p>" for line in rest)
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            MARK.decode(),
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(page.title)}</title>\n<style>{style}</style>\n</head>\n<body>",
            f"<header><h1>{escape(page.title)}</h1>",
            f'<p class="verdict {tone}">{escape(verdict)}</p>{lines}</header>',
            f'<nav aria-label="Contents"><h2>Contents</h2><ol>{contents}</ol></nav>\n<main>',
            *sections,
            "</main>\n</body>\n</html>\n",
        )
    )


def _section(section: Section, file_name: str) -> str:
    after_figure = False
    parts = []
    for block in section.blocks:
        parts.append(_block(block, section, file_name, hidden=after_figure))
        after_figure = after_figure or isinstance(block, Figure)
    heading = f'<h2 id="{section.key}-heading">{escape(section.title)}</h2>'
    start = f'<section id="{section.key}" aria-labelledby="{section.key}-heading">'
    return "\n".join((start + heading, *parts, "</section>"))


def _block(block: Block, section: Section, file_name: str, *, hidden: bool) -> str:
    if isinstance(block, Facts):
        rows = "".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in block.rows)
        return f"<dl>{rows}</dl>"
    if isinstance(block, Figure):
        drawing = FIGURES[block.name](block.view)
        svg = svg_text(drawing, f"{section.key}-figure", block.title, block.caption)
        label = f"Figure: {escape(block.title)}"
        region = f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">'
        return (
            f"<figure>{region}{svg}</div><figcaption>{escape(block.caption)}</figcaption></figure>"
        )
    if isinstance(block, Table):
        return _table(block, section, file_name, hidden=hidden)
    title = f"<h3>{escape(block.title)}</h3>" if block.title else ""
    return title + "".join(f"<p>{escape(line)}</p>" for line in block.lines)


def _table(block: Table, section: Section, file_name: str, *, hidden: bool) -> str:
    label = escape(block.title or section.title)
    head = "".join(
        f'<th scope="col"{_side(k, block)}>{escape(name) or "&#160;"}</th>'
        for k, name in enumerate(block.columns)
    )
    body = "\n".join(
        "<tr>" + "".join(_cell(k, text, block) for k, text in enumerate(row)) + "</tr>"
        for row in block.rows
    )
    table = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {label}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    if not hidden:
        return f"<h3>{label}</h3>{table}"
    data = quote(csv_text(section.data or block), safe=",+()")
    name = escape(f"{file_name}-{section.key}.csv")
    link = (
        f'<p class="download"><a download="{name}" href="data:text/csv;charset=utf-8,'
        f'{data}">Download as CSV: {label}</a></p>'
    )
    return f"<details><summary>Numbers: {label}</summary>{link}{table}</details>"


def _cell(k: int, text: str, block: Table) -> str:
    if k == 0:
        return f'<th scope="row"{_side(k, block)}>{escape(text)}</th>'
    return f"<td{_side(k, block)}>{escape(text)}</td>"


def _side(k: int, block: Table) -> str:
    return ' class="text"' if k < block.n_text else ""
