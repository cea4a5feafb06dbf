"""The verdict loop: false verdicts ask for one replay, what it proves is proposed, and only a person changes anything (N-22)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from realtime.events import Signal, SignalName
from server.database import Database
from server.errors import Conflict, Forbidden, NotFound
from server.job_table import TUNE
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.jobs import BackgroundJob
from server.models.plant import TagLimit
from server.models.tuning import TuningProposal
from server.models.work import WorkOrder
from server.signals import fold_signal
from server.store import tuning
from tests.server.small_plant import NOW, NOW_MS, SmallPlant

CANDIDATES = [{"field": "on_delay_s", "from": 0.0, "to": 15.0}, {"field": "value", "from": 7.1, "to": 7.6}]


def judged(database: Database, plant: SmallPlant, n: int, verdict: str, code: str = "high", at: datetime = NOW) -> None:
    """An alert of the pump's vibration whose order ended with a verdict."""
    kind = "instrument_fault" if code == "stuck" else "rule_violation"
    raised = at - timedelta(hours=2)
    with database.transaction() as session:
        alert = AlertRecord(
            number=f"A-{n}", site_id=plant.site, asset_id=plant.pump, tag="M2.vibration", type=kind, code=code, severity="critical",
            detector="limits", origin="rule", message="high", limit=7.1, raised_at=raised, last_at=raised + timedelta(minutes=3),
            returned_at=raised + timedelta(minutes=3), resolved_at=at,
        )  # fmt: skip
        session.add(alert)
        session.flush()
        session.add(
            WorkOrder(
                number=f"W-{n}",
                site_id=plant.site,
                asset_id=plant.pump,
                alert_id=alert.id,
                title="Look",
                created_by="t",
                verdict=verdict,
                state="completed",
                created_at=raised,
                changed_at=at,
                completed_at=at,
            )
        )


def look(database: Database, at: datetime = NOW) -> int:
    with database.transaction() as session:
        return tuning.look(session, at)


def jobs(database: Database) -> list[BackgroundJob]:
    with database.transaction() as session:
        return list(session.scalars(select(BackgroundJob).where(BackgroundJob.name == TUNE).order_by(BackgroundJob.id)))


def answer(database: Database, job: BackgroundJob, **given: Any) -> None:
    told = {"reproduced": {"true": 1, "false": 2}, "candidates": CANDIDATES, "why": "", **given}
    with database.transaction() as session:
        data = {"job": job.id, "done": 1, "total": 1, "message": "proposed", "tuning": told}
        fold_signal(session, Signal(SignalName.JOB_PROGRESS, NOW_MS, data), NOW, 60.0)


def proposals(database: Database) -> list[TuningProposal]:
    with database.transaction() as session:
        return list(session.scalars(select(TuningProposal).order_by(TuningProposal.id)))


def limit_of(database: Database, plant: SmallPlant) -> tuple[float, float]:
    with database.transaction() as session:
        row = session.scalars(select(TagLimit).where(TagLimit.tag_id == plant.vibration)).one()
        return row.value, row.on_delay_s


def proposed(database: Database, plant: SmallPlant) -> list[TuningProposal]:
    """Two proposals from three verdicts."""
    for n, verdict in enumerate(["false", "confirmed", "false"]):
        judged(database, plant, n, verdict)
    assert look(database) == 1
    answer(database, jobs(database)[0])
    return proposals(database)


def test_a_false_verdict_asks_once_for_a_replay_of_all_judged_alerts(database: Database, plant: SmallPlant) -> None:
    judged(database, plant, 0, "confirmed")
    judged(database, plant, 1, "something_else")
    assert look(database) == 0

    judged(database, plant, 2, "false")
    asked = [look(database), look(database)]
    judged(database, plant, 3, "false", at=NOW + timedelta(hours=1))
    asked.append(look(database, NOW + timedelta(hours=2)))

    first, second = jobs(database)
    assert asked == [1, 0, 1]
    assert (first.args["tag"], first.args["code"], first.args["target"]["value"]) == (plant.vibration, "high", 7.1)
    start = NOW_MS - 2 * 3_600_000
    assert first.args["cases"] == [[start, start + 180_000, True], [start, start + 180_000, False]]
    assert [row[2] for row in second.args["cases"]] == [False, True, False]


