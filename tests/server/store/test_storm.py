"""A flood of alarms: all are stored, the critical are told at once, the others when it is over."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.events import Severity
from server.database import Database
from server.models.alerts import AlertRecord
from server.models.outbox import Outbox
from server.store import conditions, storm
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding
from tests.server.store.story import fold


def raise_(session: Session, plant: SmallPlant, n: int, severity: Severity = Severity.WARNING) -> AlertRecord:
    fold(session, finding(plant, key=f"limits:1:x{n}:1", code=f"x{n}", severity=severity))
    return session.scalars(select(AlertRecord).order_by(AlertRecord.id.desc()).limit(1)).one()


def told(session: Session) -> int:
    return session.scalar(select(func.count()).where(Outbox.name == "alert.raised")) or 0


def test_after_eleven_in_ten_minutes_only_the_critical_are_told(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        first = [raise_(session, plant, n).suppressed for n in range(11)]
        later = raise_(session, plant, 11)
        critical = raise_(session, plant, 12, Severity.CRITICAL)

        assert (first, later.suppressed, critical.suppressed) == ([None] * 11, "flood", None)
        assert told(session) == 12


def test_what_grows_critical_in_a_flood_is_told(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        late = [raise_(session, plant, n) for n in range(12)][-1]

        fold(session, finding(plant, "update", NOW_MS + 1000, key="limits:1:x11:1", code="x11", severity=Severity.CRITICAL))

        assert (late.suppressed, late.severity, told(session)) == (None, "critical", 12)


def test_when_the_flood_is_over_what_still_stands_is_told_and_what_went_is_closed(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        stands, went = [raise_(session, plant, n) for n in range(13)][-2:]
        fold(session, finding(plant, "close", NOW_MS + 5000, key="limits:1:x12:1", code="x12", severity=Severity.WARNING))

        assert (went.resolved_by, went.notes) == ("system", storm.CAME_AND_WENT["flood"])
        assert conditions.unsuppress(session, NOW + timedelta(minutes=9)) == []
        assert conditions.unsuppress(session, NOW + timedelta(minutes=10)) == [stands]
        assert stands.suppressed is None


def test_a_flood_of_another_site_holds_nothing_back(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        last = [raise_(session, plant, n) for n in range(12)][-1]

        assert storm.is_on(session, last.site_id, NOW)
        assert not storm.is_on(session, None, NOW)
