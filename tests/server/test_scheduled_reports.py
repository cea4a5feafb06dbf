"""Reports made in the background and sent by mail: from the rule to the letter with its file, through real programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from realtime.settings import Settings
from server.database import Database
from server.errors import Invalid
from server.mail import Postman
from server.models.jobs import BackgroundJob
from server.models.people import User
from server.models.reports import JobFile, ReportSchedule
from server.reports import jobs
from server.store import orders, report_schedules
from server.store.orders import NewOrder
from server.store.report_schedules import next_time
from tests.server.mail_relay import Inbox, Relay
from tests.server.small_plant import NOW, SmallPlant

PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # 06:00 in Paris


NUMBERS = {"manager": "1001", "benali": "1002", "moreau": "1003", "operator": "1004", "stranger": "1006"}  # as small_plant gives them


def wanted(plant: SmallPlant, *people: str, **other: Any) -> dict[str, Any]:
    return {
        "name": "Orders of the week",
        "report": "work-orders",
        "format": "csv",
        "rrule": "FREQ=WEEKLY;BYDAY=MO",
        "at": "06:00",
        "span_days": 7,
        "filters": {},
        "recipients": [NUMBERS[name] for name in people or ("manager",)],
        "active": True,
        **other,
    }


def schedule(database: Database, plant: SmallPlant, *people: str, **other: Any) -> int:
    with database.transaction() as session:
        for name in people or ("manager",):
            session.get_one(User, plant[name].id).email = f"{name}@plant.example"
        return report_schedules.create(session, wanted(plant, *people, **other), plant["manager"], NOW).id


def ask(database: Database, at: datetime) -> list[BackgroundJob]:
    with database.transaction() as session:
        report_schedules.ask_due(session, at)
    with database.transaction() as session:
        return list(session.scalars(select(BackgroundJob).order_by(BackgroundJob.id)))


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def postman(database: Database, settings: Settings, inbox: Inbox) -> Iterator[Postman]:
    relay = Relay(inbox)
    relay.start()
    yield Postman(database, replace(settings, smtp_host="127.0.0.1", smtp_port=relay.port), lambda: MONDAY + timedelta(minutes=1))
    relay.stop()


def test_a_scheduled_report_arrives_with_its_file(database: Database, plant: SmallPlant, postman: Postman, inbox: Inbox) -> None:
    with database.transaction() as session:
        orders.create_order(session, NewOrder(title="=1+1", asset_id=plant.pump), plant["manager"], NOW)
    schedule(database, plant, "manager", "benali")

    (job,) = ask(database, MONDAY)
    jobs.make(database, job.id)
    jobs.make(database, job.id)  # as when the worker was killed after it: nobody gets it twice
    postman.run()

    assert sorted(message["To"] for message in inbox.messages) == ["benali@plant.example", "manager@plant.example"]
    (file,) = inbox.messages[0].iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("work-orders-2026-11-23.csv", "text/csv")
    assert "'=1+1" in file.get_payload(decode=True).decode("utf-8-sig")
    with database.transaction() as session:
        done = session.get_one(BackgroundJob, job.id)
        assert (done.state, done.done, done.total) == ("done", 1, 1)


def test_a_schedule_asks_once_an_occurrence(database: Database, plant: SmallPlant) -> None:
    schedule_id = schedule(database, plant)

    asked = [len(ask(database, at)) for at in (NOW, MONDAY - timedelta(seconds=1), MONDAY, MONDAY, MONDAY + timedelta(days=6))]

    assert asked == [0, 0, 1, 1, 1]
    (job,) = ask(database, MONDAY)
    assert (job.args["from"], job.args["to"]) == ((MONDAY - timedelta(days=7)).isoformat(), MONDAY.isoformat())
    with database.transaction() as session:
        row = session.get_one(ReportSchedule, schedule_id)
    assert (row.next_at, row.last_job_id) == (MONDAY + timedelta(days=7), job.id)


def test_what_was_missed_while_nobody_led_is_made_up_for_once(database: Database, plant: SmallPlant) -> None:
    schedule(database, plant)

    assert len(ask(database, MONDAY + timedelta(days=30))) == 1


@pytest.mark.parametrize("other", [{"active": False}, {"deleted": True}], ids=["not active", "ended"])
def test_a_schedule_out_of_force_asks_for_nothing(database: Database, plant: SmallPlant, other: dict[str, Any]) -> None:
    row_id = schedule(database, plant, active=other.get("active", True))
    if "deleted" in other:
        with database.transaction() as session:
            report_schedules.remove(session, session.get_one(ReportSchedule, row_id), plant["manager"], NOW)

    assert ask(database, MONDAY) == []


def test_people_who_left_or_may_no_longer_read_reports_get_none(
    database: Database, plant: SmallPlant, postman: Postman, inbox: Inbox
) -> None:
    schedule(database, plant, "manager", "benali", "moreau")
    (job,) = ask(database, MONDAY)
    with database.transaction() as session:
        session.get_one(User, plant["benali"].id).active = False
        session.get_one(User, plant["moreau"].id).role = "operator"

    jobs.make(database, job.id)
    postman.run()

    assert [message["To"] for message in inbox.messages] == ["manager@plant.example"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipients", "stranger"),
        ("recipients", "operator"),
        ("rrule", "FREQ=SECONDLY"),
        ("rrule", "hello"),
        ("rrule", "FREQ=DAILY;BYSECOND=1"),
    ],
)
def test_what_is_no_schedule_is_refused(database: Database, plant: SmallPlant, field: str, value: str) -> None:
    other = {field: [NUMBERS[value]] if field == "recipients" else value}
    with pytest.raises(Invalid) as refused, database.transaction() as session:
        report_schedules.create(session, {**wanted(plant), **other}, plant["manager"], NOW)

    assert refused.value.field == field


def test_a_job_that_fails_says_why(database: Database, plant: SmallPlant, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(database, plant)
    (job,) = ask(database, MONDAY)
    monkeypatch.setattr(jobs, "LARGEST", 1)

    with pytest.raises(ValueError, match="100 MB"):
        jobs.make(database, job.id)

    with database.transaction() as session:
        row = session.get_one(BackgroundJob, job.id)
        assert (row.state, "100 MB" in row.message) == ("failed", True)


def test_files_of_jobs_go_after_thirty_days(database: Database, plant: SmallPlant) -> None:
    schedule(database, plant)
    (job,) = ask(database, MONDAY)
    jobs.make(database, job.id)
    with database.transaction() as session:
        made = session.get_one(JobFile, job.id).created_at
        report_schedules.forget_files(session, made + timedelta(days=29))
        assert session.scalar(select(JobFile.job_id)) == job.id
        report_schedules.forget_files(session, made + timedelta(days=31))
        assert session.scalar(select(JobFile.job_id)) is None


@given(
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=YEARLY"]),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.integers(0, 3 * 365 * 24).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
    st.sampled_from([PARIS, ZoneInfo("America/New_York"), ZoneInfo("UTC")]),
)
def test_the_next_time_is_later_and_by_the_wall_clock(rule: str, at: time, after: datetime, zone: ZoneInfo) -> None:
    found = next_time(rule, at, zone, after=after)

    assert found is not None
    assert found > after
    # in the hour that clocks skip the moment exists an hour on
    assert found.astimezone(zone).time() in {at, (datetime.combine(found, at) + timedelta(hours=1)).time()}
