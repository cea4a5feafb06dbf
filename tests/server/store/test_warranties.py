"""Who is told of a warranty that ends soon, and that nobody is told twice (S1-27)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from server.database import Database
from server.models.notifications import Notification
from server.models.plant import Asset
from server.store import warranties
from tests.server.small_plant import NOW, SmallPlant


@pytest.mark.parametrize(("days", "told"), [(0, 1), (30, 1), (31, 0), (-1, 0)])
def test_a_warranty_that_ends_within_thirty_days_is_told_once(database: Database, plant: SmallPlant, days: int, told: int) -> None:
    with database.transaction() as session:
        pump = session.get_one(Asset, plant.pump)
        pump.warranty_until = (NOW + timedelta(days=days)).date()
        session.flush()

        warranties.tell_ending(session, NOW)
        warranties.tell_ending(session, NOW + timedelta(hours=6))

        rows = session.scalars(select(Notification).where(Notification.kind == "warranty_ends")).all()
        assert [(row.user_id, row.title[:3]) for row in rows] == [(plant["manager"].id, "M2:")] * told
