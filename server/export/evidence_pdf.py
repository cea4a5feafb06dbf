"""A chain of evidence as one PDF: the chain at a glance, the signals' course, then every link in full. Content comes from the caller."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reportlab.graphics.shapes import Drawing, Line, PolyLine, String
from reportlab.lib import colors
from reportlab.platypus import Flowable, KeepTogether

from server.export import pdf
from server.export.table import Column, Table

WIDTH, HEIGHT = 480, 70
MOST_CHARTS = 6
LONGEST = 3_000  # characters of one link; the JSON holds all of it
_AT_A_GLANCE = (Column("n", "No", "whole"), Column("kind", "What"), Column("at", "When"), Column("said", "Says"), Column("hash", "Hash"))
_SAYS = {
    "readings": lambda c: f"{len(c['tags'])} signals, {c['part']} the alert",
    "alert": lambda c: f"{c['number']}: {c['message']}",
    "finding": lambda c: f"{c['detector']}: score {c['score']:g}, limit {c['limit']:g}",
    "act": lambda c: f"{c['action']} by {c['actor']}" + (f", audit seal {c['seal']['seq']}" if c["seal"] else ", not sealed yet"),
    "answer": lambda c: f"step {c['step_id']}: {c['value']} {c['unit'] or ''}".strip(),
    "calibration": lambda c: f"{c['number']}: {'passed' if c['passed'] else 'failed'}",
    "record": lambda c: f"{c['number']}: {c['action']}",
    "proof": lambda c: f"{c['state']}, {c['good_s']:.0f} s of {c['required_s']:.0f} s good",
    "verdict": lambda c: f"{c['state']}, {c['verdict'] or 'no verdict'}, verified by {c['verified_by'] or 'nobody yet'}",
}


def evidence_document(chain: Mapping[str, Any]) -> bytes:
    """The PDF of a signed chain."""
    links = chain["links"]
    rows = [{**link, "said": _SAYS[link["kind"]](link["content"]), "hash": f"{link['hash'][:12]}…"} for link in links]
    flowables: list[Flowable] = [
        pdf.paragraph(
            "Each hash covers the link's content and the hash before it. Check the JSON with: python -m server.evidence verify", "small"
        ),
        *pdf.table_flowables(Table("", _AT_A_GLANCE, rows)),
        pdf.paragraph(f"End of the chain: {chain['head']}", "small"),
        pdf.paragraph(f"Signature: {chain['signature']}", "small"),
        *_charts(links),
    ]
    for link in links:
        flowables += _in_full(link)
    order = chain["order"]
    return pdf.document(f"Evidence {order['number']}", flowables, subtitle=f"{order['title']} · made {chain['made_at']}")


def _in_full(link: Mapping[str, Any]) -> list[Flowable]:
    content = {name: value for name, value in link["content"].items() if name != "tags" or link["kind"] != "readings"}
    text = json.dumps(content, ensure_ascii=False, indent=1)
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST} more characters in the JSON)"
    return [
        pdf.paragraph(f"{link['n']}. {link['kind']} {link['at'] or ''}", "heading"),
        pdf.paragraph(shown, "cell"),
        pdf.paragraph(f"previous {link['previous']}", "small"),
        pdf.paragraph(f"hash {link['hash']}", "small"),
    ]


def _charts(links: Sequence[Mapping[str, Any]]) -> list[Flowable]:
    """The signals that the alert names first, before and after the raise in one picture each."""
    parts = [link["content"] for link in links if link["kind"] == "readings"]
    if not parts:
        return []
    named = [share["tag"] for link in links if link["kind"] == "alert" for share in link["content"]["because"]]
    courses: dict[str, list[Any]] = {}
    units: dict[str, str] = {}
    for tag in (tag for part in parts for tag in part["tags"]):
        courses.setdefault(tag["tag"], []).extend(point for point in tag["points"] if point[2] is not None)
        units[tag["tag"]] = tag["unit"]
    wanted = sorted((tag for tag, points in courses.items() if len(points) > 1), key=lambda tag: (tag not in named, tag))[:MOST_CHARTS]
    drawn: list[Flowable] = [pdf.paragraph("Signals around the alert", "heading")] if wanted else []
    for tag in wanted:
        drawn.append(KeepTogether([pdf.paragraph(f"{tag} ({units[tag]})", "cell"), _chart(courses[tag])]))
    return drawn


def _chart(points: Sequence[Sequence[float]]) -> Drawing:
    """Mean over time; least and greatest value stand at the side."""
    pdf.styles()  # registers the font
    times, values = [point[0] for point in points], [point[2] for point in points]
    low, high = min(values), max(values)
    span_t, span_v = (max(times) - min(times)) or 1, (high - low) or 1
    xy: list[float] = []
    for t, v in zip(times, values, strict=True):
        xy += [50 + (WIDTH - 50) * (t - min(times)) / span_t, 5 + (HEIGHT - 10) * (v - low) / span_v]
    drawing = Drawing(WIDTH, HEIGHT)
    drawing.add(Line(50, 0, 50, HEIGHT, strokeColor=colors.grey, strokeWidth=0.5))
    drawing.add(PolyLine(xy, strokeColor=colors.HexColor("#0f172a"), strokeWidth=0.8))
    for y, value in ((2, low), (HEIGHT - 8, high)):
        drawing.add(String(0, y, f"{value:.5g}", fontName=pdf.FONT, fontSize=7))
    return drawing
