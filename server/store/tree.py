"""The tree of the register: site > area > assets > their parts. Two or three queries whatever its size; reads only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session, aliased

from server.models.plant import Area, Asset, Site

MOST = 2000  # assets in one answer
DEEPEST = 20


def _node(asset: Asset) -> dict[str, Any]:
    names = ("id", "code", "name", "criticality", "operating", "maintenance")
    return {**{name: getattr(asset, name) for name in names}, "health": asset.health}


def tree_below(session: Session, asset: Asset) -> dict[str, Any]:
    """The asset with everything below it as nested `children`, and what it is part of, from the top; `whole` False = cut at MOST."""
    above = select(Asset.id, Asset.parent_id, literal(0).label("level")).where(Asset.id == asset.id).cte(recursive=True)
    parent = aliased(Asset)
    up = select(parent.id, parent.parent_id, above.c.level + 1).where(parent.id == above.c.parent_id, above.c.level < DEEPEST)
    above = above.union_all(up)
    chain = select(Asset).join(above, above.c.id == Asset.id).where(Asset.id != asset.id).order_by(above.c.level.desc())
    below = select(Asset.id, literal(0).label("level")).where(Asset.id == asset.id).cte(recursive=True)
    child = aliased(Asset)
    down = select(child.id, below.c.level + 1).where(child.parent_id == below.c.id, child.deleted_at.is_(None), below.c.level < DEEPEST)
    below = below.union_all(down)
    rows = session.scalars(select(Asset).join(below, below.c.id == Asset.id).order_by(below.c.level, Asset.code).limit(MOST + 1)).all()
    return {
        "above": [_node(row) for row in session.scalars(chain)],
        "asset": _nested(list(rows[:MOST]), asset.id),
        "total": min(len(rows), MOST),
        "whole": len(rows) <= MOST,
    }


def _nested(rows: list[Asset], root: int) -> dict[str, Any]:
    nodes: dict[int, dict[str, Any]] = {row.id: {**_node(row), "children": []} for row in rows}
    for row in rows:
        if row.id != root and row.parent_id in nodes:
            nodes[row.parent_id]["children"].append(nodes[row.id])
    return nodes[root]


def site_tree(session: Session, site: Site) -> dict[str, Any]:
    """The site with its areas and their top assets, each with the number of assets right below it."""
    areas = session.scalars(select(Area).where(Area.site_id == site.id, Area.deleted_at.is_(None)).order_by(Area.name)).all()
    part = aliased(Asset)
    parts = select(func.count()).where(part.parent_id == Asset.id, part.deleted_at.is_(None)).scalar_subquery()
    query = select(Asset, parts).where(Asset.site_id == site.id, Asset.parent_id.is_(None), Asset.deleted_at.is_(None))
    rows = session.execute(query.order_by(Asset.code).limit(MOST + 1)).all()
    tops: dict[int, list[dict[str, Any]]] = {}
    for asset, count in rows[:MOST]:
        tops.setdefault(asset.area_id, []).append({**_node(asset), "parts": count})
    shown = [{"id": area.id, "name": area.name, "assets": tops.get(area.id, [])} for area in areas]
    return {"site": {"id": site.id, "code": site.code, "name": site.name}, "areas": shown, "whole": len(rows) <= MOST}
