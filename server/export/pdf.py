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
SIDE = 3  # points beside a cell's text
PADDING = 2 * SIDE + 1  # and one for rounding
LONG_TEXT = 150.0  # points; a longer text gets no more than others of this length
_TEXTS = {"text", "word"}  # kinds that stand at the left
GREY, LINE, BAND = colors.HexColor("#475569"), colors.HexColor("#cbd5e1"), colors.HexColor("#f1f5f9")


@cache
def styles() -> Mapping[str, ParagraphStyle]:
    """Paragraph styles by name: title, subtitle, heading, body, small, cell and figure (right) with their heads."""
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
        "figure head": ParagraphStyle("figure head", small, fontName=BOLD, alignment=2),
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
    kinds = ["cell" if column.kind in _TEXTS else "figure" for column in table.columns]
    head = [
        paragraph(column.heading, "head" if kind == "cell" else "figure head") for column, kind in zip(table.columns, kinds, strict=True)
    ]
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
    elif column.kind == "word" and isinstance(found, str):
        text = found.replace("_", " ")
        text = text[:1].upper() + text[1:]
    elif isinstance(found, float):
        text = f"{found:.6g}"
    else:
        text = str(found)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _widths(table: Table, shown: Sequence[Sequence[str]], wide: bool) -> list[float]:
    """The page's width by the first rows' texts: no column below its longest word where all fit, the rest to the long ones."""
    full = (A4[1] if wide else A4[0]) - 2 * MARGIN
    head, body = styles()["head"], styles()["cell"]
    columns = [_wants(column.heading, [row[n] for row in shown[:200]], head, body) for n, column in enumerate(table.columns)]
    least = _cut([word for word, _text in columns], full)
    more = [max(0.0, min(LONG_TEXT, text) - least[n]) + 1 for n, (_word, text) in enumerate(columns)]
    spare = max(0.0, full - sum(least))
    return [width + spare * share / sum(more) for width, share in zip(least, more, strict=True)]


def _wants(heading: str, texts: Sequence[str], head: ParagraphStyle, body: ParagraphStyle) -> tuple[float, float]:
    """Points that the longest word and the longest text of a column ask for, with the cell's padding."""
    words = [_points(word, head) for word in heading.split()] + [
        _points(word, body) for word in {w for text in texts for w in text.split()}
    ]
    longest = max([_points(heading, head), *(_points(text, body) for text in texts)])
    return max(words, default=0.0) + PADDING, longest + PADDING


def _points(text: str, style: ParagraphStyle) -> float:
    return float(pdfmetrics.stringWidth(text, style.fontName, style.fontSize))


def _cut(widths: Sequence[float], full: float) -> list[float]:
    """The widths, the largest of them cut so far that all fit: only the longest words break."""
    left, ceiling = full, full
    for n, width in enumerate(sorted(widths)):
        ceiling = left / (len(widths) - n)
        if width > ceiling:
            return [min(one, ceiling) for one in widths]
        left -= width
    return list(widths)


_GRID = TableStyle(
    [
        ("LINEBELOW", (0, 0), (-1, -1), 0.3, LINE),
        ("BACKGROUND", (0, 0), (-1, 0), BAND),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), SIDE),
        ("RIGHTPADDING", (0, 0), (-1, -1), SIDE),
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
