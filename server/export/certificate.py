"""The calibration certificate, filled from a record or blank for the technician's pen (S2-R2). Content comes from the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from server.export import pdf
from server.export.table import Column, Table

LINE = "_" * 24
_POINTS = (
    Column("applied", "Applied", "number"),
    Column("reading", "Reading", "number"),
    Column("error_pct", "Error", "number", "% of span"),
    Column("verdict", "Within tolerance"),
)


def filled(record: Mapping[str, Any], instrument: Mapping[str, Any]) -> bytes:
    """The certificate of a record; both are REST bodies."""
    verdict = "PASSED" if record["passed"] else "FAILED"
    flowables = [
        *_facts("Instrument", _instrument(instrument)),
        *_facts("Calibration", _calibration(record)),
        *_points("As found", record["as_found"], record),
        *_points("As left", record["as_left"], record),
        pdf.paragraph(f"Result: {verdict}", "heading"),
        pdf.paragraph(_worst(record)),
        *_remarks(record),
        *_signatures(
            [("Performed by", record["signature"] or record["performed_by"], str(record["performed_at"])[:10]), ("Checked by", LINE, LINE)]
        ),
    ]
    return pdf.document(f"Calibration certificate {record['number']}", flowables, subtitle=f"{instrument['tag']} {instrument['name']}")


def blank(instrument: Mapping[str, Any], applied: Sequence[float], tolerance_pct: float | None) -> bytes:
    """The same form with the points to apply and room for what is read."""
    rows = [{"applied": f"{value:g}", "reading": LINE, "error_pct": LINE, "verdict": "yes / no"} for value in applied]
    facts = [(name, LINE) for name in ("Date", "Reference standard, serial", "Certificate of the standard, due", "Ambient conditions")]
    tolerance = "" if tolerance_pct is None else f"±{tolerance_pct:g} % of span"
    flowables = [
        *_facts("Instrument", _instrument(instrument)),
        *_facts("Calibration", [*facts, ("Tolerance", tolerance or LINE)]),
        *_table("As found", rows, instrument["unit"]),
        *_table("As left", rows, instrument["unit"]),
        *_signatures([("Performed by", LINE, LINE), ("Checked by", LINE, LINE)]),
    ]
    return pdf.document("Calibration certificate", flowables, subtitle=f"{instrument['tag']} {instrument['name']}")


def _instrument(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    low, high = body["range_low"], body["range_high"]
    span = "" if low is None or high is None else f"{low:g} to {high:g} {body['unit']}"
    return [
        ("Tag", body["tag"]),
        ("Name", body["name"]),
        ("Type", body["type"]),
        ("Range", span),
        ("Accuracy class", body["accuracy_class"]),
        ("Asset", f"{body['asset']['code']} {body['asset']['name']}"),
        ("Location", body["location"]),
    ]


def _calibration(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    standard = record["standard"]
    order = record["work_order"]
    rows = [
        ("Performed at", str(record["performed_at"])),
        ("Reference standard", f"{standard['text']}" + (f", due {str(standard['due_at'])[:10]}" if standard.get("due_at") else "")),
        ("Tolerance", f"±{record['tolerance_pct']:g} % of span"),
        ("Ambient conditions", record["ambient"]),
        ("Work order", order["number"] if order else ""),
        ("Next due", str(record["next_due_at"] or "")[:10]),
    ]
    if record["standard_reason"]:
        rows.append(("Overdue standard used because", record["standard_reason"]))
    if record["supersedes"]:
        rows.append(("Supersedes", f"{record['supersedes']['number']}: {record['supersede_reason']}"))
    if record["superseded_by"]:
        rows.append(("SUPERSEDED BY", record["superseded_by"]["number"]))
    return rows


def _facts(title: str, rows: Sequence[tuple[str, str]]) -> list[Flowable]:
    table = Table(title, (Column("name", ""), Column("value", "")), [{"name": name, "value": value} for name, value in rows])
    return [pdf.paragraph(title, "heading"), *pdf.table_flowables(table)]


def _points(title: str, points: Sequence[Mapping[str, Any]], record: Mapping[str, Any]) -> list[Flowable]:
    rows = [{**point, "verdict": "yes" if abs(point["error_pct"]) <= record["tolerance_pct"] else "NO"} for point in points]
    return _table(title, rows, record["instrument"]["unit"])


def _table(title: str, rows: Sequence[Mapping[str, Any]], unit: str) -> list[Flowable]:
    columns = tuple(Column(c.key, c.label, c.kind, unit) if c.key in {"applied", "reading"} else c for c in _POINTS)
    return [pdf.paragraph(title, "heading"), *pdf.table_flowables(Table(title, columns, rows))]


def _worst(record: Mapping[str, Any]) -> str:
    return (
        f"Worst error found {record['found_error_pct']:+.3f} %, left {record['left_error_pct']:+.3f} % of span; "
        f"tolerance ±{record['tolerance_pct']:g} %."
    )


def _remarks(record: Mapping[str, Any]) -> list[Flowable]:
    return [pdf.paragraph("Remarks", "heading"), pdf.paragraph(record["notes"])] if record["notes"] else []


def _signatures(rows: Sequence[tuple[str, str, str]]) -> list[Flowable]:
    columns = (Column("what", ""), Column("name", "Name"), Column("date", "Date"), Column("signature", "Signature"))
    lines = [{"what": what, "name": name, "date": date, "signature": LINE} for what, name, date in rows]
    return [Spacer(0, 6 * mm), *pdf.table_flowables(Table("", columns, lines))]
