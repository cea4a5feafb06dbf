"""A work order on paper (S2-R1): permit and barricade block, steps, parts, time and three sign-offs. Content comes from the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.graphics.shapes import Drawing, PolyLine
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, KeepTogether, Spacer

from server.export import pdf
from server.export.table import Column, Table

Body = Mapping[str, Any]
LINE, BOX = "_" * 22, "☐"
PERMITS = ("Permit to work", "Lock-out / tag-out", "Barricade set up", "Hot work permit", "Confined space permit", "Control room told")
SIGN_OFFS = ("Technician", "Supervisor", "Operations")
PEN = (50 * mm, 18 * mm)  # field of a drawn signature


@dataclass(frozen=True, slots=True)
class Sheet:
    """REST bodies of an order, its steps and its labour; strokes of the completer's signature."""

    order: Body
    steps: Sequence[Body]
    labour: Sequence[Body]
    strokes: Sequence[Sequence[Sequence[float]]] = ()


def sheet(content: Sheet) -> bytes:
    """The PDF; what is not known yet is a line for the pen."""
    order = content.order
    flowables = [
        *_facts(order),
        *_safety(order),
        *_steps(content.steps),
        *_parts(order["parts"]),
        *_labour(content.labour, order["cost"]),
        *_remarks(order),
        *_sign_offs(order, content.strokes),
    ]
    return pdf.document(f"Work order {order['number']}", flowables, subtitle=order["title"])


def _table(title: str, columns: Sequence[Column], rows: Sequence[Body]) -> list[Flowable]:
    return [pdf.paragraph(title, "heading"), *pdf.table_flowables(Table(title, tuple(columns), rows))]


def _facts(order: Body) -> list[Flowable]:
    asset, procedure = order["asset"], order["procedure"]
    rows = {
        "Asset": f"{asset['code']} {asset['name']}, {asset['place']}",
        "Type and priority": f"{order['type']}, {order['priority']}",
        "Status": order["status"],
        "Assigned to": order["assigned_to"]["name"] if order["assigned_to"] else order["team"] or LINE,
        "Opened": f"{_time(order['created_at'])} by {order['created_by']}",
        "Due": _time(order["due_at"]),
        "Estimated / actual": f"{_minutes(order['est_min'])} / {_minutes(order['actual_min'])}",
        "Procedure": f"{procedure['code']} {procedure['title']}, version {procedure['version']}" if procedure else "",
        "Reference": order["external_ref"] or "",
        "Work": order["description"],
    }
    facts = [{"name": name, "value": value} for name, value in rows.items() if value]
    return _table("Order", (Column("name", ""), Column("value", "")), facts)


def _time(at: str | None) -> str:
    return f"{at[:10]} {at[11:16]} UTC" if at else ""


def _minutes(minutes: int | None) -> str:
    return f"{minutes} min" if minutes is not None else "____ min"


def _safety(order: Body) -> list[Flowable]:
    known = {"Lock-out / tag-out": order["lock_out"]}
    permits = [{"what": what, "needed": "REQUIRED" if known.get(what) else BOX, "by": LINE, "time": LINE} for what in PERMITS]
    dangers = [{"sev": danger["sev"].upper(), "t": danger["t"], "b": danger.get("b", ""), "ok": BOX} for danger in order["safety"]]
    hazards = ", ".join(order["hazards"])
    columns = (Column("what", "Permit or barricade"), Column("needed", "Needed"), Column("by", "Given by"), Column("time", "Date, time"))
    block = _table("Safety: permits and barricade", columns, permits)
    if hazards:
        block.append(pdf.paragraph(f"Hazards: {hazards}", "small"))
    if dangers:
        block += _table("Dangers", (Column("sev", ""), Column("t", "Danger"), Column("b", "Do this"), Column("ok", "Read")), dangers)
    return block


