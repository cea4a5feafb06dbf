"""A flood of alarms: all are stored, what must never wait is told at once, the others when it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.events import AlertType, Edge, Finding, Severity
from server.database import Database
from server.models.alerts import AlertRecord
from server.models.outbox import Outbox
from server.store import conditions, storm
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding
from tests.server.store.story import fold


def noisy(plant: SmallPlant, n: int, edge: Edge = "open", t: int = NOW_MS, severity: Severity = Severity.WARNING, **other: Any) -> Finding:
    fields = {"type": AlertType.INSTRUMENT_FAULT, "detector": "noise", "severity": severity, **other}
    return finding(plant, edge, t, key=f"noise:1:x{n}:1", **{"code": f"x{n}", **fields})


def raise_(session: Session, plant: SmallPlant, n: int, severity: Severity = Severity.WARNING, **other: Any) -> AlertRecord:
    fold(session, noisy(plant, n, severity=severity, **other))
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


@pytest.mark.parametrize(
    ("other", "held"),
    [
        ({"type": AlertType.SOURCE_LOST, "tag": None, "detector": "plc"}, None),
        ({"type": AlertType.MACHINE_FAULT, "tag": None, "detector": "plc"}, None),
        ({"type": AlertType.RULE_VIOLATION, "detector": "limits"}, None),
        ({"type": AlertType.RULE_VIOLATION, "detector": "limits", "tag": "M2.temperature"}, "flood"),
        ({"type": AlertType.DATA_GAP, "detector": "system", "tag": None, "code": "model_damaged"}, None),
        ({"type": AlertType.DRIFT, "detector": "drift"}, "flood"),
        ({"type": AlertType.DATA_GAP, "detector": "gap"}, "flood"),
    ],
    ids=["source lost", "machine fault", "confirmed limit", "limit that nobody confirmed", "damaged model", "drift", "gap"],
)
def test_a_flood_hides_no_lost_source_fault_or_confirmed_limit(
    database: Database, plant: SmallPlant, other: dict[str, Any], held: str | None
) -> None:
    with database.transaction() as session:
        for n in range(12):
            raise_(session, plant, n)

        assert raise_(session, plant, 12, **other).suppressed == held


def test_what_grows_critical_in_a_flood_is_told(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        late = [raise_(session, plant, n) for n in range(12)][-1]

        fold(session, noisy(plant, 11, "update", NOW_MS + 1000, Severity.CRITICAL))

        assert (late.suppressed, late.severity, told(session)) == (None, "critical", 12)


def test_when_the_flood_is_over_what_still_stands_is_told_and_what_went_is_closed(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        stands, went = [raise_(session, plant, n) for n in range(13)][-2:]
        fold(session, noisy(plant, 12, "close", NOW_MS + 5000))

        assert (went.resolved_by, went.notes) == ("system", storm.CAME_AND_WENT["flood"])
        assert conditions.unsuppress(session, NOW + timedelta(minutes=9)) == []
        assert conditions.unsuppress(session, NOW + timedelta(minutes=10)) == [stands]
        assert stands.suppressed is None


def test_a_flood_of_another_site_holds_nothing_back(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        last = [raise_(session, plant, n) for n in range(12)][-1]

        assert storm.is_on(session, last.site_id, NOW)
        assert not storm.is_on(session, None, NOW)
        assert storm.is_on_for(session, None, NOW)
        assert not storm.is_on_for(session, last.site_id, NOW + timedelta(minutes=11))
