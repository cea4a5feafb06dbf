"""Notifications follow what each person chose; a flood is told as one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from realtime.events import FactName, Severity
from server.database import Database
from server.folding import fold_finding
from server.models.mail import MailOutbox
from server.models.notifications import Notification
from server.models.outbox import Outbox
from server.models.people import User
from server.models.plant import Area, Asset
from server.store import notifications, preferences
from server.store.notifications import Message
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding

NIGHT = NOW.replace(hour=22, minute=30)


def choice(**other: Any) -> dict[str, Any]:
    return {"topic": "alert", "area": None, "severity": None, "in_app": True, "mail": False, **other}


def prefer(database: Database, plant: SmallPlant, who: str, *choices: dict[str, Any], **other: Any) -> None:
    wanted = {"choices": list(choices), "quiet_from": None, "quiet_to": None, "critical_passes": True, **other}
    with database.transaction() as session:
        session.get_one(User, plant[who].id).email = f"{who}@plant.example"
        preferences.choose(session, wanted, plant[who], NOW)


def told(database: Database, plant: SmallPlant, who: str) -> list[Notification]:
    with database.transaction() as session:
        return list(session.scalars(select(Notification).where(Notification.user_id == plant[who].id).order_by(Notification.id)))


def letters(database: Database) -> list[MailOutbox]:
    with database.transaction() as session:
        return list(session.scalars(select(MailOutbox).order_by(MailOutbox.id)))


def raise_one(database: Database, plant: SmallPlant, **other: Any) -> None:
    with database.transaction() as session:
        fold_finding(session, finding(plant, **other), NOW, 60)


def test_without_a_choice_the_manager_hears_of_a_critical_alert_and_others_do_not(database: Database, plant: SmallPlant) -> None:
    raise_one(database, plant)

    assert [row.kind for row in told(database, plant, "manager")] == ["alert_critical"]
    assert told(database, plant, "operator") == []
    assert told(database, plant, "stranger") == []


def test_a_person_hears_of_what_was_chosen_only(database: Database, plant: SmallPlant) -> None:
    prefer(database, plant, "manager")
    prefer(database, plant, "operator", choice(severity="warning", mail=True))

    raise_one(database, plant, severity=Severity.WARNING)

    assert told(database, plant, "manager") == []
    assert [row.kind for row in told(database, plant, "operator")] == ["alert"]
    assert [(letter.recipient, letter.state) for letter in letters(database)] == [("operator@plant.example", "queued")]


def test_a_choice_of_another_area_does_not_count(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        other = Area(site_id=plant.site, name="Yard")
        session.add(other)
        session.flush()
    prefer(database, plant, "operator", choice(area=other.id))

    raise_one(database, plant)

    assert told(database, plant, "operator") == []


def test_mail_waits_for_the_end_of_quiet_hours_while_the_bell_rings(database: Database, plant: SmallPlant) -> None:
    work = choice(topic="work", mail=True)
    prefer(database, plant, "benali", work, quiet_from="22:00", quiet_to="06:00")

    with database.transaction() as session:
        notifications.notify(session, [plant["benali"].id], Message("order_assigned", "WO-1: a job"), NIGHT)

    assert [row.read_at for row in told(database, plant, "benali")] == [None]
    assert [letter.due_at for letter in letters(database)] == [(NOW + timedelta(days=1)).replace(hour=5)]  # 06:00 in Paris


def test_who_wants_mail_only_is_not_rung_for(database: Database, plant: SmallPlant) -> None:
    prefer(database, plant, "benali", choice(topic="work", in_app=False, mail=True))

    with database.transaction() as session:
        notifications.notify(session, [plant["benali"].id], Message("order_assigned", "WO-1: a job"), NOW)
        pushed = session.scalars(select(Outbox).where(Outbox.name == str(FactName.NOTIFICATION_CREATED))).all()
        unread = notifications.unread_count(session, plant["benali"])

    assert (len(pushed), unread, len(letters(database))) == (0, 0, 1)


def test_a_person_without_an_address_gets_no_mail(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        notifications.notify(session, [plant["benali"].id], Message("order_assigned", "WO-1: a job"), NOW)

    assert len(told(database, plant, "benali")) == 1
    assert letters(database) == []


def test_people_who_left_are_not_told(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.get_one(User, plant["benali"].id).active = False
        assert notifications.notify(session, [plant["benali"].id, None], Message("order_assigned", "WO-1"), NOW) == []


@pytest.mark.timeout(300)  # 200 transactions; slow only where the machine is
def test_a_flood_of_200_alerts_is_one_notification_a_group_and_receiver(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        session.get_one(User, plant["manager"].id).email = "manager@plant.example"
        yard = Area(site_id=plant.site, name="Yard")
        session.add(yard)
        session.flush()
        pump = session.get_one(Asset, plant.pump)
        far = Asset(site_id=plant.site, area_id=yard.id, code="F-1", name="A far pump")
        session.add(far)
        session.flush()
        areas = (pump.area_id, yard.id)
    for n in range(200):
        asset, at = (plant.pump, far.id)[n % 2], NOW + timedelta(milliseconds=50 * n)
        with database.transaction() as session:
            one = finding(plant, key=f"limits:{n}", asset=asset, tag=None, code=f"high{n}", t=NOW_MS + 50 * n)
            fold_finding(session, one, at, 60)

    rows = told(database, plant, "manager")
    alerts = [row for row in rows if row.kind == "alert_critical"]
    assert sorted(row.group_key or "" for row in alerts) == sorted(f"alerts:{area}:critical" for area in areas)
    assert [row.count for row in alerts] == [100, 100]
    assert alerts[0].body == "and 99 more in the same minute"
    assert len([letter for letter in letters(database) if letter.recipient == "manager@plant.example"]) == 2
    with database.transaction() as session:
        pushed = session.scalars(select(Outbox.data).where(Outbox.name == str(FactName.NOTIFICATION_CREATED))).all()
    assert len([data for data in pushed if data["user"] == plant["manager"].id and data["kind"] == "alert_critical"]) == 2


def test_after_a_minute_the_group_is_told_again(database: Database, plant: SmallPlant) -> None:
    message = Message("alert", "M2 hot", site_id=plant.site, group="alerts:1:warning")
    for seconds in (0, 59, 61):
        with database.transaction() as session:
            notifications.notify(session, [plant["benali"].id], message, NOW + timedelta(seconds=seconds))

    assert [row.count for row in told(database, plant, "benali")] == [2, 1]
