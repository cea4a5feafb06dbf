"""Bodies of procedures and their versions. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.plant import AssetClass
from server.models.work import Procedure, ProcedureVersion
from server.rules.procedure_steps import Fault
from server.rules.safety import dangers
from server.store.procedure_edits import document_of
from server.store.related import by_id
from server.timestamps import rfc3339

Body = dict[str, Any]


def bodies(session: Session, rows: Sequence[Procedure]) -> list[Body]:
    """Procedures, in their order, each with the number of its newest version."""
    classes = by_id(session, AssetClass, (row.class_id for row in rows))
    newest = select(ProcedureVersion.procedure_id, func.max(ProcedureVersion.version))
    newest = newest.where(ProcedureVersion.procedure_id.in_([row.id for row in rows])).group_by(ProcedureVersion.procedure_id)
    numbers: dict[int, int] = {row[0]: row[1] for row in session.execute(newest)}
    return [_body(row, classes.get(row.class_id or 0), numbers.get(row.id)) for row in rows]


def _body(row: Procedure, class_: AssetClass | None, version: int | None) -> Body:
    return {
        "id": row.id,
        "code": row.code,
        "title": row.title,
        "class": class_.name if class_ else None,
        "common": row.site_id is None,
        "status": "active" if row.active else "retired",
        "version": version,
        "has_draft": row.draft is not None,
        "drafted_by": row.drafted_by,
        "drafted_at": rfc3339(row.drafted_at),
        "rev": row.rev,
    }


def detail(session: Session, row: Procedure, newest: ProcedureVersion | None) -> Body:
    """One procedure with the content of its newest version, for those who read it."""
    content = document_of(newest) if newest else {"steps": [], "safety": [], "hazards": [], "lock_out": False, "estimated_min": None}
    content["warnings"] = dangers(content["safety"], content["steps"])
    return {**bodies(session, [row])[0], **content}


def version_body(version: ProcedureVersion) -> Body:
    """One version with its content."""
    return {**version_brief(version), **document_of(version)}


def version_brief(version: ProcedureVersion) -> Body:
    """One version of a list."""
    return {
        "id": version.id,
        "version": version.version,
        "steps_count": len(version.steps),
        "note": version.note,
        "published_at": rfc3339(version.published_at),
        "published_by": version.published_by,
    }


def fault_body(fault: Fault) -> Body:
    """What is wrong with a step (None = with the whole)."""
    return {"step": fault.step, "field": fault.field, "code": fault.code, "detail": fault.detail}
