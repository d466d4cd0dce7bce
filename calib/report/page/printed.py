"""A report as PDF for a logbook, or its figures as one PNG image."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure as Drawn
from matplotlib.image import imsave

from calib.report.blocks import Block, Facts, Figure, Sentences
from calib.report.figures.drawing import Drawing
from calib.report.figures.registry import FIGURES
from calib.report.figures.style import styled
from calib.report.page.section import Page

_PAGE_INCHES = (8.27, 11.69)
_COLUMNS = 92
_LINES = 62
_LINE_INCHES = 0.165
_MARGIN_INCHES = 0.75
_DOTS_PER_INCH = 150


def pdf_bytes(page: Page) -> bytes:
    """The report as PDF on A4: its sentences and facts, then a page for each figure."""
    buffer = io.BytesIO()
    facts = {"Title": page.title, "Creator": "calib", "CreationDate": None, "ModDate": None}
    with styled(), PdfPages(buffer, metadata=facts) as pdf:
        lines = [page.title, "", *_wrapped(page.summary), *_text_lines(page)]
        for start in range(0, len(lines), _LINES):
            pdf.savefig(_text_page(lines[start : start + _LINES]))
        for figure, drawing in _drawings(page):
            pdf.savefig(_figure_page(figure, drawing.figure))
    return buffer.getvalue()


def png_bytes(page: Page) -> bytes:
    """All figures of the report, one below the other."""
    images = []
    with styled():
        for figure, drawing in _drawings(page):
            image = drawing.figure
            image.set_dpi(_DOTS_PER_INCH)
            image.set_facecolor("white")
            _with_title(image, figure.title)
            canvas = FigureCanvasAgg(image)
            canvas.draw()  # type: ignore[no-untyped-call]
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            images.append(pixels[:, :, :3].copy())
    buffer = io.BytesIO()
    imsave(buffer, np.concatenate(images), format="png", dpi=_DOTS_PER_INCH)
    return buffer.getvalue()


def _drawings(page: Page) -> Iterator[tuple[Figure, Drawing]]:
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Figure):
                yield block, FIGURES[block.name](block.view)


def _with_title(drawn: Drawn, title: str) -> None:
    """Enlarge a figure at the top for a title."""
    width, height = (float(one) for one in drawn.get_size_inches())
    _move(drawn, (width, height + 0.35), (0.0, 0.0))
    drawn.text(0.014, 1.0 - 0.17 / (height + 0.35), title, fontsize=12.0, va="center")


def _figure_page(figure: Figure, drawn: Drawn) -> Drawn:
    """A page with a figure, its title above and its words below."""
    width, height = (float(one) for one in drawn.get_size_inches())
    left = 0.5 * (_PAGE_INCHES[0] - width)
    bottom = _PAGE_INCHES[1] - 1.2 - height
    _move(drawn, _PAGE_INCHES, (left, bottom))
    top = 1.0 - _MARGIN_INCHES / _PAGE_INCHES[1]
    drawn.text(left / _PAGE_INCHES[0], top, figure.title, fontsize=12.0)
    words = "\n".join(textwrap.wrap(figure.caption, _COLUMNS))
    y = (bottom - 0.2) / _PAGE_INCHES[1]
    drawn.text(left / _PAGE_INCHES[0], y, words, va="top", fontsize=9.0, linespacing=1.35)
    return drawn


def _move(drawn: Drawn, size: tuple[float, float], corner: tuple[float, float]) -> None:
    """Place what is drawn, unchanged in size, on a page of another size."""
    old = drawn.get_size_inches().copy()
    shift, factor = np.divide(corner, size), np.divide(old, size)
    for axes in drawn.axes:
        box = axes.get_position()
        low, high = np.array(box.min), np.array(box.max)
        axes.set_position((*(shift + factor * low), *(factor * (high - low))))
    for text in drawn.texts:
        x, y = text.get_position()
        text.set_position(tuple(shift + factor * (x, y)))
    for line in drawn.lines:
        data = np.asarray(line.get_xydata())
        line.set_data(*(shift + factor * data).T)
    drawn.set_size_inches(*size)


def _text_page(lines: Sequence[str]) -> Drawn:
    drawn = Drawn(figsize=_PAGE_INCHES)
    for place, line in enumerate(lines):
        y = 1.0 - (_MARGIN_INCHES + place * _LINE_INCHES) / _PAGE_INCHES[1]
        drawn.text(_MARGIN_INCHES / _PAGE_INCHES[0], y, line, fontsize=9.0, parse_math=False)
    return drawn


def _text_lines(page: Page) -> list[str]:
    lines: list[str] = []
    for section in page.sections:
        blocks = [one for one in section.blocks if isinstance(one, (Facts, Sentences))]
        if blocks:
            lines += ["", section.title.upper(), ""]
        for block in blocks:
            lines += _wrapped(_block_lines(block))
    return lines


def _block_lines(block: Block) -> list[str]:
    if isinstance(block, Facts):
        return [f"{label}: {value}" for label, value in block.rows]
    assert isinstance(block, Sentences)  # noqa: S101 - chosen by the caller
    return [*([block.title] if block.title else []), *block.lines]


def _wrapped(lines: Sequence[str]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, _COLUMNS) or [""]]
