"""Tag maps in and out: our YAML and CSV, and the lists of TIA Portal, Kepware, Telegraf and nodes7.

A dry run lists every bad row with its place and what would change; a real run takes all rows or none, unless told to skip bad ones.
"""

from __future__ import annotations

import hashlib
from typing import Any

import marshmallow as ma
from flask import Response, jsonify
from sqlalchemy.orm import Session

from plc.addressing import documents, imports, tagmap_csv
from plc.addressing.drafts import Given
from plc.addressing.errors import TagMapError
from plc.addressing.imports import Found
from plc.addressing.tagmap import TagMap
from server.api.attachments import AttachmentFile
from server.api.blueprint import resource, text
from server.api.schemas import Body
from server.api.tag_maps import document_of, source_of, writes_of
from server.auth.guard import current_user, right
from server.errors import Conflict, Invalid
from server.http_input import takes_up_to
from server.idempotency import once
from server.off_hub import off_the_hub
from server.problems import Problem
from server.services import services
from server.store import sources
from server.store.actor import need
from server.store.tag_writes import Writer

blueprint = resource("source_imports", "Tag maps in and out")
MOST_TOLD = 500  # rows of an answer; the counts are whole


class ImportWords(ma.Schema):
    """What the file is, and what it leaves unsaid; in the query or in the form."""

    format = ma.fields.String(validate=ma.validate.OneOf(["", *imports.FORMATS]), metadata={"description": "empty: by the file's name"})
    dry_run = ma.fields.Boolean(metadata={"description": "only look: what is wrong, what would change"})
    skip_bad = ma.fields.Boolean(metadata={"description": "take the good rows and leave the bad ones out"})
    source = text(64, shortest=0, metadata={"description": "where the file names no device: whose tags they are"})
    kind = text(64, shortest=0, metadata={"description": "protocol of a source that is new"})
    host = text(200, shortest=0, metadata={"description": "address of a source that is new"})
    machine = text(64, shortest=0, metadata={"description": "code of the asset that the tags belong to"})
    prefix = text(40, shortest=0, metadata={"description": "put before every name, such as PRESS-01."})


class ExportQuery(ma.Schema):
    """How a source is written."""

    format = ma.fields.String(load_default="yaml", validate=ma.validate.OneOf(sorted(imports.OWN)))


@blueprint.route("/sources/import", methods=["POST"])
@takes_up_to(documents.MAX_BYTES + 64 * 1024)
@blueprint.arguments(ImportWords, location="query")
@blueprint.arguments(ImportWords, location="form")
@blueprint.arguments(AttachmentFile, location="files")
@blueprint.response(200, Body)
@right("sources.write")
def import_sources(query: dict[str, Any], form: dict[str, Any], files: dict[str, Any]) -> Response:
    """Read a list of tags; a real run with bad rows is 422, naming each, and stores nothing."""
    said = query | form
    name, content = files["file"].filename or "", files["file"].read()
    dialect = said.get("format") or imports.dialect_of(name, content)
    found = off_the_hub(imports.found_in, content, dialect, _given(said))
    if said.get("dry_run"):
        return jsonify(_looked(found, dialect))
    if found.wrong and not (said.get("skip_bad") and found.maps):
        errors = [{"field": one.field, "code": "bad_row", "detail": one.detail} for one in found.wrong[:MOST_TOLD]]
        raise Problem(422, "bad_rows", f"{len(found.wrong)} rows cannot be taken; nothing was stored", errors=errors)

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return {**_answer(found, dialect, _written(session, found, dialect)), "dry_run": False}, 200

    return once("source-import", deed, hashlib.sha256(repr(sorted(said.items())).encode() + content).digest())


def _given(words: dict[str, Any]) -> Given:
    """What the person says; of a source that exists, its kind and groups are known."""
    names = ("source", "kind", "host", "machine", "prefix")
    said = {name: words.get(name, "") for name in names}
    with services().database.transaction() as session:
        known = sources.by_name(session, said["source"], current_user()) if said["source"] else None
        groups = {name: float(period) for name, period in known.groups.items()} if known else {}
        if known is not None:
            said["kind"] = known.kind
    return Given(**said, groups=groups)


def _looked(found: Found, dialect: str) -> dict[str, Any]:
    """Do it and take it back: what a real run would say, to the letter."""
    with services().database.transaction() as session:
        attempt = session.begin_nested()
        try:
            answer = _answer(found, dialect, _written(session, found, dialect))
        except (Invalid, Conflict) as error:
            found.wrong.append(TagMapError(getattr(error, "field", error.code), error.detail))
            answer = _answer(found, dialect, None)
        attempt.rollback()
    return {**answer, "dry_run": True}


def _written(session: Session, found: Found, dialect: str) -> Writer:
    user, at = current_user(), services()
    need(user, "sources.write")
    writer = Writer(session, user, at.clock())
    for one in found.maps:
        _put_source(session, writer, one, is_bare=one.source in found.bare)
        writes = writes_of(one, only_given=dialect not in imports.OWN, whole=dialect in imports.OWN)
        writer.put_all(writes)
    writer.finish()
    return writer


def _put_source(session: Session, writer: Writer, one: TagMap, *, is_bare: bool) -> None:
    """A file that names no device leaves a known source as it is, but for groups that it adds."""
    known = sources.by_name(session, one.source, current_user())
    if known is not None and known.kind != one.kind:
        raise Invalid("source.driver", "kind", f"{one.source} is a source of kind {known.kind}, the file says {one.kind}")
    if not is_bare:
        writer.put_source(source_of(one))
    elif known is not None:
        groups = {**one.groups, **known.groups}
        used = {tag.group for tag in one.tags} | set(known.groups)
        writer.source_changed = writer.change("source", known, {"groups": {name: groups[name] for name in groups if name in used}})
    elif not one.config.get("host"):
        raise Invalid("source", "unknown", f"there is no source {one.source}: make it first, or give its host (host=...)")
    else:
        writer.put_source(source_of(one))


def _answer(found: Found, dialect: str, writer: Writer | None) -> dict[str, Any]:
    errors = [{"where": one.field, "detail": one.detail, "text": one.text, "position": one.position} for one in found.wrong[:MOST_TOLD]]
    shown = [{"name": one.source, "kind": one.kind, "tags": len(one.tags)} for one in found.maps]
    body: dict[str, Any] = {"format": dialect, "rows": found.rows, "bad": len(found.wrong), "errors": errors, "sources": shown}
    body["warnings"] = found.warnings[:MOST_TOLD]
    if writer is None:
        return {**body, "created": [], "updated": [], "unchanged": [], "changes": []}
    told = writer.written
    lists = {name: getattr(told, name) for name in ("created", "updated", "unchanged")}
    return {**body, **lists, "changes": writer.changes[:MOST_TOLD], "config_version": told.config_version}


@blueprint.route("/sources/<id:source_id>/export")
@blueprint.arguments(ExportQuery, location="query")
@blueprint.response(200)
@right("sources.write")
def export_source(query: dict[str, Any], source_id: int) -> Response:
    """The source with its tags as a tag map; importing it again changes nothing. Secrets are masked."""
    with services().database.transaction() as session:
        row = sources.get_source(session, source_id, current_user())
        document, name = document_of(session, row), row.name
    as_csv = query["format"] == "csv"
    answer = Response(
        tagmap_csv.write(document) if as_csv else documents.block(document), mimetype="text/csv" if as_csv else "application/yaml"
    )
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in name)
    answer.headers["Content-Disposition"] = f'attachment; filename="{safe}.{query["format"]}"'
    return answer
