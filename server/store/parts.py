"""Stores, parts and parts lists: finding, entering, changing, taking out. Stock moves in server/store/ledger.py. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.parts import BomLine, Part, Reservation, StockLevel, Store
from server.models.plant import Asset, AssetClass
from server.store import assets
from server.store.actor import Person
from server.store.numbers import next_number
from server.store.page import Page, ordering, page_of

LIST_MAX = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a list, in which order."""

    search: str = ""
    sort: str = ""
    limit: int = 50
    offset: int = 0


def matching(search: str, *columns: Any) -> ColumnElement[bool]:
    """Case-insensitive contains on any of the columns; % and _ are letters."""
    return or_(*(column.icontains(search, autoescape=True) for column in columns))


def list_stores(session: Session, user: Person, wanted: Wanted) -> Page[Store]:
    """Stores of the caller's site."""
    query = select(Store).where(Store.site_id == user.site_id, Store.deleted_at.is_(None))
    if wanted.search:
        query = query.where(matching(wanted.search, Store.code, Store.name, Store.location))
    columns = {"code": Store.code, "name": Store.name, "id": Store.id}
    return page_of(session, query, ordering(wanted.sort, columns, "code"), wanted.limit, wanted.offset)


def get_store(session: Session, store_id: int, user: Person) -> Store:
    """A live store of the caller's site; raises NotFound."""
    store = session.get(Store, store_id)
    if store is None or store.deleted_at is not None or store.site_id != user.site_id:
        raise NotFound("store", store_id)
    return store


def create_store(session: Session, values: Mapping[str, Any], user: Person, now: datetime) -> Store:
    """Open a store; raises Conflict when its code is taken."""
    store = Store(site_id=user.site_id, **values)
    with _no_twin(session, "store", values["code"]):
        session.add(store)
        session.flush()
    audit.record(session, audit.Change("create", "store", store.id, store.site_id, None, values), user, now)
    return store


def create_part(session: Session, values: Mapping[str, Any], user: Person, now: datetime) -> Part:
    """Enter a part; its number is the next P-0042 unless given. Raises Conflict when the number was ever used in the site."""
    given = dict(values)
    given["number"] = given.get("number") or _free_number(session, user)
    _check_levels(given.get("minimum", 0), given.get("maximum", 0))
    part = Part(site_id=user.site_id, created_at=now, **given)
    with _no_twin(session, "part", given["number"]):
        session.add(part)
        session.flush()
    audit.record(session, audit.Change("create", "part", part.id, part.site_id, None, given), user, now)
    return part


def _free_number(session: Session, user: Person) -> str:
    while True:
        number = f"P-{next_number(session, 'part'):04d}"
        if not session.scalar(select(Part.id).where(Part.site_id == user.site_id, Part.number == number)):
            return number


class _no_twin:  # noqa: N801 - reads as a sentence where it is used
    """A unique column inside a savepoint: the second of two becomes Conflict, the transaction lives on."""

    def __init__(self, session: Session, what: str, key: str) -> None:
        self.what, self.key, self.nested = what, key, session.begin_nested()

    def __enter__(self) -> None:
        self.nested.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.nested.__exit__(kind, error, trace)
        if isinstance(error, IntegrityError):
            raise Conflict("exists", f"there is a {self.what} {self.key} already") from error


def _check_levels(minimum: Any, maximum: Any) -> None:
    if maximum and maximum < minimum:
        raise Invalid("maximum", "below_minimum", "0 (none) or at least the minimum")


def parts_query(user: Person, wanted: Wanted, *, store_id: int | None, below_minimum: bool, critical: bool | None) -> Select[Any]:
    """Live parts of the caller's site."""
    query = select(Part).where(Part.site_id == user.site_id, Part.deleted_at.is_(None))
    if wanted.search:
        query = query.where(matching(wanted.search, Part.number, Part.name, Part.supplier, Part.supplier_part_no, Part.external_ref))
    if store_id is not None:
        query = query.where(Part.id.in_(select(StockLevel.part_id).where(StockLevel.store_id == store_id)))
    if critical is not None:
        query = query.where(Part.critical == critical)
    return query.where(available() < Part.minimum) if below_minimum else query


def available() -> ColumnElement[Any]:
    """Stock - reserved of a part over all stores, as SQL."""
    on_hand = select(func.coalesce(func.sum(StockLevel.on_hand), 0)).where(StockLevel.part_id == Part.id).scalar_subquery()
    open_ = select(func.coalesce(func.sum(Reservation.quantity - Reservation.issued), 0))
    reserved = open_.where(Reservation.part_id == Part.id, Reservation.released_at.is_(None)).scalar_subquery()
    return on_hand - reserved


def list_parts(session: Session, query: Select[Any], wanted: Wanted) -> Page[Part]:
    """A page of them."""
    columns = {
        "number": Part.number,
        "name": Part.name,
        "supplier": Part.supplier,
        "unit_cost": Part.unit_cost,
        "minimum": Part.minimum,
        "lead_days": Part.lead_days,
        "critical": Part.critical,
        "available": available(),
        "id": Part.id,
    }
    return page_of(session, query, ordering(wanted.sort, columns, "number"), wanted.limit, wanted.offset)


