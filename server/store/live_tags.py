"""Tags of a site with the code of their asset, for lists of what they say now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.plant import Asset, Tag
from server.store.page import Page, ordering

SORTS = {"tag": Tag.name, "asset": Asset.code, "unit": Tag.unit, "label": Tag.label, "id": Tag.id}


def list_tags(session: Session, site: int | None, query: Mapping[str, Any]) -> Page[tuple[Tag, str]]:
    """Numbers only: texts and pictures have their own doors."""
    wanted = select(Tag, Asset.code).join(Asset, Asset.id == Tag.asset_id)
    wanted = wanted.where(Asset.site_id == site, Asset.deleted_at.is_(None), Tag.deleted_at.is_(None), Tag.kind == "f64")
    if query["asset"] is not None:
        wanted = wanted.where(Asset.code == query["asset"])
    if query["search"]:
        wanted = wanted.where(Tag.name.icontains(query["search"], autoescape=True) | Tag.label.icontains(query["search"], autoescape=True))
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    ordered = wanted.order_by(*ordering(query["sort"] or "tag", SORTS, "id")).limit(query["limit"]).offset(query["offset"])
    return Page([(tag, code) for tag, code in session.execute(ordered)], total)