def _steps(steps: Sequence[Body]) -> list[Flowable]:
    columns = (Column("n", "#"), Column("t", "Step"), Column("wanted", "Wanted"), Column("found", "Found"), Column("ok", "OK"))
    rows = [{"n": str(step["n"]), "t": _words(step), "wanted": _wanted(step), **_found(step)} for step in steps]
    return _table("Steps", columns, rows) if rows else []


def _words(step: Body) -> str:
    warned = f"{step['warn']['sev'].upper()}: {step['warn']['t']} " if step.get("warn") else ""
    return f"{warned}{step['t']}{' ' + step['b'] if step.get('b') else ''}"


def _wanted(step: Body) -> str:
    asked = step.get("in") or {}
    if step["k"] == "measure":
        low, high = asked.get("lo"), asked.get("hi")
        return f"{'' if low is None else low} .. {'' if high is None else high} {asked.get('unit', '')}".strip()
    if step["k"] == "choice":
        return " / ".join(option["t"] for option in step.get("opt", []))
    return "pass / fail / n.a." if step["k"] == "check" else ""


def _found(step: Body) -> dict[str, str]:
    answer = step["answer"]
    if answer is None:
        return {"found": LINE, "ok": BOX}
    value = {True: "done", False: "not done"}[answer["value"]] if isinstance(answer["value"], bool) else answer["value"]
    words = (value, answer["unit"], answer["option"], answer["code"], answer["note"], answer["who"])
    return {"found": " ".join(str(word) for word in words if word is not None), "ok": "yes" if answer["ok"] else "NO"}


def _parts(parts: Sequence[Body]) -> list[Flowable]:
    rows = [{"sku": part["sku"], "name": part.get("name", ""), "qty": str(part.get("qty", 1)), "by": ""} for part in parts]
    rows += [{"sku": LINE, "name": LINE, "qty": "____", "by": LINE}] * max(0, 3 - len(rows))
    return _table("Parts", (Column("sku", "Part"), Column("name", "Name"), Column("qty", "Quantity"), Column("by", "Issued by")), rows)


def _labour(labour: Sequence[Body], cost: Body) -> list[Flowable]:
    rows = [{**row, "who": row["person"]["name"], "minutes": str(row["minutes"] or "")} for row in labour]
    if not rows:
        return []
    columns = (Column("who", "Person"), Column("minutes", "Minutes"), Column("cost", "Cost", "money"), Column("note", "Note"))
    summed = ", ".join(f"{name} {cost[name]:,.2f}" for name in ("labour", "parts", "other", "total"))
    return [*_table("Time", columns, rows), pdf.paragraph(f"Cost in {cost['currency']}: {summed}", "small")]


def _remarks(order: Body) -> list[Flowable]:
    return [pdf.paragraph("Done", "heading"), pdf.paragraph(order["notes"])] if order["notes"] else []


def _sign_offs(order: Body, strokes: Sequence[Sequence[Sequence[float]]]) -> list[Flowable]:
    signed = order["signature"]
    rows = [{"role": role, "name": LINE, "date": LINE, "signature": LINE} for role in SIGN_OFFS]
    if signed:
        rows[0].update(name=signed["name"], date=_time(signed["at"]), signature="see below" if strokes else f"signed: {signed['name']}")
    if order["verified_by"]:
        rows[1].update(name=order["verified_by"], date=_time(order["verified_at"]))
    columns = (Column("role", "Sign-off"), Column("name", "Name"), Column("date", "Date"), Column("signature", "Signature"))
    block = [Spacer(0, 6 * mm), *_table("Sign-offs", columns, rows)]
    return [KeepTogether([*block, _drawn(strokes)] if strokes else block)]


def _drawn(strokes: Sequence[Sequence[Sequence[float]]]) -> Drawing:
    """The strokes in a field; y grows downwards on a screen, upwards on paper."""
    width, height = PEN
    drawing = Drawing(width, height)
    for stroke in strokes:
        points = [number for x, y in stroke for number in (x * width, (1 - y) * height)]
        if len(points) >= 4:
            drawing.add(PolyLine(points))
    return drawing
