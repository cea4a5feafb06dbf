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
from server.masking import masked, unmasked
from server.models.plant import Area, Asset, Source, Tag, TagLimit
from server.rules.limit_defaults import filled
from server.store import snapshot_version
from server.store.actor import Person, need

UNASSIGNED = "Unassigned"
MOST_TOLD = 1000


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
    enabled: bool | None = None  # None: as it is, a new one is on


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
    writer = Writer(session, user, now)
    writer.put_all(writes)
    return writer.finish()


def put_source(session: Session, source: SourceWrite, writes: Sequence[TagWrite], user: Person, now: datetime) -> Written:
    """Make or change a source and its tags; tags of it that are not named stay as they are."""
    need(user, "sources.write")
    writer = Writer(session, user, now)
    writer.put_source(source)
    writer.put_all(writes)
    return writer.finish()


class Writer:
    """One request's writes; looks assets and sources up once."""

    def __init__(self, session: Session, user: Person, now: datetime) -> None:
        assert user.site_id is not None
        self.session, self.user, self.now, self.site_id = session, user, now, user.site_id
        self.written = Written()
        self.source_changed = False
        self._assets: dict[str, Asset] = {}
        self._sources: dict[str, Source] = {}
        self._tags: dict[str, Tag | None] = {}
        self._sites: dict[int, int] = {}  # of assets
        self._new: list[tuple[Tag, TagWrite, dict[str, int]]] = []  # flushed together: thousands one by one take minutes
        self.changes: list[dict[str, Any]] = []  # what differs from before, for whoever looks first; MOST_TOLD of them

    def finish(self) -> Written:
        """A new version where anything changed."""
        self._flush_new()
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
        new: dict[str, Any] = {
            "kind": write.kind,
            "config": unmasked(write.config, row.config if row else {}),
            "groups": dict(write.groups),
        }
        if write.enabled is not None:
            new["enabled"] = write.enabled
        if row is None:
            row = Source(name=write.name, site_id=self.site_id, **new)
            self.session.add(row)
            self.session.flush()
            self.source_changed = True
            self._tell("source", write.name, {}, {"kind": write.kind, **masked(new)})
            self._note("create", "source", row.id, None, masked({"name": write.name, **new}))
        else:
            self.source_changed = self.change("source", row, {**new, "deleted_at": None}) or self.source_changed
        self._sources[write.name] = row

    def put(self, write: TagWrite) -> None:
        """Make or change one tag."""
        tag = self._find(write.name)
        if tag is None:
            self._create(write)
            return
        if self._site_of(tag.asset_id) != self.site_id:
            raise Conflict("name_taken", f"another site has a tag {write.name}")
        changed = self.change("tag", tag, {**write.columns, **self._links(write), "deleted_at": None})
        _check_order(tag)
        changed = self._put_limits(tag, write.limits) or changed
        (self.written.updated if changed else self.written.unchanged).append(write.name)

    def put_all(self, writes: Sequence[TagWrite]) -> None:
        """Make or change tags, read and locked in one go."""
        self._flush_new()  # a name may stand in two sources of one file: the second is a change
        self._fetch([write.name for write in writes])
        for write in writes:
            self.put(write)

    def _site_of(self, asset_id: int) -> int:
        if asset_id not in self._sites:
            self._sites[asset_id] = self.session.get_one(Asset, asset_id).site_id
        return self._sites[asset_id]

    def _fetch(self, names: Sequence[str]) -> None:
        rows = self.session.scalars(select(Tag).where(Tag.name.in_(list(names))).order_by(Tag.id).with_for_update())
        self._tags |= dict.fromkeys(names)
        self._tags |= {tag.name: tag for tag in rows}

    def _find(self, name: str) -> Tag | None:
        if name in self._tags:
            return self._tags[name]
        return self.session.scalars(select(Tag).where(Tag.name == name).with_for_update()).one_or_none()

    def _create(self, write: TagWrite) -> None:
        links = self._links(write)
        links.setdefault("asset_id", self._asset(write.name.split(".", 1)[0]).id)
        tag = Tag(name=write.name, **write.columns, **links)
        self._tags[write.name] = tag
        self._new.append((tag, write, links))
        self.written.created.append(write.name)

    def _flush_new(self) -> None:
        self.session.add_all(tag for tag, _write, _links in self._new)
        self.session.flush()
        for tag, write, links in self._new:
            self._put_limits(tag, write.limits)
            self._note("create", "tag", tag.id, None, {"name": write.name, **write.columns, **links})
        self._new = []

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
            found = self.session.scalars(
                select(Source).where(Source.name == name, Source.site_id == self.site_id, Source.deleted_at.is_(None))
            ).one_or_none()
            if found is None:
                raise Invalid("source", "unknown", f"there is no source {name}")
            self._sources[name] = found
        return self._sources[name]

    def _put_limits(self, tag: Tag, limits: Sequence[Mapping[str, Any]] | None) -> bool:
        if limits is None:
            return False
        limits = [filled(limit, tag.range_low, tag.range_high) for limit in limits]
        rows = self.session.scalars(select(TagLimit).where(TagLimit.tag_id == tag.id).order_by(TagLimit.id)).all()
        old = [{name: getattr(row, name) for name in limit} for row, limit in zip(rows, limits, strict=False)]
        if len(rows) == len(limits) and old == [dict(limit) for limit in limits]:
            return False
        self.session.execute(delete(TagLimit).where(TagLimit.tag_id == tag.id))
        self.session.add_all(TagLimit(tag_id=tag.id, **limit) for limit in limits)
        before = [{"side": row.side, "value": row.value, "severity": row.severity} for row in rows]
        self._note("set_limits", "tag", tag.id, {"limits": before}, {"limits": [dict(limit) for limit in limits]})
        return True

    def change(self, thing: str, row: Tag | Source, new: Mapping[str, Any]) -> bool:
        """Set what differs, audited, secrets masked; False where nothing does."""
        changed = {name: value for name, value in new.items() if getattr(row, name) != value}
        if not changed:
            return False
        self._tell(thing, row.name, masked({name: getattr(row, name) for name in changed}), masked(changed))
        self._note("change", thing, row.id, masked({name: getattr(row, name) for name in changed}), masked(changed))
        row.rev += 1
        for name, value in changed.items():
            setattr(row, name, value)
        return True

    def _tell(self, thing: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        if len(self.changes) < MOST_TOLD:
            self.changes.append({"thing": thing, "name": name, "old": dict(old), "new": dict(new)})

    def _note(self, action: str, thing: str, id_: int, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> None:
        audit.record(self.session, audit.Change(action, thing, id_, self.site_id, old, new), self.user, self.now)


def _check_order(tag: Tag) -> None:
    for low, high in (("low", "high"), ("range_low", "range_high")):
        below, above = getattr(tag, low), getattr(tag, high)
        if below is not None and above is not None and below >= above:
            raise Invalid(low, "order", f"{tag.name}: {low} {below:g} must be below {high} {above:g}")
