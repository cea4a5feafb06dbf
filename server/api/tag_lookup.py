"""The tag a query names, if the caller may see it."""

from __future__ import annotations

from sqlalchemy import select

from server.auth.guard import current_user
from server.errors import NotFound
from server.models.plant import Asset, Tag
from server.services import services


def visible_tag(name: str) -> Tag:
    """The tag of the caller's site with this name; raises NotFound."""
    query = select(Tag).join(Asset, Asset.id == Tag.asset_id).where(Tag.name == name, Asset.site_id == current_user().site_id)
    with services().database.transaction() as session:
        tag = session.scalars(query.where(Tag.deleted_at.is_(None))).one_or_none()
    if tag is None:
        raise NotFound("tag", name)
    return tag
