"""A sheet of labels for machines: name, code, the QR of its page and the QR where anyone reports a fault. A4, 2 x 5 labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import segno
from reportlab.graphics.shapes import Drawing, Rect
from reportlab.lib import colors
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Table, TableStyle

from server.export.pdf import document, paragraph

SIDE = 25 * mm
HEIGHT = 46 * mm
WIDTHS = (29 * mm, 30 * mm, 29 * mm)
_WHITE: Any = {"fillColor": colors.white, "strokeColor": None}
_BLACK: Any = {"fillColor": colors.black, "strokeColor": None}
QUIET = 4  # modules of white around a code, as ISO/IEC 18004 wants


@dataclass(frozen=True, slots=True)
class Label:
    """One machine: `page` is the address of its page, `report` where a fault is reported (None = no link made), `mark` its marker."""

    code: str
    name: str
    place: str
    page: str
    mark: str = ""
    report: str | None = None


def sheet(labels: Sequence[Label]) -> bytes:
    """The PDF."""
    cells = [_label(label) for label in labels]
    if len(cells) % 2:
        cells.append(paragraph(""))
    rows = [cells[n : n + 2] for n in range(0, len(cells), 2)]
    style = TableStyle([("GRID", (0, 0), (-1, -1), 0.25, colors.lightgrey), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")])
    return document("Labels", [Table(rows, colWidths=[sum(WIDTHS) + 2 * mm] * 2, rowHeights=[HEIGHT] * len(rows), style=style)])


def _label(label: Label) -> Flowable:
    lines = ((label.code, "heading"), (label.name[:60], "body"), (label.place[:40], "small"), (label.mark, "small"))
    words = [paragraph(text, style) for text, style in lines]
    page = [qr(label.page), paragraph("Machine page", "small")]
    report = [qr(label.report), paragraph("Report a fault", "small")] if label.report else [paragraph("", "small")]
    return Table([[page, words, report]], colWidths=list(WIDTHS), style=TableStyle([("VALIGN", (0, 0), (-1, -1), "MIDDLE")]))


def qr(content: str) -> Drawing:
    """The code as black squares on white."""
    rows = [bytes(row) for row in segno.make(content, error="m", micro=False).matrix]
    size = SIDE / (len(rows) + 2 * QUIET)
    drawn = Drawing(SIDE, SIDE)
    drawn.add(Rect(0, 0, SIDE, SIDE, **_WHITE))
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                left, low = (x + QUIET) * size, SIDE - (y + QUIET + 1) * size
                drawn.add(Rect(left, low, size, size, **_BLACK))
    return drawn
