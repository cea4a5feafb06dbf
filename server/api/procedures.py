"""Procedures: typed steps in versions, and what their editor needs. The editor's page is web's."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from server.api.blueprint import Page, collection, resource
from server.api.etags import check_match, tagged
from server.api.procedure_schemas import DifferenceQuery, Document, NewProcedure, ProcedurePatch, ProceduresQuery, StepOrder
from server.api.schemas import Body, Collection
from server.auth.guard import current_user, right
from server.errors import Invalid
from server.idempotency import once
from server.models.work import Procedure
from server.problems import Problem
from server.rules.procedure import difference
from server.rules.procedure_steps import Fault
from server.services import services
from server.store import attachments, procedure_edits, procedures
from server.store.page import ordering
from server.store.procedure_bodies import bodies, detail, fault_body, version_body, version_brief

blueprint = resource("procedures", "How jobs are done, step by step")
ONE = "/procedures/<id:procedure_id>"


def _locked(session: Session, procedure_id: int) -> Procedure:
    """The procedure to change, checked against If-Match."""
    row = procedure_edits.lock(session, procedure_id, current_user())
    check_match(row.rev)
    return row


def _draft(row: Procedure, faults: list[Fault]) -> Response:
    draft = {"procedure": row.id, "draft": row.draft, "by": row.drafted_by, "faults": [fault_body(fault) for fault in faults]}
    return tagged({**draft, "sound": not faults, "rev": row.rev})


@blueprint.route("/procedures")
@blueprint.arguments(ProceduresQuery, location="query")
@blueprint.response(200, Collection)
@right("procedures.read")
def list_procedures(query: dict[str, Any]) -> Response:
    """Procedures of the caller's site and those common to all sites, by code."""
    page_query = {name: query.pop(name) for name in ("limit", "offset", "sort")}
    with services().database.transaction() as session:
        page = procedure_edits.list_procedures(session, current_user(), query, **page_query)
        return jsonify(collection(bodies(session, page.items), page.total, page_query))


@blueprint.route("/procedures", methods=["POST"])
@blueprint.arguments(NewProcedure)
@blueprint.response(201, Body)
@right("procedures.write")
def create_procedure(body: dict[str, Any]) -> Response:
    """A procedure without steps yet."""

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        return bodies(session, [procedure_edits.create(session, body, current_user(), services().clock())])[0], 201

    answer = once("procedures", deed)
    answer.headers["Location"] = f"/api/procedures/{answer.get_json()['id']}"
    return answer


@blueprint.route(ONE)
@blueprint.response(200, Body)
@right("procedures.read")
def get_procedure(procedure_id: int) -> Response:
    """One procedure with the content of its newest version; `warnings` are all its dangers, the gravest first."""
    with services().database.transaction() as session:
        row = procedure_edits.get(session, procedure_id, current_user())
        return tagged(detail(session, row, procedures.newest(session, row.id)))


@blueprint.route(ONE, methods=["PATCH"])
@blueprint.arguments(ProcedurePatch)
@blueprint.response(200, Body)
@right("procedures.write")
def change_procedure(body: dict[str, Any], procedure_id: int) -> Response:
    """Change its title or class."""
    at = services()
    with at.database.transaction() as session:
        row = _locked(session, procedure_id)
        procedure_edits.change(session, row, body, current_user(), at.clock())
        return tagged(detail(session, row, procedures.newest(session, row.id)))


@blueprint.route(f"{ONE}/retire", methods=["POST"])
@blueprint.response(200, Body)
@right("procedures.write")
def retire(procedure_id: int) -> Response:
    """No new order gets it; orders that have it keep it."""
    return _set_active(procedure_id, active=False)


@blueprint.route(f"{ONE}/restore", methods=["POST"])
@blueprint.response(200, Body)
@right("procedures.write")
def restore(procedure_id: int) -> Response:
    """Bring a retired one back."""
    return _set_active(procedure_id, active=True)


def _set_active(procedure_id: int, *, active: bool) -> Response:
    at = services()
    with at.database.transaction() as session:
        row = _locked(session, procedure_id)
        procedure_edits.set_active(session, row, active, current_user(), at.clock())
        return tagged(bodies(session, [row])[0])


@blueprint.route(f"{ONE}/versions")
@blueprint.arguments(Page, location="query")
@blueprint.response(200, Collection)
@right("procedures.read")
def list_versions(query: dict[str, Any], procedure_id: int) -> Response:
    """Versions, newest first."""
    ordering(query["sort"], {"version": Procedure.id}, "-version")
    with services().database.transaction() as session:
        rows = procedure_edits.versions(session, procedure_edits.get(session, procedure_id, current_user()))
    items = [version_brief(row) for row in rows[query["offset"] :][: query["limit"]]]
    return jsonify(collection(items, len(rows), query))


@blueprint.route(f"{ONE}/versions", methods=["POST"])
@blueprint.arguments(Document)
@blueprint.response(201, Body)
@right("procedures.write")
def publish_version(body: dict[str, Any], procedure_id: int) -> Response:
    """Publish a document as the next version; 422 names every fault of every step. New orders get it, started ones keep theirs."""
    return _published(procedure_id, body)