def test_what_the_replay_proves_is_proposed_and_nothing_changes_by_itself(database: Database, plant: SmallPlant) -> None:
    delay, value = proposed(database, plant)

    assert limit_of(database, plant) == (7.1, 0.0)
    assert (delay.state, delay.change["after"]["on_delay_s"], value.change["after"]["value"]) == ("open", 15.0, 7.6)
    assert value.evidence == {"false": 2, "true": 1, "days": 90, "reproduced": {"true": 1, "false": 2}, "job": jobs(database)[0].id}
    with database.transaction() as session:
        (told, _other) = tuning.bodies(session, [delay, value])
    assert told["name"] == "M2.vibration high 7.1: delay (s) 0 → 15"


def test_a_person_accepts_one_with_a_reason_and_the_others_are_withdrawn(database: Database, plant: SmallPlant) -> None:
    delay, value = proposed(database, plant)

    with database.transaction() as session:
        tuning.accept(session, tuning.get_proposal(session, delay.id, plant["manager"], lock=True), "a door", plant["manager"], NOW)

    assert limit_of(database, plant) == (7.1, 15.0)
    assert [(one.state, one.decided_by) for one in proposals(database)] == [("accepted", plant["manager"].name), ("withdrawn", None)]
    with database.transaction() as session:
        query = select(AuditLog.action, AuditLog.thing).where(AuditLog.actor == plant["manager"].name).order_by(AuditLog.id)
        assert session.execute(query).all() == [("decide", "tuning_proposal"), ("change_limit", "tag")]
    with database.transaction() as session, pytest.raises(Conflict, match="withdrawn"):
        tuning.accept(session, tuning.get_proposal(session, value.id, plant["manager"]), "x", plant["manager"], NOW)


def test_a_dismissed_one_stays_so_until_another_false_verdict(database: Database, plant: SmallPlant) -> None:
    delay, _value = proposed(database, plant)
    with database.transaction() as session:
        tuning.dismiss(session, tuning.get_proposal(session, delay.id, plant["manager"]), "no", plant["manager"], NOW)

    assert look(database, NOW + timedelta(days=1)) == 0
    assert limit_of(database, plant) == (7.1, 0.0)
    judged(database, plant, 9, "false", at=NOW + timedelta(days=2))
    assert look(database, NOW + timedelta(days=2)) == 1
    answer(database, jobs(database)[-1], candidates=CANDIDATES[:1])
    assert [one.state for one in proposals(database)] == ["dismissed", "withdrawn", "open"]


def test_a_limit_changed_meanwhile_is_left_alone_and_others_may_not_decide(database: Database, plant: SmallPlant) -> None:
    _delay, value = proposed(database, plant)
    with database.transaction() as session:
        session.scalars(select(TagLimit).where(TagLimit.tag_id == plant.vibration)).one().value = 7.3

    with pytest.raises(Conflict, match="changed since"), database.transaction() as session:
        tuning.accept(session, tuning.get_proposal(session, value.id, plant["manager"]), "x", plant["manager"], NOW)
    with pytest.raises(Forbidden), database.transaction() as session:
        tuning.dismiss(session, tuning.get_proposal(session, value.id, plant["benali"]), "x", plant["benali"], NOW)
    with pytest.raises(NotFound), database.transaction() as session:
        tuning.get_proposal(session, value.id, plant["stranger"])
    assert proposals(database)[1].state == "open"


def test_a_stuck_time_is_proposed_for_the_tag_and_a_refusal_proposes_nothing(database: Database, plant: SmallPlant) -> None:
    judged(database, plant, 0, "false", "stuck")
    assert look(database) == 1
    (job,) = jobs(database)
    assert (job.args["code"], job.args["target"]) == ("stuck", None)

    answer(database, job, candidates=[{"field": "stuck_s", "from": 900.0, "to": 1350}])

    (one,) = proposals(database)
    assert one.change == {
        "kind": "setting",
        "tag": plant.vibration,
        "name": "M2.vibration",
        "before": {"stuck_s": None},
        "after": {"stuck_s": 1350},
    }
    judged(database, plant, 1, "false", at=NOW + timedelta(hours=1))
    assert look(database, NOW + timedelta(hours=2)) == 1
    with database.transaction() as session:
        fold_signal(session, Signal(SignalName.JOB_PROGRESS, NOW_MS, {"job": job.id + 1, "tuning": {"refused": "gone"}}), NOW, 60.0)
        assert session.scalar(select(func.count(TuningProposal.id))) == 1
        assert session.get_one(BackgroundJob, job.id + 1).message == "gone"
