"""Procedures as their editors see them: drafts, validation, publishing, difference, retiring. Nothing here commits.

A version never changes; which one an order has is server/store/procedures.py's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.plant import Asset, AssetClass, Tag
from server.models.work import Procedure, ProcedureVersion
from server.rules import procedure as rules
from server.rules.procedure_steps import Fault
from server.store import procedures
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of

SORTS = {"code": Procedure.code, "title": func.lower(Procedure.title), "id": Procedure.id}


class Unsound(Invalid):
    """A procedure that may not be published; `faults` names every reason."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        where = f"step {first.step}: {first.field}" if first.step else first.field
        super().__init__(where, first.code, first.detail)
        self.faults = list(faults)


def list_procedures(
    session: Session, user: Person, wanted: Mapping[str, Any], *, limit: int, offset: int, sort: str = ""
) -> Page[Procedure]:
    """Procedures of the site and those common to all, by code. wanted: `search`, `class` (name), `retired`."""
    query: Select[Any] = select(Procedure).where((Procedure.site_id == user.site_id) | Procedure.site_id.is_(None))
    query = query.where(Procedure.active.is_(not wanted.get("retired")))
    if wanted.get("class_") is not None:
        query = query.where(Procedure.class_id.in_(select(AssetClass.id).where(AssetClass.name == wanted["class_"])))
    if wanted.get("search"):
        words = (Procedure.code.icontains(wanted["search"], autoescape=True), Procedure.title.icontains(wanted["search"], autoescape=True))
        query = query.where(words[0] | words[1])
    return page_of(session, query, ordering(sort, SORTS, "code"), limit, offset)


def get(session: Session, procedure_id: int, user: Person) -> Procedure:
    """A visible procedure; raises NotFound."""
    row = session.get(Procedure, procedure_id)
    if row is None or (row.site_id is not None and row.site_id != user.site_id):
        raise NotFound("procedure", procedure_id)
    return row


def lock(session: Session, procedure_id: int, user: Person) -> Procedure:
    """A procedure of the caller's site to change, locked until commit; one common to all sites is nobody's to change here."""
    need(user, "procedures.write")
    row = get(session, procedure_id, user)
    if row.site_id is None:
        raise Forbidden("common", "a procedure common to all sites is not changed by one of them")
    query = select(Procedure).where(Procedure.id == row.id).with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).one()


def create(session: Session, fields: Mapping[str, Any], user: Person, now: datetime) -> Procedure:
    """A procedure without a version yet; raises Forbidden, Conflict or Invalid."""
    need(user, "procedures.write")
    if session.scalar(select(Procedure.id).where(Procedure.site_id == user.site_id, Procedure.code == fields["code"])) is not None:
        raise Conflict("code_taken", f"there is a procedure {fields['code']} already")
    class_id = _class_id(session, fields.get("class_"))
    row = Procedure(site_id=user.site_id, code=fields["code"], title=fields["title"], class_id=class_id)
    session.add(row)
    session.flush()
    _note(session, "create", row, None, {"code": row.code, "title": row.title}, user, now)
    return row


