"""What an alert means, from the tables: said when it is raised, again as the signals tell more, and learned from closed orders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType, Batch, Because, Severity
from realtime.history_writer import write_batches
from server import bodies
from server.database import Database
from server.models.alerts import AlertRecord
from server.models.interventions import FaultTerm, Intervention
from server.models.outbox import Outbox
from server.models.people import User
from server.models.plant import Asset, Instrument, Tag
from server.models.work import Policy, Team, WorkOrder
from server.store import companions, diagnoses, diagnosing, health, health_follow, taxonomy
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding
from tests.server.store.story import alert_of, fact_names, fold, raised_order

DRIFT: dict[str, Any] = {
    "key": "drift:1:drift_high:1",
    "type": AlertType.DRIFT,
    "detector": "drift",
    "code": "drift_high",
    "tag": "M2.temperature",
    "severity": Severity.WARNING,
    "score": 5.4,
    "limit": 3.0,
    "value": 70.0,
    "t_onset": NOW_MS,
    "because": (Because("M2.temperature", 1.0),),
}


def hour(database: Database, plant: SmallPlant, *, pressure_moves: bool) -> None:
    """An hour and two minutes of temperature and pressure that follow one load; the temperature then rises, the pressure too or not."""
    seconds = np.arange(-3660, 120)
    load = np.sin(seconds / 97) + 0.5 * np.sin(seconds / 411)
    after = seconds >= 0
    values = {
        "M2.temperature": 60 + 0.5 * load + 10.0 * after,
        "M2.pressure": 5 + 0.05 * load + 1.0 * (after & pressure_moves),
    }
    with database.transaction() as session:
        session.add(Tag(asset_id=plant.pump, name="M2.pressure", label="Pressure", unit="bar"))
        session.flush()
        ids = dict(session.execute(select(Tag.name, Tag.id).where(Tag.name.in_(values))).all())
    t = NOW_MS + seconds.astype(np.int64) * 1000
    batches = [
        Batch(0, int(t[-1]), "test", np.full(len(t), ids[name], np.uint32), t, np.zeros(len(t), np.uint8), np.zeros(len(t), np.uint32), v)
        for name, v in values.items()
    ]
    connection = database.engine.raw_connection()
    write_batches(connection, batches)
    connection.commit()
    connection.close()


def test_an_alert_is_raised_with_its_recommendation_its_number_and_its_severity(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        raised_order(session, plant)
        body = bodies.alert_body(session, alert_of(session))

    assert body["number"].startswith("ALERT_0")
    assert (body["asset"]["code"], body["severity"], body["score"], body["raised_at"][:10]) == ("M2", "critical", 1.3, "2026-11-20")
    assert body["recommendation"] == "Find out why Vibration (M2.vibration) is too high: at 9.42 mm/s, limit 7.10 mm/s."
    assert not {"diagnosis", "measured", "told_value"} & body["data"].keys()


@pytest.mark.parametrize(
    ("pressure_moves", "suspect", "because"),
    [(False, "sensor", "Pressure (M2.pressure) usually moves with it"), (True, "process", "(M2.pressure) moved from 4.99 bar to 6.0")],
)
def test_the_leader_measures_the_other_signals_and_tells_what_they_mean(
    database: Database, plant: SmallPlant, pressure_moves: bool, suspect: str, because: str
) -> None:
    hour(database, plant, pressure_moves=pressure_moves)
    with database.transaction() as session:
        fold(session, finding(plant, **DRIFT))
        first = alert_of(session).data["diagnosis"]["suspect"]

        looked = diagnosing.diagnose(session, NOW + timedelta(seconds=90))
        again = diagnosing.diagnose(session, NOW + timedelta(seconds=95))

        found = alert_of(session).data["diagnosis"]
        assert (first, looked, again) == ("unknown", 1, 0)
        assert (found["suspect"], found["features"]["shape"]) == (suspect, "higher")
        assert because in found["why"][0]["text"]
        assert fact_names(session).count("alert.changed") == 1


def test_looking_again_tells_nobody_what_is_known(database: Database, plant: SmallPlant) -> None:
    hour(database, plant, pressure_moves=False)
    with database.transaction() as session:
        fold(session, finding(plant, **DRIFT))
        for seconds in (60, 80, 100):
            diagnosing.diagnose(session, NOW + timedelta(seconds=seconds))

        assert fact_names(session).count("alert.changed") == 1


def instrument_crew(session: Session, plant: SmallPlant) -> Team:
    crew = Team(site_id=plant.site, name="Instruments")
    session.add(crew)
    session.flush()
    row = session.scalars(select(Policy).where(Policy.alert_type == str(AlertType.INSTRUMENT_FAULT))).one()
    row.team_id = crew.id
    for policy in session.scalars(select(Policy)):
        policy.auto_assign = False
    return crew


def test_an_order_goes_to_the_crew_of_the_suspect(database: Database, plant: SmallPlant) -> None:
    hour(database, plant, pressure_moves=False)
    with database.transaction() as session:
        crew = instrument_crew(session, plant)
        fold(session, finding(plant, **DRIFT))
        diagnosing.diagnose(session, NOW + timedelta(seconds=60))
        agreeing = {**DRIFT, "key": "cusum:1", "detector": "cusum", "code": "cusum_high"}
        fold(session, finding(plant, t=NOW_MS + 70_000, **agreeing))
        fold(session, finding(plant, "update", NOW_MS + 80_000, **{**DRIFT, "score": 9.6}))

        assert session.scalars(select(WorkOrder.team_id)).all() == [crew.id]


def test_an_order_that_nobody_has_taken_moves_when_the_triage_does(database: Database, plant: SmallPlant) -> None:
    hour(database, plant, pressure_moves=False)
    with database.transaction() as session:
        crew = instrument_crew(session, plant)
        fold(session, finding(plant, **DRIFT))
        fold(session, finding(plant, t=NOW_MS + 1000, **{**DRIFT, "key": "cusum:1", "detector": "cusum", "score": 9.6}))
        before = session.scalars(select(WorkOrder.team_id)).one()

        diagnosing.diagnose(session, NOW + timedelta(seconds=60))

        order = session.scalars(select(WorkOrder)).one()
        assert (before != crew.id, order.team_id, order.state) == (True, crew.id, "open")
        assert fact_names(session)[-1] == "work_order.changed"


@pytest.mark.parametrize(
    ("pressure_moves", "renamed", "title"),
    [
        (False, None, "Check transmitter M2.temperature (drifts up)"),
        (True, None, "Find cause of drift in M2.temperature"),
        (False, "Ask Benali first", "Ask Benali first"),
    ],
)
def test_an_order_that_nobody_has_begun_is_called_what_the_triage_says(
    database: Database, plant: SmallPlant, pressure_moves: bool, renamed: str | None, title: str
) -> None:
    hour(database, plant, pressure_moves=pressure_moves)
    with database.transaction() as session:
        fold(session, finding(plant, **DRIFT))
        fold(session, finding(plant, t=NOW_MS + 1000, **{**DRIFT, "key": "cusum:1", "detector": "cusum", "score": 9.6}))
        order = session.scalars(select(WorkOrder)).one()
        first, order.title = order.title, renamed or order.title

        diagnosing.diagnose(session, NOW + timedelta(seconds=60))

        assert (first, order.state, order.title) == ("Find cause of drift in M2.temperature", "assigned", title)


def test_an_order_follows_when_its_alert_grows_and_is_judged_again(database: Database, plant: SmallPlant) -> None:
    hour(database, plant, pressure_moves=False)
    with database.transaction() as session:
        fold(session, finding(plant, **DRIFT))
        fold(session, finding(plant, t=NOW_MS + 1000, **{**DRIFT, "key": "cusum:1", "detector": "cusum", "score": 9.6}))
        alert = alert_of(session)
        alert.data = {**alert.data, "measured": companions.measure(session, alert, alert.tag, NOW + timedelta(seconds=60))}

        fold(session, finding(plant, "update", NOW_MS + 80_000, **{**DRIFT, "severity": Severity.CRITICAL}))

        assert session.scalars(select(WorkOrder.title)).one() == "Check transmitter M2.temperature (drifts up)"


def closed(session: Session, plant: SmallPlant, n: int, category: str) -> None:
    """Orders on vibration drift of a pump that technicians confirmed, with the category of their visit."""
    taxonomy.ensure(session, plant.site)
    term = session.scalars(select(FaultTerm.id).where(FaultTerm.level == "category", FaultTerm.code == category)).one()
    person = session.scalars(select(User.id).order_by(User.id)).first()
    for i in range(n):
        alert = AlertRecord(number=f"A-{category}-{i}", site_id=plant.site, asset_id=plant.pump, tag="M2.vibration", type="drift")
        alert.code, alert.severity, alert.detector, alert.origin, alert.message = "drift_high", "warning", "drift", "ml", "Drift"
        alert.raised_at = alert.last_at = alert.resolved_at = NOW - timedelta(days=i + 1)
        session.add(alert)
        session.flush()
        order = WorkOrder(number=f"W-{category}-{i}", site_id=plant.site, asset_id=plant.pump, alert_id=alert.id, title="x", created_by="x")
        order.state, order.verdict, order.created_at, order.changed_at = "verified", "confirmed", alert.raised_at, alert.raised_at
        session.add(order)
        session.flush()
        visit = Intervention(number=f"I-{category}-{i}", site_id=plant.site, order_id=order.id, asset_id=plant.pump, technician_id=person)
        visit.technician, visit.category_id, visit.received_at, visit.created_at, visit.changed_at = "x", term, NOW, NOW, NOW
        session.add(visit)


def test_past_orders_of_the_class_say_what_it_most_likely_is(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        closed(session, plant, 6, "mechanical")
        vibration = {**DRIFT, "tag": "M2.vibration", "because": (Because("M2.vibration", 1.0),), "value": 3.1}
        fold(session, finding(plant, **vibration))
        alert = session.scalars(select(AlertRecord).where(AlertRecord.resolved_at.is_(None))).one()
        found = diagnoses.brief_of(alert)

    category = found["diagnosis"]["category"]
    assert (category["code"], category["label"], category["method"], category["cases"]) == ("mechanical", "Mechanical", "learned", 6)
    assert found["recommendation"].endswith(
        "Mechanical, most likely: 6 of 6 closed orders of class pump with the same finding ended so (100% belief)."
    )


@pytest.mark.parametrize(("wrong", "label", "method"), [(3, "drift_high", "rules"), (30, "none", "learned")])
def test_the_label_of_a_fault_is_the_rules_until_false_alarms_of_the_class_are_sure_of_another(
    database: Database, plant: SmallPlant, wrong: int, label: str, method: str
) -> None:
    with database.transaction() as session:
        closed(session, plant, 4, "mechanical")
        closed(session, plant, wrong, "instrument")
        for order in session.scalars(select(WorkOrder).where(WorkOrder.number.startswith("W-instrument"))):
            order.verdict = "false"
        fold(session, finding(plant, **{**DRIFT, "tag": "M2.vibration", "because": (Because("M2.vibration", 1.0),)}))
        alert = session.scalars(select(AlertRecord).where(AlertRecord.resolved_at.is_(None))).one()

        told = diagnoses.brief_of(alert)["diagnosis"]["fault"]

    assert (told["label"], told["method"]) == (label, method)
    assert method == "rules" or told["text"].endswith("the rules alone would say drift high")


def test_another_sites_orders_teach_nothing(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        closed(session, plant, 6, "mechanical")
        other = session.scalars(select(User.site_id).where(User.name == "X.Other")).one()
        for order in session.scalars(select(WorkOrder)):
            order.site_id = other
        fold(session, finding(plant, **{**DRIFT, "tag": "M2.vibration"}))
        alert = session.scalars(select(AlertRecord).where(AlertRecord.resolved_at.is_(None))).one()

        assert alert.data["diagnosis"]["category"]["text"] == "No closed order yet of class pump to learn from, 5 are needed"


def test_health_names_each_signal_with_its_figures_and_an_instrument_has_its_own(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        device = Instrument(asset_id=plant.pump, tag="M2.temperature", name="Thermometer", type="temperature")
        device.calibration_due = NOW - timedelta(days=3)
        other = Instrument(asset_id=plant.pump, tag="M2.vibration", name="Vibration sensor", type="vibration", tag_id=plant.vibration)
        session.add_all([device, other])
        fold(session, finding(plant))
        fold(session, finding(plant, **DRIFT))
        pump = session.get_one(Asset, plant.pump)
        judged = health.of_instruments(session, [device, other], NOW)

        assert [(reason["points"], reason["text"]) for reason in pump.health_reasons] == [
            (40, "Vibration (M2.vibration) at 9.42 mm/s, limit 7.10 mm/s"),
            (25, "Thermometer (M2.temperature): calibration overdue since 2026-11-17"),
            (15, "Temperature (M2.temperature) drifts from its normal course at 70.00 °C, 1.8 times the alarm limit of its detector"),
        ]
        assert (pump.health, judged[device.id].score, judged[other.id].score) == (20, 60, 60)


def test_health_is_told_again_only_when_a_value_moved(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        raised_order(session, plant)
        before = fact_names(session).count("asset.state_changed")
        fold(session, finding(plant, "update", NOW_MS + 10_000, value=9.5))
        little = fact_names(session).count("asset.state_changed")
        fold(session, finding(plant, "update", NOW_MS + 20_000, value=12.0))

        assert (little, fact_names(session).count("asset.state_changed")) == (before, before + 1)
        assert (
            session.scalars(select(Outbox.data).where(Outbox.name == "asset.state_changed").order_by(Outbox.id.desc()))
            .first()["health"]["reasons"][0]["text"]
            .startswith("Vibration (M2.vibration) at 12.00 mm/s")
        )


def test_health_is_told_again_when_a_drift_goes_further_beyond_its_limit(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **DRIFT))
        fold(session, finding(plant, "update", NOW_MS + 10_000, **{**DRIFT, "score": 10 * DRIFT["score"]}))
        pump = session.get_one(Asset, plant.pump)

        assert pump.health_reasons[0]["text"].endswith("18.0 times the alarm limit of its detector")


def test_overdue_work_costs_health_while_it_lasts(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        order = raised_order(session, plant)
        fold(session, finding(plant, "close", NOW_MS + 10_000))
        later = (order.due or NOW) + timedelta(minutes=1)

        first, second = health_follow.follow_time(session, later), health_follow.follow_time(session, later)
        pump = session.get_one(Asset, plant.pump)
        overdue = (pump.health, pump.health_reasons[0]["text"])
        order.due = later + timedelta(days=1)
        session.flush()
        health_follow.follow_time(session, later)

        assert (first, second) == (1, 0)
        assert overdue == (90, f"{order.number} is overdue: Find and remove vibration")
        assert pump.health == 100


def test_a_model_whose_verdicts_were_wrong_takes_less(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        closed(session, plant, 10, "mechanical")
        for i, order in enumerate(session.scalars(select(WorkOrder).order_by(WorkOrder.id))):
            order.verdict = "false" if i < 6 else "confirmed"
        fold(session, finding(plant, **DRIFT))

        assert session.get_one(Asset, plant.pump).health == 100 - round(15 * 0.4)
