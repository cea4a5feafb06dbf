"""Import of assets and instruments from CSV or XLSX: a dry run lists every fault of every row; a real run takes all rows or none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from server import sheets
from server.api.attachments import AttachmentFile
from server.api.blueprint import resource
from server.api.instruments import NewInstrument
from server.api.register import NewAsset
from server.api.schemas import Body
from server.auth.guard import current_user, right
from server.errors import NotFound
from server.export.table import Column
from server.http_input import takes_up_to
from server.idempotency import once
from server.problems import Problem
from server.services import services
from server.store import imports
from server.store.imports import Bad, Loaded, Report
from server.store.register_tables import ASSET_COLUMNS, INSTRUMENT_COLUMNS

blueprint = resource("imports", "Bringing lists into the register")
KINDS: Mapping[str, tuple[Sequence[Column], ma.Schema]] = {
    "assets": (ASSET_COLUMNS, NewAsset(partial=True)),
    "instruments": (INSTRUMENT_COLUMNS, NewInstrument(partial=True)),
}
_NUMBERS = frozenset({"money", "number", "whole"})


class ImportForm(ma.Schema):
    """Whether only to look."""

    dry_run = ma.fields.Boolean(load_default=True)


@blueprint.route("/imports/<string(maxlength=16):kind>", methods=["POST"])
@takes_up_to(sheets.MAX_BYTES + 64 * 1024)
@blueprint.arguments(ImportForm, location="form")
@blueprint.arguments(AttachmentFile, location="files")
@blueprint.response(200, Body)
@right("assets.write")
def import_rows(form: dict[str, Any], files: dict[str, Any], kind: str) -> Response:
    """Read a list (`assets` or `instruments`); headings as an export has them. Real runs answer 422 with every bad row."""
    if kind not in KINDS:
        raise NotFound("import of", kind)
    name, content = files["file"].filename or "", files["file"].read()
    columns, schema = KINDS[kind]
    rows = sheets.read(name, content, [column.key for column in columns])
    loaded, bad = _loaded(rows, {column.key: column.kind for column in columns}, schema)
    if form["dry_run"]:
        return jsonify(_dry(kind, loaded, bad, len(rows)))

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        report = imports.run(session, kind, loaded, current_user(), services().clock())
        answer = _answer(report, bad, len(rows), dry_run=False)
        if answer["errors"]:
            errors = [{"field": row["column"], "code": "bad_row", "detail": row["reason"], "line": row["line"]} for row in answer["errors"]]
            raise Problem(422, "bad_rows", f"{answer['bad']} rows cannot be taken; nothing was stored", errors=errors)
        return answer, 200

    return once(f"import-{kind}", deed, hashlib.sha256(content).digest())


def _dry(kind: str, loaded: list[Loaded], bad: list[Bad], total: int) -> dict[str, Any]:
    """Do it and take it back: what a real run would say, to the letter."""
    with services().database.transaction() as session:
        attempt = session.begin_nested()
        report = imports.run(session, kind, loaded, current_user(), services().clock())
        attempt.rollback()
    return _answer(report, bad, total, dry_run=True)


def _answer(report: Report, bad: list[Bad], total: int, *, dry_run: bool) -> dict[str, Any]:
    errors = sorted((asdict(one) for one in [*bad, *report.errors]), key=lambda one: (one["line"], one["column"]))
    counts = {"created": report.created, "updated": report.updated, "unchanged": report.unchanged}
    return {"dry_run": dry_run, "rows": total, **counts, "bad": len({one["line"] for one in errors}), "errors": errors}


def _loaded(rows: Sequence[sheets.Row], kinds: Mapping[str, str], schema: ma.Schema) -> tuple[list[Loaded], list[Bad]]:
    loaded: list[Loaded] = []
    bad: list[Bad] = []
    for row in rows:
        cells = {name: _value(text, kinds[name]) for name, text in row.cells.items()}
        try:
            loaded.append(Loaded(row.line, schema.load(cells)))
        except ma.ValidationError as error:
            messages = error.messages if isinstance(error.messages, dict) else {"": error.messages}
            bad += [Bad(row.line, name, " ".join(map(str, told))) for name, told in messages.items()]
            loaded.append(Loaded(row.line, dict(error.valid_data or {}), frozenset(messages)))
    return loaded, bad


def _value(text: str, kind: str) -> Any:
    """A cell as JSON would have it; a decimal comma counts as a point."""
    if kind not in _NUMBERS:
        return text
    try:
        number = float(text.replace("\u00a0", "").replace(" ", "").replace(",", "."))
    except ValueError:
        return text
    return int(number) if kind == "whole" and number.is_integer() else number