def change(session: Session, row: Procedure, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change its title or class; the row is locked by the caller."""
    new: dict[str, Any] = {"title": fields["title"]} if "title" in fields else {}
    if "class_" in fields:
        new["class_id"] = _class_id(session, fields["class_"])
    old = {name: getattr(row, name) for name in new}
    for name, value in new.items():
        setattr(row, name, value)
    _note(session, "edit", row, old, new, user, now)


def set_active(session: Session, row: Procedure, active: bool, user: Person, now: datetime) -> None:
    """Retire it (no new order gets it; orders that have it keep it) or bring it back; raises Conflict where it is so already."""
    if row.active == active:
        raise Conflict(
            "wrong_state", "the procedure is active" if active else "the procedure is retired", "active" if active else "retired"
        )
    row.active = active
    _note(session, "restore" if active else "retire", row, {"active": not active}, {"active": active}, user, now)


def faults(session: Session, document: Mapping[str, Any], site_id: int | None) -> list[Fault]:
    """Everything that keeps a document from being published, names of tags and procedures included."""
    found = rules.faults(document)
    return found or _unknown_names(session, document["steps"], site_id)


def _unknown_names(session: Session, steps: Sequence[Mapping[str, Any]], site_id: int | None) -> list[Fault]:
    tags = {(step["id"], "live", name) for step in steps for name in step.get("live") or []}
    tags |= {(step["id"], "in.tag", step["in"]["tag"]) for step in steps if (step.get("in") or {}).get("tag")}
    tags = {found for found in tags if "{" not in found[2]}  # {asset} and {tag} are known only with an order
    orders = {(step["id"], "on_fail", step["on_fail"]["follow_up"].get("procedure")) for step in steps if step.get("on_fail")}
    live = select(Tag.name).join(Asset, Asset.id == Tag.asset_id).where(Tag.deleted_at.is_(None), Asset.site_id == site_id)
    known = set(session.scalars(live.where(Tag.name.in_([name for *_, name in tags])))) if tags else set()
    own = (Procedure.site_id == site_id) | Procedure.site_id.is_(None)
    codes = {code for *_, code in orders if code}
    procedures_known = set(session.scalars(select(Procedure.code).where(Procedure.code.in_(codes), own))) if codes else set()
    wrong = [Fault(step, field, "unknown_tag", f"there is no tag {name}") for step, field, name in sorted(tags) if name not in known]
    missing = [(step, field, code) for step, field, code in orders if code and code not in procedures_known]
    return wrong + [Fault(step, field, "unknown_procedure", f"there is no procedure {code}") for step, field, code in sorted(missing)]


def save_draft(session: Session, row: Procedure, document: Mapping[str, Any], user: Person, now: datetime) -> list[Fault]:
    """Keep what an editor has so far, sound or not; the faults it still has. The row is locked by the caller."""
    row.draft, row.drafted_by, row.drafted_at = dict(document), user.name, now
    _note(session, "draft", row, None, {"steps": len(document.get("steps") or [])}, user, now)
    return faults(session, document, row.site_id)


def reorder(session: Session, row: Procedure, ids: Sequence[str], user: Person, now: datetime) -> list[Fault]:
    """Put the draft's steps in another order; raises Conflict without a draft, Invalid where the ids are not just its own."""
    draft = row.draft
    if draft is None:
        raise Conflict("no_draft", "there is no draft to reorder", "published")
    steps = {step.get("id"): step for step in draft.get("steps") or [] if isinstance(step, dict)}
    if sorted(ids) != sorted(map(str, steps)) or len(steps) != len(draft["steps"]):
        raise Invalid("order", "not_the_steps", "name every step of the draft once")
    return save_draft(session, row, {**draft, "steps": [steps[id_] for id_ in ids]}, user, now)


def publish(session: Session, row: Procedure, document: Mapping[str, Any] | None, user: Person, now: datetime) -> ProcedureVersion:
    """A new version of a document, or of the draft (None), which then is gone; raises Unsound or Conflict. The caller locks the row."""
    content = row.draft if document is None else document
    if content is None:
        raise Conflict("no_draft", "there is no draft to publish", "published")
    wrong = faults(session, content, row.site_id)
    if wrong:
        raise Unsound(wrong)
    newest = procedures.newest(session, row.id)
    numbered = rules.numbered(content)
    version = ProcedureVersion(
        procedure_id=row.id,
        version=(newest.version if newest else 0) + 1,
        published_at=now,
        published_by=user.name,
        note=str(content.get("note") or ""),
        **numbered,
    )
    session.add(version)
    if document is None:
        row.draft = row.drafted_by = row.drafted_at = None
    session.flush()
    _note(session, "publish", row, {"version": newest.version if newest else None}, {"version": version.version}, user, now)
    return version


def version(session: Session, row: Procedure, number: int) -> ProcedureVersion:
    """A version by its number; raises NotFound."""
    query = select(ProcedureVersion).where(ProcedureVersion.procedure_id == row.id, ProcedureVersion.version == number)
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("version", number)
    return found


def versions(session: Session, row: Procedure) -> list[ProcedureVersion]:
    """All versions, newest first."""
    query = select(ProcedureVersion).where(ProcedureVersion.procedure_id == row.id)
    return list(session.scalars(query.order_by(ProcedureVersion.version.desc())))


def document_of(version: ProcedureVersion) -> dict[str, Any]:
    """A version's content, in a draft's shape."""
    return {name: getattr(version, name) for name in rules.PARTS}


def _class_id(session: Session, name: str | None) -> int | None:
    if name is None:
        return None
    found = session.scalar(select(AssetClass.id).where(AssetClass.name == name))
    if found is None:
        raise Invalid("class", "unknown", f"there is no asset class {name}")
    return found


def _note(session: Session, action: str, row: Procedure, old: Any, new: Any, user: Person, now: datetime) -> None:
    if action != "create":
        row.rev += 1
    audit.record(session, audit.Change(action, "procedure", row.id, row.site_id, old, new), user, now)
