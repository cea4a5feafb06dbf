"""Remaining life by API: lives out of closed orders, learned by a job, told with a band or with a word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from realtime.bus import now_ms
from realtime.events import Signal, SignalName
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.downtime import Downtime
from server.models.interventions import FaultTerm, Intervention
from server.models.jobs import BackgroundJob
from server.models.parts import BomLine, Part, StockMovement, Store
from server.models.people import User
from server.models.plant import Asset, AssetClass
from server.models.work import WorkOrder
from server.services import Services
from server.signals import fold_signal
from server.store import background, lives
from server.store.actor import SYSTEM
from server.timestamps import from_ms, to_ms
from tests.server.api.conftest import LogIn, Plant

NOW = datetime.now(UTC).replace(microsecond=0)


def path(plant: Plant) -> str:
    return f"/api/assets/{plant.asset}/remaining-life"


@pytest.fixture
def failures(services: Services, plant: Plant) -> list[int]:
    """The pump and two of its class, installed 400 days ago, failed every 80 days: asset ids."""
    with services.database.transaction() as session:
        kind = AssetClass(name=f"pump-{plant.asset}")
        session.add(kind)
        session.flush()
        own = session.get_one(Asset, plant.asset_id)
        machines = [own, *(Asset(site_id=plant.site, area_id=own.area_id, code=f"{own.code}-{n}", name="A pump") for n in "23")]
        session.add_all(machines)
        for one in machines:
            one.class_id, one.installed_on = kind.id, (NOW - timedelta(days=400)).date()
        session.flush()
        for one in machines:
            for days in (320, 240, 160, 80):
                failure(session, one, NOW - timedelta(days=days))
        return [one.id for one in machines]


def failure(session: Any, asset: Asset, at: datetime, verdict: str | None = "confirmed", type_: str = "drift") -> WorkOrder:
    """An alert of that type (none = a standstill that nobody planned), its order closed a day later with the verdict."""
    alert = None
    if type_:
        alert = AlertRecord(
            number=f"K{asset.id}-{at:%y%m%d%H}", site_id=asset.site_id, asset_id=asset.id, message="x", type=type_, code=f"{at:%y%m%d}",
            severity="warning", detector="drift", origin="ml", raised_at=at, last_at=at, resolved_at=at + timedelta(days=1),
        )  # fmt: skip
        session.add(alert)
        session.flush()
    order = WorkOrder(
        number=f"W{asset.id}-{at:%y%m%d%H}", site_id=asset.site_id, asset_id=asset.id, alert_id=alert and alert.id, title="Repair",
        created_by="t", verdict=verdict, state="verified", created_at=at, changed_at=at, completed_at=at + timedelta(days=1),
    )  # fmt: skip
    session.add(order)
    session.flush()
    if not type_:
        stood = {"started_at": at, "ended_at": at + timedelta(days=1), "state": "fault", "category": "unplanned"}
        session.add(Downtime(site_id=asset.site_id, asset_id=asset.id, work_order_id=order.id, **stood))
    return order


def report(services: Services, job: int, **data: Any) -> None:
    with services.database.transaction() as session:
        told = Signal(SignalName.JOB_PROGRESS, now_ms(), {"job": job, "total": 2, **data})
        fold_signal(session, told, services.clock(), 60.0)


def answer(machines: dict[str, Any], model: list[int], at: int) -> dict[str, Any]:
    return {"at": at, "lives": 12, "row_h": 8, "error_h": 90.0, "machines": machines, "model": model}


def test_lives_are_confirmed_failures_and_unplanned_stops_and_nothing_else(
    services: Services, plant: Plant, failures: list[int]
) -> None:  # fmt: skip
    with services.database.transaction() as session:
        pump = session.get_one(Asset, plant.asset_id)
        failure(session, pump, NOW - timedelta(days=60), "false")
        failure(session, pump, NOW - timedelta(days=50), "confirmed", "instrument_fault")
        failure(session, pump, NOW - timedelta(days=40), None, "")

        found, began = lives.records(session, pump)

    own = [(one.began, one.ended) for one in found if one.asset == pump.id]
    assert len(found) == 13
    assert own[-1] == (NOW - timedelta(days=79), NOW - timedelta(days=40))
    assert own[0][0].date() == (NOW - timedelta(days=400)).date()
    assert (set(began), began[pump.id]) == (set(failures), NOW - timedelta(days=39))


def test_a_drift_that_was_the_instruments_own_ends_no_life(services: Services, plant: Plant, failures: list[int]) -> None:
    with services.database.transaction() as session:
        pump = session.get_one(Asset, plant.asset_id)
        before, _ = lives.records(session, pump)
        term = session.scalars(select(FaultTerm).where(FaultTerm.site_id == plant.site, FaultTerm.code == "instrument")).first()
        term = term or FaultTerm(site_id=plant.site, level="category", code="instrument", label="Instrumentation")
        order = failure(session, pump, NOW - timedelta(days=30))
        session.add(term)
        session.flush()
        times = dict.fromkeys(("received_at", "created_at", "changed_at"), NOW)
        who = session.scalars(select(User.id).where(User.site_id == plant.site)).first()
        visit = Intervention(number=f"I-{plant.asset}", site_id=plant.site, order_id=order.id, asset_id=pump.id, technician_id=who, **times)
        visit.technician, visit.category_id = "t", term.id
        session.add(visit)
        session.flush()

        after, began = lives.records(session, pump)

    assert after == before
    assert began[failures[0]] == NOW - timedelta(days=79)


def test_a_planned_order_renews_a_machine_where_it_used_a_part_of_it_and_not_where_the_part_was_given_back(
    services: Services, plant: Plant, failures: list[int]
) -> None:
    days_ago = {"used": 30, "unused": 20}

    with services.database.transaction() as session:
        pump = session.get_one(Asset, plant.asset_id)
        part = Part(site_id=plant.site, number=f"P-{plant.asset}", name="Bearing")
        store = Store(site_id=plant.site, code=f"S-{plant.asset}", name="Store")
        session.add_all([part, store])
        session.flush()
        session.add(BomLine(site_id=plant.site, class_id=pump.class_id, part_id=part.id, quantity=1))
        stock = {"part_id": part.id, "store_id": store.id, "unit_cost": 1, "by": "t", "at": NOW}
        session.add(StockMovement(**stock, reason="receipt", quantity=10))
        session.flush()
        for name, days in days_ago.items():
            order = failure(session, pump, NOW - timedelta(days=days + 1), None, "")
            order.type = "preventive"
            moves = [("issue", -1), ("return", 1)] if name == "unused" else [("issue", -2), ("return", 1)]
            for reason, quantity in moves:
                session.add(StockMovement(**stock, reason=reason, quantity=quantity, order_id=order.id))
        session.flush()

        _, began = lives.records(session, pump)

    assert began[failures[0]] == NOW - timedelta(days=days_ago["used"])


def test_it_is_asked_for_learned_and_told_with_its_band(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, failures: list[int]
) -> None:
    headers, at = bearer("manager"), to_ms(NOW)
    before = client.get(path(plant), headers=headers).json["remaining_life"][0]
    asked = client.post(path(plant), headers=headers)
    twice = client.post(f"/api/assets/{plant.asset}-2/remaining-life", headers=headers)
    left = {"state": "expected", "left_h": 120.0, "low_h": 60.0, "high_h": 240.0, "hours_a_day": 12.0}
    machines = {str(failures[0]): left, str(failures[1]): {"state": "unlike"}, str(failures[2]): {"state": "long", "more_than_h": 400.0}}

    report(services, asked.json["id"], done=0, message="reading 12 lives")
    report(services, asked.json["id"], done=2, message="told", lives=answer(machines, [failures[0], asked.json["id"]], at))

    (found,) = client.get(asked.headers["Location"], headers=bearer("viewer")).json["remaining_life"]
    others = [client.get(f"/api/assets/{plant.asset}-{n}/remaining-life", headers=headers).json["remaining_life"][0] for n in "23"]
    assert (before["state"], before["lives"], before["needed"], before["left_h"]) == ("not_learned", 12, 10, None)
    assert (asked.status_code, asked.json["id"]) == (202, twice.json["id"])
    assert (found["state"], found["left_h"], found["low_h"], found["high_h"]) == ("expected", 120.0, 60.0, 240.0)
    assert (found["learned_from"], found["error_h"], found["why"]) == (12, 90.0, "")
    days = [(datetime.fromisoformat(found[name]) - from_ms(at)).total_seconds() / 86_400 for name in ("earliest", "expected", "latest")]
    assert days == [5.0, 10.0, 20.0]
    assert [(one["state"], one["more_than_h"], one["expected"]) for one in others] == [("unlike", None, None), ("long", 400.0, None)]
    with services.database.transaction() as session:
        (entry,) = session.scalars(select(AuditLog).where(AuditLog.thing == "life_model", AuditLog.thing_id == asked.json["id"]))
        assert (entry.action, entry.new["lives"]) == ("learn", 12)


def test_a_day_later_the_kept_model_is_asked_again_and_new_lives_are_learned(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, failures: list[int]
) -> None:
    first = client.post(path(plant), headers=bearer("manager")).json
    model = [failures[0], first["id"]]
    report(services, first["id"], done=2, message="told", lives=answer({}, model, to_ms(NOW)))
    with services.database.transaction() as session:
        pump = session.get_one(Asset, plant.asset_id)
        early = lives.again(session, services.clock() + timedelta(hours=2))
        due = lives.again(session, services.clock() + timedelta(hours=25))
        kept = lives.newest_job(session, pump)
        assert kept is not None
        assert (early, due >= 1, kept.created_by, kept.args["model"]) == (0, True, "system", model)
        lives.finish(session, kept, answer({}, model, to_ms(NOW)), NOW)
        failure(session, pump, NOW - timedelta(days=3))

        anew = lives.ask(session, pump, SYSTEM, NOW)

        assert (anew.args["model"], len(anew.args["lives"])) == (None, 13)


def test_a_refusal_is_told_with_its_reason_and_nobody_else_may_ask(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:  # fmt: skip
    job = client.post(path(plant), headers=bearer("manager")).json
    report(services, job["id"], done=2, message="x", lives={"refused": "0 of 0 lives have readings"})

    (found,) = client.get(path(plant), headers=bearer("technician")).json["remaining_life"]

    assert (found["state"], found["why"], found["lives"]) == ("too_few_lives", "0 of 0 lives have readings", 0)
    assert client.post(path(plant), headers=bearer("technician")).status_code == 403
    assert client.get("/api/assets/B-nowhere/remaining-life", headers=bearer("manager")).status_code == 404


@pytest.mark.usefixtures("failures")
def test_a_learning_that_lost_its_end_holds_up_no_other(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    first = client.post(path(plant), headers=headers).json["id"]
    with services.database.transaction() as session:
        session.get_one(BackgroundJob, first).created_at = NOW - background.LOST_AFTER - timedelta(minutes=1)

    assert client.post(path(plant), headers=headers).json["id"] != first


@pytest.mark.usefixtures("failures")
def test_a_learning_under_way_is_shown_so_that_its_page_follows_it(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")

    def shown() -> tuple[str, str]:
        (row,) = client.get(path(plant), headers=headers).json["remaining_life"]
        return row["state"], client.get(f"/api/ml/assets/{plant.asset}-2", headers=headers).json["under_way"]

    before = shown()
    client.post(path(plant), headers=headers)

    assert (before, shown()) == (("not_learned", "no"), ("learning", "yes"))