def get_part(session: Session, part_id: int, user: Person) -> Part:
    """A live part of the caller's site; raises NotFound."""
    part = session.get(Part, part_id)
    if part is None or part.deleted_at is not None or part.site_id != user.site_id:
        raise NotFound("part", part_id)
    return part


def lock_parts(session: Session, part_ids: set[int], user: Person) -> dict[int, Part]:
    """Live parts of the site, locked in one order until commit: whoever moves or reserves stock holds these. Raises NotFound."""
    query = select(Part).where(Part.id.in_(part_ids), Part.deleted_at.is_(None)).order_by(Part.id)
    rows = session.scalars(query.with_for_update(key_share=True).execution_options(populate_existing=True))
    found = {part.id: part for part in rows if user.site_id in {None, part.site_id}}
    for missing in part_ids - found.keys():
        raise NotFound("part", missing)
    return found


Thing = Store | Part | BomLine


def change(session: Session, thing: Thing, values: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Write what differs, with its audit row; raises Conflict when a code is taken, Invalid where levels contradict."""
    old = {name: getattr(thing, name) for name in values if getattr(thing, name) != values[name]}
    if not old:
        return
    new = {name: values[name] for name in old}
    if isinstance(thing, Part):
        _check_levels(new.get("minimum", thing.minimum), new.get("maximum", thing.maximum))
    with _no_twin(session, kind_of(thing), str(new.get("code") or new.get("number") or "")):
        for name, value in new.items():
            setattr(thing, name, value)
        thing.rev += 1
        session.flush()
    audit.record(session, audit.Change("change", kind_of(thing), thing.id, thing.site_id, old, new), user, now)


def kind_of(thing: Thing) -> str:
    """Its word in the audit."""
    return {"stores": "store", "parts": "part", "bom_lines": "bom_line"}[thing.__tablename__]


def delete(session: Session, thing: Thing, user: Person, now: datetime) -> None:
    """Take it out of the lists; its ledger stays. Raises Conflict while something of it lies in a store."""
    if not isinstance(thing, BomLine):
        owner = StockLevel.store_id == thing.id if isinstance(thing, Store) else StockLevel.part_id == thing.id
        if isinstance(thing, Part):
            lock_parts(session, {thing.id}, user)
        if session.scalar(select(StockLevel.part_id).where(owner, StockLevel.on_hand > 0).limit(1)):
            raise Conflict("in_stock", "there is stock left; move or write it off first")
    thing.deleted_at = now
    thing.rev += 1
    audit.record(session, audit.Change("delete", kind_of(thing), thing.id, thing.site_id, None, {"deleted": True}), user, now)


def bom_of_asset(session: Session, asset: Asset) -> list[BomLine]:
    """Parts of an asset: its own lines and its class's, by position."""
    own = BomLine.asset_id == asset.id
    mine = own | (BomLine.class_id == asset.class_id) if asset.class_id is not None else own
    query = select(BomLine).join(Part, Part.id == BomLine.part_id).where(mine, BomLine.site_id == asset.site_id)
    live = query.where(BomLine.deleted_at.is_(None), Part.deleted_at.is_(None))
    return list(session.scalars(live.order_by(BomLine.position, BomLine.id).limit(LIST_MAX)))


def list_bom(session: Session, user: Person, wanted: Wanted, **owner: int | None) -> Page[BomLine]:
    """Parts lists of the site; owner: asset_id, class_id or part_id."""
    query = select(BomLine).where(BomLine.site_id == user.site_id, BomLine.deleted_at.is_(None))
    for name, value in owner.items():
        if value is not None:
            query = query.where(getattr(BomLine, name) == value)
    columns = {"position": BomLine.position, "quantity": BomLine.quantity, "id": BomLine.id}
    return page_of(session, query, ordering(wanted.sort, columns, "id"), wanted.limit, wanted.offset)


def get_bom_line(session: Session, line_id: int, user: Person) -> BomLine:
    """A live line of the caller's site; raises NotFound."""
    line = session.get(BomLine, line_id)
    if line is None or line.deleted_at is not None or line.site_id != user.site_id:
        raise NotFound("parts list line", line_id)
    return line


def create_bom_line(session: Session, values: Mapping[str, Any], user: Person, now: datetime) -> BomLine:
    """Put a part on the list of an asset (`asset`, its code) or a class (`asset_class`, its name); raises Invalid or NotFound."""
    given = dict(values)
    asset, class_name = given.pop("asset", None), given.pop("asset_class", None)
    if (asset is None) == (class_name is None):
        raise Invalid("asset", "one_owner", "name the asset or the class, one of them")
    get_part(session, given["part_id"], user)
    if asset is not None:
        given["asset_id"] = assets.get_asset(session, asset, user).id
    else:
        given["class_id"] = _class_named(session, class_name)
    line = BomLine(site_id=user.site_id, **given)
    session.add(line)
    session.flush()
    audit.record(session, audit.Change("create", "bom_line", line.id, line.site_id, None, given), user, now)
    return line


def _class_named(session: Session, name: str) -> int:
    found = session.scalar(select(AssetClass.id).where(AssetClass.name == name).limit(1))
    if found is None:
        raise Invalid("asset_class", "unknown", f"there is no class {name}")
    return found