@blueprint.route(f"{ONE}/publish", methods=["POST"])
@blueprint.response(201, Body)
@right("procedures.write")
def publish_draft(procedure_id: int) -> Response:
    """Publish the draft as the next version."""
    return _published(procedure_id, None)


def _published(procedure_id: int, document: dict[str, Any] | None) -> Response:
    at = services()

    def deed(session: Session) -> tuple[dict[str, Any], int]:
        row = _locked(session, procedure_id)
        try:
            return version_body(procedure_edits.publish(session, row, document, current_user(), at.clock())), 201
        except procedure_edits.Unsound as error:
            raise Problem(422, error.code, str(error), errors=[fault_body(fault) for fault in error.faults]) from error

    answer = once("procedures", deed)
    answer.headers["Location"] = f"/api/procedures/{procedure_id}/versions/{answer.get_json()['version']}"
    return answer


@blueprint.route(f"{ONE}/versions/<id:number>")
@blueprint.response(200, Body)
@right("procedures.read")
def get_version(procedure_id: int, number: int) -> Response:
    """One version with its steps."""
    with services().database.transaction() as session:
        row = procedure_edits.get(session, procedure_id, current_user())
        return jsonify(version_body(procedure_edits.version(session, row, number)))


@blueprint.route(f"{ONE}/diff")
@blueprint.arguments(DifferenceQuery, location="query")
@blueprint.response(200, Body)
@right("procedures.read")
def diff(query: dict[str, Any], procedure_id: int) -> Response:
    """What changed from one version to another: steps added, removed, moved, changed; the other parts that differ."""
    with services().database.transaction() as session:
        row = procedure_edits.get(session, procedure_id, current_user())
        old = procedure_edits.version(session, row, query["from_"])
        new = procedure_edits.versions(session, row)[0] if query["to"] is None else procedure_edits.version(session, row, query["to"])
        found = difference(procedure_edits.document_of(old), procedure_edits.document_of(new))
    return jsonify({"from": old.version, "to": new.version, **found})


@blueprint.route(f"{ONE}/draft")
@blueprint.response(200, Body)
@right("procedures.write")
def get_draft(procedure_id: int) -> Response:
    """What an editor goes on with: the draft, else the newest version."""
    with services().database.transaction() as session:
        row = procedure_edits.get(session, procedure_id, current_user())
        newest = procedures.newest(session, row.id)
        document = row.draft or (procedure_edits.document_of(newest) if newest else None)
        faults = procedure_edits.faults(session, document, row.site_id) if document else []
        found = {"procedure": row.id, "draft": document, "saved": row.draft is not None, "by": row.drafted_by}
        return tagged({**found, "faults": [fault_body(fault) for fault in faults], "sound": not faults, "rev": row.rev})


@blueprint.route(f"{ONE}/draft", methods=["PUT"])
@blueprint.arguments(Document)
@blueprint.response(200, Body)
@right("procedures.write")
def put_draft(body: dict[str, Any], procedure_id: int) -> Response:
    """Keep the draft, sound or not; the answer lists what is still wrong."""
    at = services()
    with at.database.transaction() as session:
        row = _locked(session, procedure_id)
        return _draft(row, procedure_edits.save_draft(session, row, body, current_user(), at.clock()))


@blueprint.route(f"{ONE}/draft/reorder", methods=["POST"])
@blueprint.arguments(StepOrder)
@blueprint.response(200, Body)
@right("procedures.write")
def reorder(body: dict[str, Any], procedure_id: int) -> Response:
    """Put the draft's steps in another order."""
    at = services()
    with at.database.transaction() as session:
        row = _locked(session, procedure_id)
        return _draft(row, procedure_edits.reorder(session, row, body["order"], current_user(), at.clock()))


@blueprint.route(f"{ONE}/validate", methods=["POST"])
@blueprint.arguments(Document)
@blueprint.response(200, Body)
@right("procedures.write")
def validate(body: dict[str, Any], procedure_id: int) -> Response:
    """What would keep a document from being published, step by step; nothing is kept."""
    with services().database.transaction() as session:
        row = procedure_edits.get(session, procedure_id, current_user())
        found = procedure_edits.faults(session, body, row.site_id)
    return jsonify(sound=not found, faults=[fault_body(fault) for fault in found])


@blueprint.route(f"{ONE}/media", methods=["POST"])
@blueprint.response(201, Body)
@right("procedures.write")
def add_media(procedure_id: int) -> Response:
    """Upload a picture (multipart `file`, `alt`) for the steps of the procedure: the answer is what a step's `media` carries."""
    file = request.files.get("file")
    if file is None:
        raise Invalid("file", "required", "send the picture as `file`")
    upload = attachments.Upload(file.filename or "picture", file.mimetype or "", file.stream.read(attachments.MAX_BYTES + 1))
    at, user = services(), current_user()
    with at.database.transaction() as session:
        row = procedure_edits.lock(session, procedure_id, user)
        alt = request.form.get("alt", "")[:200]
        made = attachments.attach(session, upload, "procedure", row.id, row.site_id, user, at.clock(), caption=alt)
        size = {"w": made.width, "h": made.height, "bytes": made.size}
        body = {"id": made.id, "type": made.type, **size, "alt": alt, "href": f"/api/attachments/{made.id}/file"}
    answer = jsonify(body)
    answer.status_code = 201
    answer.headers["Location"] = body["href"]
    return answer
