"""What files may hang on: of each kind of thing, whose site it is and which rights read it and add to it.

Who owns another kind of thing adds a line to THINGS; the files themselves are in server/store/attachments.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import BigInteger, Select, literal, select
from sqlalchemy.orm import Session

from server.errors import Forbidden, NotFound
from server.models.calibration import CalibrationRecord
from server.models.interventions import Intervention
from server.models.parts import Part
from server.models.plant import Asset, AssetClass, Instrument
from server.models.requests import FaultRequest
from server.models.work import Procedure, WorkOrder
from server.store.actor import Person, has


@dataclass(frozen=True, slots=True)
class Thing:
    """`site`: query of the thing's site by its id, one row (None = every site's) or no row; `write`: any of these rights adds files."""

    site: Callable[[int], Select[int | None]]
    read: str
    write: tuple[str, ...]

    def need_write(self, person: Person) -> None:
        """Raise Forbidden where the person has none of the rights."""
        if not any(has(person, right) for right in self.write):
            raise Forbidden("no_right", f"{person.name} may not do this ({' or '.join(self.write)})")


def _asset(id_: int) -> Select[int | None]:
    return select(Asset.site_id).where(Asset.id == id_, Asset.deleted_at.is_(None))


def _instrument(id_: int) -> Select[int | None]:
    owner = select(Asset.site_id).join(Instrument, Instrument.asset_id == Asset.id)
    return owner.where(Instrument.id == id_, Instrument.deleted_at.is_(None))


def _calibration(id_: int) -> Select[int | None]:
    owner = select(Asset.site_id).join(Instrument, Instrument.asset_id == Asset.id)
    return owner.join(CalibrationRecord, CalibrationRecord.instrument_id == Instrument.id).where(CalibrationRecord.id == id_)


def _class(id_: int) -> Select[int | None]:
    return select(literal(None, BigInteger)).select_from(AssetClass).where(AssetClass.id == id_, AssetClass.deleted_at.is_(None))


def _intervention(id_: int) -> Select[int | None]:
    return select(Intervention.site_id).where(Intervention.id == id_, Intervention.deleted_at.is_(None))


THINGS: dict[str, Thing] = {
    "asset": Thing(_asset, "assets.read", ("assets.write", "orders.work")),
    "instrument": Thing(_instrument, "assets.read", ("assets.write", "calibrations.write")),
    "class": Thing(_class, "assets.read", ("classes.write",)),
    "work_order": Thing(lambda id_: select(WorkOrder.site_id).where(WorkOrder.id == id_), "orders.read", ("orders.work", "orders.create")),
    "intervention": Thing(_intervention, "orders.read", ("orders.work",)),
    "calibration": Thing(_calibration, "calibrations.read", ("calibrations.write",)),
    "part": Thing(lambda id_: select(Part.site_id).where(Part.id == id_, Part.deleted_at.is_(None)), "parts.read", ("parts.write",)),
    "request": Thing(lambda id_: select(FaultRequest.site_id).where(FaultRequest.id == id_), "requests.read", ("requests.triage",)),
    "procedure": Thing(lambda id_: select(Procedure.site_id).where(Procedure.id == id_), "procedures.read", ("procedures.write",)),
}


def site_of(session: Session, thing: str, thing_id: int, user: Person) -> int | None:
    """The thing's site, None for one that all share; raises NotFound where it is not there for this person."""
    row = session.execute(THINGS[thing].site(thing_id)).one_or_none()
    if row is None or row[0] not in {None, user.site_id}:
        raise NotFound(thing.replace("_", " "), thing_id)
    site: int | None = row[0]
    return site
