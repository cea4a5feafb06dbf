"""The fault taxonomy of a site: read by everybody, edited by an admin. Deleting marks: interventions keep their words.

A site starts with the defaults of server/rules/taxonomy.py: they are written when its taxonomy is first asked for. Nothing here commits.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.interventions import FaultTerm
from server.models.plant import Site
from server.rules.taxonomy import DEFAULTS, LEVELS, Term, wrong_level
from server.store.actor import Person, need
from server.store.page import Page, ordering, page_of

_RANK = case({level: rank for rank, level in enumerate(LEVELS)}, value=FaultTerm.level)
SORTS = {"place": _RANK, "position": FaultTerm.position, "code": FaultTerm.code, "label": FaultTerm.label, "id": FaultTerm.id}
USUAL = "place,position"


def ensure(session: Session, site_id: int) -> None:
    """Write the defaults where the site has never had a term; the site's row lock makes it happen once."""
    if session.scalar(select(FaultTerm.id).where(FaultTerm.site_id == site_id).limit(1)) is not None:
        return
    session.execute(select(Site.id).where(Site.id == site_id).with_for_update(key_share=True))
    if session.scalar(select(FaultTerm.id).where(FaultTerm.site_id == site_id).limit(1)) is not None:
        return
    made: dict[str, FaultTerm] = {}
    for position, default in enumerate(DEFAULTS):
        parent = made[default.of].id if default.of else None
        labels = {"en": default.en, "fr": default.fr}
        row = FaultTerm(site_id=site_id, level=default.level, parent_id=parent, code=default.code, label=default.en, labels=labels)
        row.position = position
        session.add(row)
        if default.level in {"category", "what"}:
            session.flush()
            made[default.code] = row
    session.flush()


def list_terms(session: Session, site_id: int, wanted: Mapping[str, Any], *, limit: int, offset: int, sort: str = "") -> Page[FaultTerm]:
    """Terms of a site by level and place. wanted: `level`; `under`: those that fit below this term; `search`."""
    ensure(session, site_id)
    query = select(FaultTerm).where(FaultTerm.site_id == site_id, FaultTerm.deleted_at.is_(None))
    if wanted.get("level") is not None:
        query = query.where(FaultTerm.level == wanted["level"])
    if wanted.get("under") is not None:
        query = query.where(FaultTerm.parent_id.is_(None) | (FaultTerm.parent_id == wanted["under"]))
    if wanted.get("search"):
        query = query.where(FaultTerm.label.icontains(wanted["search"], autoescape=True))
    return page_of(session, query, ordering(sort or USUAL, SORTS, "id"), limit, offset)


def get(session: Session, term_id: int, user: Person) -> FaultTerm:
    """A visible term; raises NotFound."""
    row = session.get(FaultTerm, term_id)
    if row is None or row.deleted_at is not None or row.site_id != user.site_id:
        raise NotFound("fault term", term_id)
    return row


def create(session: Session, fields: Mapping[str, Any], user: Person, now: datetime) -> FaultTerm:
    """A new term; its parent, if any, is of the level above. Raises Forbidden, NotFound, Conflict or Invalid."""
    need(user, "taxonomy.write")
    assert user.site_id is not None
    ensure(session, user.site_id)
    parent = get(session, fields["parent"], user) if fields.get("parent") is not None else None
    above = {level: upper for upper, level in itertools.pairwise(LEVELS)}.get(fields["level"])
    if parent is not None and parent.level != above:
        raise Invalid(
            "parent", "wrong_level", f"a {fields['level']} stands under a {above}" if above else "a category stands under nothing"
        )
    row = FaultTerm(site_id=user.site_id, parent_id=parent.id if parent else None, **_columns(fields))
    row.level, row.labels = fields["level"], dict(fields.get("labels") or {})
    _need_free(session, row)
    session.add(row)
    session.flush()
    new = {"level": row.level, "code": row.code, "label": row.label, "parent": row.parent_id}
    audit.record(session, audit.Change("create", "fault_term", row.id, row.site_id, None, new), user, now)
    return row


def change(session: Session, row: FaultTerm, fields: Mapping[str, Any], user: Person, now: datetime) -> FaultTerm:
    """Change its words or its place; raises Forbidden or Conflict."""
    need(user, "taxonomy.write")
    new = {**_columns(fields), **({"labels": dict(fields["labels"])} if "labels" in fields else {})}
    old = {name: getattr(row, name) for name in new}
    with session.no_autoflush:
        for name, value in new.items():
            setattr(row, name, value)
        _need_free(session, row)
    row.rev += 1
    audit.record(session, audit.Change("edit", "fault_term", row.id, row.site_id, old, new), user, now)
    return row


def delete(session: Session, row: FaultTerm, user: Person, now: datetime) -> None:
    """Nobody chooses it any more; raises Conflict while terms stand under it."""
    need(user, "taxonomy.write")
    if session.scalar(select(FaultTerm.id).where(FaultTerm.parent_id == row.id, FaultTerm.deleted_at.is_(None)).limit(1)) is not None:
        raise Conflict("has_children", "delete what stands under it first")
    row.deleted_at = now
    row.rev += 1
    audit.record(
        session, audit.Change("delete", "fault_term", row.id, row.site_id, {"code": row.code, "label": row.label}, None), user, now
    )


def checked(session: Session, chosen: Mapping[str, int | None], site_id: int) -> None:
    """Raise Invalid at the first level whose term is not one of the site's or does not belong to the one above."""
    ensure(session, site_id)
    ids = [id_ for id_ in chosen.values() if id_ is not None]
    query = select(FaultTerm).where(FaultTerm.id.in_(ids), FaultTerm.site_id == site_id, FaultTerm.deleted_at.is_(None))
    known = {row.id: Term(row.id, row.level, row.parent_id) for row in session.scalars(query)}
    for level, id_ in chosen.items():
        if id_ is not None and id_ not in known:
            raise Invalid(level, "unknown", "not a term of this site's taxonomy")
    wrong = wrong_level({level: known.get(id_ or 0) for level, id_ in chosen.items()})
    if wrong is not None:
        missing = chosen.get(wrong) is None
        raise Invalid(
            wrong, "required" if missing else "inconsistent", "choose one" if missing else "does not belong to what stands above it"
        )


def body(row: FaultTerm, language: str = "en") -> dict[str, Any]:
    """The REST body; `label` in the language where there is one."""
    return {
        "id": row.id,
        "level": row.level,
        "parent": row.parent_id,
        "code": row.code,
        "name": label(row, language),
        "label": row.label,
        "labels": row.labels,
        "position": row.position,
        "rev": row.rev,
    }


def label(row: FaultTerm, language: str) -> str:
    """Its words in a language, else as the site wrote them."""
    return str(row.labels.get(language) or row.label)


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("code", "label", "position") if name in fields}


def _need_free(session: Session, row: FaultTerm) -> None:
    query = select(FaultTerm.id).where(FaultTerm.site_id == row.site_id, FaultTerm.level == row.level, FaultTerm.code == row.code)
    query = query.where(FaultTerm.parent_id.is_not_distinct_from(row.parent_id), FaultTerm.deleted_at.is_(None))
    if row.id is not None:
        query = query.where(FaultTerm.id != row.id)
    if session.scalar(query.limit(1)) is not None:
        raise Conflict("code_taken", f"there is a {row.level} {row.code} there already")
