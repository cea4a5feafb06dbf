"""Signals: a lost source is one alert, a machine's state is followed, unknown tags are listed, a bus that lost entries is an alarm."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.errors import DecodeError
from realtime.events import Signal, SignalName
from server import bodies
from server.database import Database
from server.models.alerts import AlertRecord
from server.models.outbox import Outbox
from server.models.plant import Asset, DiscoveredTag, OperatingPeriod, Source, Tag
from server.models.work import Policy, WorkOrder
from server.signals import fold_signal
from server.timestamps import from_ms, rfc3339
from tests.server.small_plant import NOW, NOW_MS, SmallPlant


def send(session: Session, name: SignalName, t: int = NOW_MS, **data: Any) -> None:
    fold_signal(session, Signal(name, t, data), NOW, 60.0)
    session.flush()


def lost(session: Session, t: int = NOW_MS) -> None:
    send(
        session,
        SignalName.SOURCE_LOST,
        t,
        source="press-s7",
        reason="refused",
        detail="10.0.0.7:102: connection refused; check address and port",
        tags=["PL-1.pressure", "PL-1.running"],
    )


def state(session: Session, plant: SmallPlant, operating: str, fault_code: str | None = None, t: int = NOW_MS) -> None:
    send(session, SignalName.STATE_OBSERVED, t, asset=plant.press, operating=operating, fault_code=fault_code)


def facts(session: Session) -> list[str]:
    return list(session.scalars(select(Outbox.name).order_by(Outbox.id)))


def test_a_lost_source_is_exactly_one_alert_with_its_tags(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        state(session, plant, "running", t=NOW_MS - 1000)
        lost(session)
        lost(session)

        alert = session.scalars(select(AlertRecord)).one()
        assert (alert.type, alert.code, alert.data["tags"]) == ("source_lost", "press-s7", ["PL-1.pressure", "PL-1.running"])
        assert alert.data["reason"] == "10.0.0.7:102: connection refused"
        assert facts(session).count("alert.raised") == 1
        assert facts(session).count("source.lost") == 1
        assert session.get_one(Asset, plant.press).operating == "unknown"
        assert session.get_one(Source, plant.source).state == "lost"
        assert session.scalars(select(WorkOrder)).all() == []


def test_a_source_that_comes_back_returns_its_alert_and_a_second_loss_is_the_same_alert(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        lost(session)
        send(session, SignalName.SOURCE_RECOVERED, NOW_MS + 5000, source="press-s7", tags=[])
        assert session.scalars(select(AlertRecord.condition)).all() == ["returned"]

        lost(session, NOW_MS + 9000)

        alert = session.scalars(select(AlertRecord)).one()
        assert (alert.condition, alert.occurrences, alert.raised_at) == ("active", 2, from_ms(NOW_MS + 9000))
        first = {"raised_at": rfc3339(from_ms(NOW_MS)), "returned_at": rfc3339(from_ms(NOW_MS + 5000))}
        assert (alert.data["first_raised"], alert.data["spells"]) == (first["raised_at"], [first])
        assert facts(session).count("alert.raised") == 2


def alerts_in_body(session: Session, asset: int) -> list[str]:
    return [alert["code"] for alert in bodies.asset_body(session, session.get_one(Asset, asset))["alerts"]]


def test_a_lost_source_of_one_machine_is_an_alert_of_that_machine(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        lost(session)

        alert = session.scalars(select(AlertRecord)).one()
        assert (alert.asset_id, alert.data["assets"]) == (plant.press, [plant.press])
        assert alerts_in_body(session, plant.press) == ["press-s7"]
        assert alerts_in_body(session, plant.pump) == []


def test_a_lost_source_of_several_machines_is_one_alert_that_each_of_them_shows(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.get_one(Tag, plant.vibration).source_id = plant.source
        session.flush()
        lost(session)

        assert session.scalars(select(AlertRecord.asset_id)).all() == [None]
        assert alerts_in_body(session, plant.press) == alerts_in_body(session, plant.pump) == ["press-s7"]
        told = session.scalars(select(Outbox.data).where(Outbox.name == "asset.state_changed", Outbox.thing_id == plant.pump)).one()
        assert [alert["code"] for alert in told["alerts"]] == ["press-s7"]


def test_where_the_policy_wants_it_a_lost_source_is_one_order_on_the_asset_with_most_tags(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.add(Policy(site_id=plant.site, alert_type="source_lost"))
        lost(session)

        order = session.scalars(select(WorkOrder)).one()
        assert (order.asset_id, order.title) == (plant.press, "Restore connection to press-s7")


def test_the_machines_state_is_followed_and_its_past_kept(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        state(session, plant, "running")
        state(session, plant, "running", t=NOW_MS + 500)
        state(session, plant, "stopped", t=NOW_MS + 1000)
        state(session, plant, "running", t=NOW_MS + 900)  # late news

        periods = session.scalars(select(OperatingPeriod).order_by(OperatingPeriod.id)).all()
        assert [(period.operating, period.ended_at is None) for period in periods] == [("running", False), ("stopped", True)]
        assert facts(session) == ["asset.state_changed", "asset.state_changed"]


def test_a_fault_code_is_an_alert_with_the_words_of_its_table_and_zero_returns_it(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        state(session, plant, "fault", "7")
        state(session, plant, "fault", "7", NOW_MS + 200)
        alert = session.scalars(select(AlertRecord)).one()
        assert (alert.type, alert.message, alert.severity) == ("machine_fault", "Fault 7: Hydraulic pressure low", "critical")
        assert session.scalars(select(WorkOrder.title)).one() == "Clear fault 7 on PL-1: Hydraulic pressure low"

        state(session, plant, "fault", "9", NOW_MS + 400)
        state(session, plant, "running", "0", NOW_MS + 600)

        conditions = {alert.code: alert.condition for alert in session.scalars(select(AlertRecord))}
        assert conditions == {"7": "returned", "9": "returned"}


def test_a_lost_link_says_nothing_about_a_fault(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        state(session, plant, "fault", "7")
        state(session, plant, "unknown", None, NOW_MS + 1000)

        assert session.scalars(select(AlertRecord.condition)).all() == ["active"]


def test_an_unknown_tag_is_listed_with_its_last_value(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        for t, value in ((NOW_MS, 1.5), (NOW_MS + 1000, "on"), (NOW_MS + 1000, "on"), (NOW_MS - 1000, 0)):
            send(session, SignalName.TAG_DISCOVERED, t, source="plant-mqtt", tag="M9.speed", value=value)

        row = session.scalars(select(DiscoveredTag)).one()
        assert (row.value, row.seen) == ("on", 2)


def test_lost_entries_of_the_bus_are_an_alarm_that_stays_until_a_person_saw_it(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        send(session, SignalName.BUS_GROUP_LOST, stream="readings.3", group="history")
        send(session, SignalName.BUS_GROUP_LOST, stream="readings.3", group="history")

        alert = session.scalars(select(AlertRecord)).one()
        assert (alert.type, alert.code, alert.asset_id, alert.condition) == ("data_gap", "bus_group_lost", None, "returned")
        assert "readings.3" in alert.message


def test_a_spool_that_outgrows_its_quota_is_an_alert_that_ends_with_it(database: Database, plant: SmallPlant) -> None:
    def conditions(session: Session) -> dict[str, str]:
        return dict(session.execute(select(AlertRecord.code, AlertRecord.condition)).all())  # type: ignore[arg-type]

    with database.transaction() as session:
        send(session, SignalName.SPOOL, NOW_MS, source="press-s7", state="thinning", detail="2048 of 2048 MB used")
        assert conditions(session) == {"spool_thinning:press-s7": "active"}
        send(session, SignalName.SPOOL, NOW_MS + 1000, source="press-s7", state="dropping", detail="still")
        send(session, SignalName.SPOOL, NOW_MS + 2000, source="press-s7", state="ok", detail="")
        send(session, SignalName.SPOOL, NOW_MS + 3000, source="press-s7", state="damaged", detail="set aside")

        assert conditions(session) == {f"spool_{name}:press-s7": "returned" for name in ("thinning", "dropping", "damaged")}
        assert all("press-s7" in alert.message for alert in session.scalars(select(AlertRecord)))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (SignalName.SPOOL, {"source": "nowhere", "state": "ok"}),
        (SignalName.SPOOL, {"source": "press-s7"}),
        (SignalName.SOURCE_LOST, {"source": "nowhere"}),
        (SignalName.SOURCE_LOST, {}),
        (SignalName.STATE_OBSERVED, {"asset": 999_999, "operating": "running", "fault_code": None}),
        (SignalName.STATE_OBSERVED, {"asset": 1, "operating": "flying", "fault_code": None}),
        (SignalName.JOB_PROGRESS, {"job": 5}),
        (SignalName.BUS_GROUP_LOST, {}),
    ],
)
def test_what_cannot_be_understood_is_refused(database: Database, plant: SmallPlant, name: SignalName, data: dict[str, Any]) -> None:
    with pytest.raises(DecodeError), database.transaction() as session:
        send(session, name, **data)
