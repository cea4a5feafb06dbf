"""Finding a work order: by id or readable number, visible to whoever asks, locked for those who change it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import NotFound
from server.models.work import WorkOrder
from server.store.actor import Person, sees_site


def get_order(session: Session, id_or_number: int | str, user: Person) -> WorkOrder:
    """A visible order; raises NotFound."""
    by_number = isinstance(id_or_number, str) and not id_or_number.isdecimal()
    found = WorkOrder.number == id_or_number if by_number else WorkOrder.id == int(id_or_number)
    return _visible(session.scalars(select(WorkOrder).where(found)).one_or_none(), id_or_number, user)


def lock(session: Session, order_id: int, user: Person) -> WorkOrder:
    """The order as it is now, locked until commit; raises NotFound."""
    query = select(WorkOrder).where(WorkOrder.id == order_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    return _visible(session.scalars(query).one_or_none(), order_id, user)


def _visible(order: WorkOrder | None, key: object, user: Person) -> WorkOrder:
    if order is None or not sees_site(user, order.site_id):
        raise NotFound("work order", key)
    return order
