"""PDF documents: DejaVu Sans for every script it has, page numbers, the time of printing; no content of its own.

Letters are set in the order of the text: DejaVu has Arabic's glyphs, reportlab does not join them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.pagesizes import landscape as turned
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

from server.export.table import Column, Table, cell
from server.timestamps import utc_now

FONTS = Path(__file__).parent.parent.parent / "node_modules" / "dejavu-fonts-ttf" / "ttf"
FONT, BOLD = "DejaVuSans", "DejaVuSans-Bold"
MOST_ROWS = 2_000  # of a table; setting more takes minutes, and nobody reads them on paper
LONGEST_CELL = 400  # characters; a taller row would not fit a page
LANDSCAPE_FROM = 7  # columns
MARGIN = 15 * mm
GREY, LINE, BAND = colors.HexColor("#475569"), colors.HexColor("#cbd5e1"), colors.HexColor("#f1f5f9")


@cache
def styles() -> Mapping[str, ParagraphStyle]:
    """Paragraph styles by name: title, subtitle, heading, body, small, cell, figure (right), head."""
    pdfmetrics.registerFont(TTFont(FONT, FONTS / "DejaVuSans.ttf"))
    pdfmetrics.registerFont(TTFont(BOLD, FONTS / "DejaVuSans-Bold.ttf"))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)
    body = ParagraphStyle("body", fontName=FONT, fontSize=9, leading=12)
    small = ParagraphStyle("cell", body, fontSize=7, leading=9)
    return {
        "title": ParagraphStyle("title", body, fontName=BOLD, fontSize=16, leading=20, spaceAfter=2),
        "subtitle": ParagraphStyle("subtitle", body, textColor=GREY, spaceAfter=8),
        "heading": ParagraphStyle("heading", body, fontName=BOLD, fontSize=11, leading=14, spaceBefore=10, spaceAfter=4),
        "body": body,
        "small": ParagraphStyle("small", small, textColor=GREY),
        "cell": small,
        "figure": ParagraphStyle("figure", small, alignment=2),
        "head": ParagraphStyle("head", small, fontName=BOLD),
    }


def paragraph(text: object, style: str = "body") -> Paragraph:
    """Plain text as a paragraph: marks in it are shown, line ends kept."""
    return Paragraph(escape(str(text)).replace("\n", "<br/>"), styles()[style])


def document(title: str, flowables: Sequence[Flowable], *, subtitle: str = "", landscape: bool = False) -> bytes:
    """An A4 document under a title, each page numbered `n / of` and with the time of printing."""
    file = io.BytesIO()
    size = turned(A4) if landscape else A4
    template = SimpleDocTemplate(
        file,
        pagesize=size,
        title=title,
        author="Sightline",
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN + 5 * mm,  # the page's number stands below
    )
    head: list[Flowable] = [paragraph(title, "title")]
    if subtitle:
        head.append(paragraph(subtitle, "subtitle"))
    template.build([*head, *flowables], canvasmaker=_Numbered)
    return file.getvalue()


def tables_document(tables: Sequence[Table]) -> bytes:
    """The tables below each other under the first one's title."""
    flowables: list[Flowable] = []
    for n, table in enumerate(tables):
        if n:
            flowables.append(paragraph(table.title, "heading"))
            if table.subtitle:
                flowables.append(paragraph(table.subtitle, "subtitle"))
        flowables += table_flowables(table, wide=_is_wide(tables))
    first = tables[0]
    return document(first.title, flowables, subtitle=first.subtitle, landscape=_is_wide(tables))


def _is_wide(tables: Sequence[Table]) -> bool:
    return any(len(table.columns) >= LANDSCAPE_FROM for table in tables)


def table_flowables(table: Table, *, wide: bool = False) -> list[Flowable]:
    """A table with its headings on every page, and a line that says how many rows did not fit."""
    rows = iter(table.rows)
    shown = [[_shown(row.get(column.key), column) for column in table.columns] for row in islice(rows, MOST_ROWS)]
    left_out = sum(1 for _row in rows)
    if not shown:
        return [paragraph("Nothing to show.", "small")]
    kinds = ["cell" if column.kind == "text" else "figure" for column in table.columns]
    head = [paragraph(column.heading, "head") for column in table.columns]
    lines = [[paragraph(text, kind) for text, kind in zip(row, kinds, strict=True)] for row in shown]
    made: list[Flowable] = [LongTable([head, *lines], colWidths=_widths(table, shown, wide), repeatRows=1, style=_GRID)]
    if left_out:
        made += [Spacer(0, 4), paragraph(f"{left_out} more rows are not printed; take the CSV or XLSX for all.", "small")]
    return made


def _shown(value: Any, column: Column) -> str:
    found = cell(value)
    if found is None:
        return ""
    if isinstance(found, datetime):
        text = f"{found.astimezone(UTC):%Y-%m-%d %H:%M}"
    elif column.kind == "money" and not isinstance(found, str):
        text = f"{found:,.2f}"
    elif isinstance(found, float):
        text = f"{found:.6g}"
    else:
        text = str(found)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _widths(table: Table, shown: Sequence[Sequence[str]], wide: bool) -> list[float]:
    """The page's width shared by the longest of the first rows' texts, none so long that it starves the others."""
    full = (A4[1] if wide else A4[0]) - 2 * MARGIN
    longest = [max(len(column.heading), *(len(row[n]) for row in shown[:200])) for n, column in enumerate(table.columns)]
    shares = [min(40, max(6, length)) for length in longest]
    return [full * share / sum(shares) for share in shares]


_GRID = TableStyle(
    [
        ("LINEBELOW", (0, 0), (-1, -1), 0.3, LINE),
        ("BACKGROUND", (0, 0), (-1, 0), BAND),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
    ]
)


class _Numbered(Canvas):
    """Holds the pages back until their number is known."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._printed = f"{utc_now():%Y-%m-%d %H:%M} UTC"
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        """Keep the page."""
        self._pages.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]  # the stubs leave it out

    def save(self) -> None:
        """Number the pages and write them."""
        width: float = self._pagesize[0]  # type: ignore[attr-defined]  # the stubs leave it out
        for n, page in enumerate(self._pages, 1):
            self.__dict__.update(page)
            self.setFont(FONT, 7)
            self.setFillColor(GREY)
            self.drawString(MARGIN, MARGIN, f"Sightline · printed {self._printed}")
            self.drawRightString(width - MARGIN, MARGIN, f"{n} / {len(self._pages)}")
            super().showPage()
        super().save()
