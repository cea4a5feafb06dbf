"""Tags and sources as people write them: upserts by name, assets made where they are new. Nothing here commits.

Every change is audited; the caller's one `bump` at the end makes it a new version of the plant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid
from server.models.plant import Area, Asset, Source, Tag, TagLimit
from server.store import snapshot_version
from server.store.actor import Person, need

UNASSIGNED = "Unassigned"


@dataclass(frozen=True, slots=True)
class TagWrite:
    """One tag to make or change: column values as given, its asset's code, its source's name, all its limits or None = as they are."""

    name: str
    columns: Mapping[str, Any]
    asset: str | None = None
    source: str | None = None
    limits: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class SourceWrite:
    """One source to make or change."""

    name: str
    kind: str
    config: Mapping[str, Any]
    groups: Mapping[str, float]
    enabled: bool = True


@dataclass(slots=True)
class Written:
    """What a write did, and the version of the plant that has it."""

    config_version: int = 0
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def put_tags(session: Session, writes: Sequence[TagWrite], user: Person, now: datetime) -> Written:
    """Make or change tags by name; raises Invalid, Conflict or Forbidden and then nothing may be committed."""
    need(user, "tags.write")
    writer = _Writer(session, user, now)
    for write in writes:
        writer.put(write)
    return writer.finish()


def put_source(session: Session, source: SourceWrite, writes: Sequence[TagWrite], user: Person, now: datetime) -> Written:
    """Make or change a source and its tags; tags of it that are not named stay as they are."""
    need(user, "sources.write")
    writer = _Writer(session, user, now)
    writer.put_source(source)
    for write in writes:
        writer.put(write)
    return writer.finish()


class _Writer:
    """One request's writes; looks assets and sources up once."""

    def __init__(self, session: Session, user: Person, now: datetime) -> None:
        assert user.site_id is not None
        self.session, self.user, self.now, self.site_id = session, user, now, user.site_id
        self.written = Written()
        self.source_changed = False
        self._assets: dict[str, Asset] = {}
        self._sources: dict[str, Source] = {}

    def finish(self) -> Written:
        """A new version where anything changed."""
        self.session.flush()
        if self.written.created or self.written.updated or self.source_changed:
            self.written.config_version = snapshot_version.bump(self.session, self.now, self.user.name)
        else:
            self.written.config_version = snapshot_version.current(self.session)
        return self.written

    def put_source(self, write: SourceWrite) -> None:
        """Make or change the source."""
        row = self.session.scalars(select(Source).where(Source.name == write.name).with_for_update()).one_or_none()
        if row is not None and row.site_id != self.site_id:
            raise Conflict("name_taken", f"another site has a source {write.name}")
        new = {"kind": write.kind, "config": dict(write.config), "groups": dict(write.groups), "enabled": write.enabled}
        if row is None:
            row = Source(name=write.name, site_id=self.site_id, **new)
            self.session.add(row)
            self.session.flush()
            self.source_changed = True
            self._note("create", "source", row.id, None, {"name": write.name, **new})
        else:
            self.source_changed = self._change("source", row, new)
        self._sources[write.name] = row

    def put(self, write: TagWrite) -> None:
        """Make or change one tag."""
        tag = self.session.scalars(select(Tag).where(Tag.name == write.name).with_for_update()).one_or_none()
        if tag is None:
            self._create(write)
            return
        if self.session.get_one(Asset, tag.asset_id).site_id != self.site_id:
            raise Conflict("name_taken", f"another site has a tag {write.name}")
        changed = self._change("tag", tag, {**write.columns, **self._links(write), "deleted_at": None})
        changed = self._put_limits(tag, write.limits) or changed
        (self.written.updated if changed else self.written.unchanged).append(write.name)

    def _create(self, write: TagWrite) -> None:
        links = self._links(write)
        links.setdefault("asset_id", self._asset(write.name.split(".", 1)[0]).id)
        tag = Tag(name=write.name, **write.columns, **links)
        self.session.add(tag)
        self.session.flush()
        self._put_limits(tag, write.limits)
        self._note("create", "tag", tag.id, None, {"name": write.name, **write.columns, **links})
        self.written.created.append(write.name)

    def _links(self, write: TagWrite) -> dict[str, int]:
        links: dict[str, int] = {}
        if write.asset is not None:
            links["asset_id"] = self._asset(write.asset).id
        if write.source is not None:
            links["source_id"] = self._source(write.source).id
        return links

    def _asset(self, code: str) -> Asset:
        if code not in self._assets:
            query = select(Asset).where(Asset.site_id == self.site_id, Asset.code == code, Asset.deleted_at.is_(None))
            self._assets[code] = self.session.scalars(query).one_or_none() or self._new_asset(code)
        return self._assets[code]

    def _new_asset(self, code: str) -> Asset:
        area = self.session.scalars(select(Area).where(Area.site_id == self.site_id, Area.name == UNASSIGNED)).one_or_none()
        if area is None:
            area = Area(site_id=self.site_id, name=UNASSIGNED)
            self.session.add(area)
            self.session.flush()
        area.deleted_at = None
        asset = Asset(site_id=self.site_id, area_id=area.id, code=code, name=code)
        self.session.add(asset)
        self.session.flush()
        self._note("create", "asset", asset.id, None, {"code": code, "area": UNASSIGNED})
        return asset

    def _source(self, name: str) -> Source:
        if name not in self._sources:
            found = self.session.scalars(select(Source).where(Source.name == name, Source.site_id == self.site_id)).one_or_none()
            if found is None:
                raise Invalid("source", "unknown", f"there is no source {name}")
            self._sources[name] = found
        return self._sources[name]

    def _put_limits(self, tag: Tag, limits: Sequence[Mapping[str, Any]] | None) -> bool:
        if limits is None:
            return False
        rows = self.session.scalars(select(TagLimit).where(TagLimit.tag_id == tag.id).order_by(TagLimit.id)).all()
        old = [{name: getattr(row, name) for name in limit} for row, limit in zip(rows, limits, strict=False)]
        if len(rows) == len(limits) and old == [dict(limit) for limit in limits]:
            return False
        self.session.execute(delete(TagLimit).where(TagLimit.tag_id == tag.id))
        self.session.add_all(TagLimit(tag_id=tag.id, **limit) for limit in limits)
        before = [{"side": row.side, "value": row.value, "severity": row.severity} for row in rows]
        self._note("set_limits", "tag", tag.id, {"limits": before}, {"limits": [dict(limit) for limit in limits]})
        return True

    def _change(self, thing: str, row: Tag | Source, new: Mapping[str, Any]) -> bool:
        changed = {name: value for name, value in new.items() if getattr(row, name) != value}
        if not changed:
            return False
        self._note("change", thing, row.id, {name: getattr(row, name) for name in changed}, changed)
        for name, value in changed.items():
            setattr(row, name, value)
        return True

    def _note(self, action: str, thing: str, id_: int, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> None:
        audit.record(self.session, audit.Change(action, thing, id_, self.site_id, old, new), self.user, self.now)
