"""What-if replays over the API: asked for, ended by what ml reports, matched with known verdicts, put in force by a person (N-29)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from ml.proposal import read_proposal
from realtime.bus import now_ms
from realtime.events import Signal, SignalName
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.jobs import BackgroundJob
from server.models.ml import MLModelVersion
from server.models.plant import Asset
from server.models.tuning import TuningProposal
from server.models.work import WorkOrder
from server.services import Services
from server.signals import fold_signal
from server.store import background, replays, snapshot
from server.store.limits import COLUMNS
from server.timestamps import to_ms
from tests.server.api.conftest import LogIn, Plant

END = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
SPAN = {"from": (END - timedelta(hours=6)).isoformat(), "to": END.isoformat()}


def limit(client: FlaskClient, plant: Plant, headers: Any, value: float = 8.0) -> int:
    row = {"side": "high", "value": value, "deadband": 0.2, "on_delay_s": 5}
    return int(client.post(f"/api/tags/{plant.tag_id}/limits", json=row, headers=headers).json["id"])


def ask(client: FlaskClient, headers: Any, **change: Any) -> Any:
    return client.post("/api/replays", json={**SPAN, **change}, headers=headers)


def at(minutes: int) -> int:
    """ms, so many minutes before the end of the span."""
    return to_ms(END - timedelta(minutes=minutes))


def raised(plant: Plant, minutes: int, **other: Any) -> dict[str, Any]:
    """An alert as ml tells it, of ten minutes."""
    alert = {
        "tag": plant.tag,
        "type": "rule_violation",
        "code": "high",
        "detector": "limits",
        "detectors": ["limits"],
        "start": at(minutes),
        "end": at(minutes - 10),
        "severity": "warning",
        "peak": 1.2,
        "provisional": False,
        "covered": False,
    }
    return {**alert, **other}


def answer_of(plant: Plant, **lists: list[dict[str, Any]]) -> dict[str, Any]:
    lists = {"added": [], "removed": [], "kept": [], **lists}
    counts = {name: len(rows) for name, rows in lists.items()}
    known = {"now": counts["removed"] + counts["kept"], "proposed": counts["added"] + counts["kept"]}
    return {**known, "counts": counts, **lists, "readings": 21600, "covered_s": 21600, "in_sample": 0.0, "learned": {"now": True}}


def report(services: Services, job: int, **data: object) -> None:
    with services.database.transaction() as session:
        fold_signal(session, Signal(SignalName.JOB_PROGRESS, now_ms(), {"job": job, "total": 100, **data}), services.clock(), 60.0)


def alert_with_verdict(services: Services, plant: Plant, minutes: int, verdict: str | None) -> str:
    opened, number = END - timedelta(minutes=minutes), f"K{minutes}-{plant.asset}"
    kind = {"type": "rule_violation", "code": f"high{minutes}", "severity": "warning", "detector": "limits", "origin": "rule"}
    with services.database.transaction() as session:
        row = AlertRecord(
            number=number, site_id=plant.site, asset_id=plant.asset_id, tag=plant.tag, message="high", raised_at=opened,
            last_at=opened + timedelta(minutes=10), resolved_at=opened + timedelta(minutes=20), **kind,
        )  # fmt: skip
        session.add(row)
        session.flush()
        if verdict:
            order = WorkOrder(
                number=f"W{minutes}-{plant.asset}", site_id=plant.site, asset_id=plant.asset_id, alert_id=row.id, title="Look",
                created_by="t", verdict=verdict, state="verified", created_at=opened, changed_at=opened,
            )  # fmt: skip
            session.add(order)
    return number


def test_a_replay_is_asked_for_followed_and_matched_with_what_people_found(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    row = limit(client, plant, headers)
    numbers = [
        alert_with_verdict(services, plant, minutes, verdict) for minutes, verdict in ((300, "false"), (200, "confirmed"), (100, None))
    ]
    alert_with_verdict(services, plant, 350, "confirmed")  # of which the replay finds nothing

    asked = ask(client, headers, tag_id=plant.tag_id, limit_id=row, value=9.0)
    job = asked.json
    report(services, job["id"], done=40, message="replaying")
    running = client.get(asked.headers["Location"], headers=bearer("technician")).json
    lists = {
        "removed": [raised(plant, 300), raised(plant, 200)],
        "kept": [raised(plant, 100)],
        "added": [raised(plant, 40, type="anomaly", code=None)],
    }
    report(services, job["id"], done=100, message="replayed", replay=answer_of(plant, **lists))

    found = client.get(asked.headers["Location"], headers=headers).json
    assert (asked.status_code, job["status"], running["status"], running["done"]) == (202, "queued", "running", 40)
    assert (found["status"], found["name"], found["verdict"]) == ("done", f"{plant.tag} high 8: value 8 → 9", "loses_true_alerts")
    assert (found["asset"], found["tag"], found["counts"]) == (plant.asset, plant.tag, {"added": 1, "removed": 2, "kept": 1})
    assert found["outcomes"] == {"true_lost": 1, "false_removed": 1, "true_kept": 0, "false_kept": 0}
    assert [(one["known"], one["verdict"], one["outcome"], one["route"]) for one in found["removed"]] == [
        (numbers[0], "false", "false_removed", "order"),
        (numbers[1], "confirmed", "true_lost", "order"),
    ]
    assert [(one["known"], one["outcome"]) for one in found["kept"]] == [(numbers[2], None)]
    assert [(one["known"], one["route"]) for one in found["added"]] == [(None, "watch")]
    assert (found["announced"], found["watched"]["added"], found["not_reproduced"]) == ({"added": 0, "removed": 2, "kept": 1}, 1, 1)
    (listed,) = client.get("/api/replays", headers=headers).json["items"]
    assert (listed["id"], "removed" in listed) == (job["id"], False)


def test_what_people_dismissed_from_the_watch_list_was_a_false_alert(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    number = alert_with_verdict(services, plant, 300, None)
    with services.database.transaction() as session:
        entry = session.scalars(select(AlertRecord).where(AlertRecord.number == number)).one()
        entry.watch, entry.data = True, {"verdict": "false"}
    job = ask(client, headers, tag_id=plant.tag_id, limit_id=limit(client, plant, headers), value=9.0).json

    report(services, job["id"], done=100, message="replayed", replay=answer_of(plant, removed=[raised(plant, 300)]))

    (removed,) = client.get(f"/api/replays/{job['id']}", headers=headers).json["removed"]
    assert (removed["known"], removed["outcome"]) == (number, "false_removed")


def test_the_proposal_that_ml_gets_has_all_limits_with_the_one_changed(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    rows = [limit(client, plant, headers, value) for value in (8.0, 9.0)]

    asked = [
        ask(client, headers, tag_id=plant.tag_id, limit_id=rows[0], value=8.5, remove=None),
        ask(client, headers, tag_id=plant.tag_id, limit_id=rows[1], remove=True),
        ask(client, headers, tag_id=plant.tag_id, side="low", value=1.0),
        ask(client, headers, tag_id=plant.tag_id, cusum_h=6, cusum_k=0.4),
        ask(client, headers, asset=plant.asset, cusum_h=9),
    ]

    assert [one.status_code for one in asked] == [202] * 5
    with services.database.transaction() as session:
        args = [session.get_one(BackgroundJob, one.json["id"]).args for one in asked]
    wanted = [read_proposal(one["proposal"]) for one in args]
    assert [[limit.value for limit in one.fields.get("limits", [])] for one in wanted] == [[9.0, 8.5], [8.0], [8.0, 9.0, 1.0], [], []]
    assert (wanted[3].fields, wanted[4].settings) == ({"cusum_k": 0.4, "cusum_h": 6}, {"cusum_h": 9})
    assert ask(client, headers, asset=plant.asset, cusum_h=8).status_code == 409  # five wait


def done(client: FlaskClient, services: Services, plant: Plant, headers: Any, **change: Any) -> str:
    asked = ask(client, headers, **change)
    report(services, asked.json["id"], done=100, message="replayed", replay=answer_of(plant))
    return str(asked.headers["Location"])


def test_nothing_is_in_force_before_a_person_says_so_and_then_on_the_ordinary_way(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    row = limit(client, plant, headers)

    def limits() -> list[tuple[float, float]]:
        with services.database.transaction() as session:
            (tag,) = [tag for tag in snapshot.build(session, services.clock()).tags if tag.id == plant.tag_id]
        return [(one.value, one.on_delay_s) for one in tag.limits]

    address = done(client, services, plant, headers, tag_id=plant.tag_id, limit_id=row, value=9.0, on_delay_s=20)
    before = limits()
    answers = [client.post(f"{address}/put-in-force", json={"reason": "twelve false ones"}, headers=headers) for _ in range(2)]

    assert (before, limits()) == ([(8.0, 5.0)], [(9.0, 20.0)])
    assert [one.status_code for one in answers] == [200, 409]
    assert (answers[0].json["verdict"], answers[0].json["applied"]["reason"]) == ("in_force", "twelve false ones")
    with services.database.transaction() as session:
        trail = select(AuditLog.action).where(AuditLog.site_id == plant.site, AuditLog.action.in_(["change_limit", "put_in_force"]))
        assert sorted(session.scalars(trail)) == ["change_limit", "put_in_force"]


def test_a_change_of_what_was_replayed_asks_for_a_new_replay(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    row = limit(client, plant, headers)
    address = done(client, services, plant, headers, tag_id=plant.tag_id, limit_id=row, value=9.0)
    waiting = ask(client, headers, tag_id=plant.tag_id, limit_id=row, value=9.5).headers["Location"]
    detector = done(client, services, plant, headers, asset=plant.asset, cusum_h=9)
    setting = done(client, services, plant, headers, tag_id=plant.tag_id, stuck_s=99)
    own = done(client, services, plant, headers, tag_id=plant.tag_id, cusum_h=6)
    client.patch(f"/api/tags/{plant.tag_id}/limits/{row}", json={"value": 8.1}, headers=headers)

    why = {"reason": "x"}
    answers = [client.post(f"{one}/put-in-force", json=why, headers=headers) for one in (address, waiting, detector, setting, own)]

    assert [one.status_code for one in answers] == [409, 409, 409, 200, 200]
    assert "CUSUM_H=9" in answers[2].json["detail"]
    tag = client.get(f"/api/tags/{plant.tag_id}", headers=headers).json
    assert (tag["stuck_s"], tag["cusum_h"], tag["cusum_k"]) == (99, 6, None)
    with services.database.transaction() as session:
        (published,) = [one for one in snapshot.build(session, services.clock()).tags if one.id == plant.tag_id]
        trail = select(AuditLog).where(AuditLog.thing == "tag", AuditLog.thing_id == plant.tag_id).order_by(AuditLog.id.desc())
        changed = session.scalars(trail).first()
        assert changed is not None
        assert (published.cusum_h, changed.old, changed.new) == (6, {"cusum_h": None}, {"cusum_h": 6})


def test_replays_that_lost_their_end_hold_up_no_other(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    row = limit(client, plant, headers)
    asked = [ask(client, headers, limit_id=row, value=9.0) for _ in range(replays.OPEN_AT_ONCE + 1)]
    with services.database.transaction() as session:
        session.get_one(BackgroundJob, asked[0].json["id"]).created_at = END - background.LOST_AFTER - timedelta(minutes=1)

    asked.append(ask(client, headers, limit_id=row, value=9.0))

    assert [one.status_code for one in asked[-3:]] == [202, 409, 202]


def test_a_limit_names_its_tag_and_one_of_another_site_is_not_there(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    row = limit(client, plant, headers)

    answers = [ask(client, headers, limit_id=row, value=9.0)]
    with services.database.transaction() as session:
        session.get_one(Asset, plant.asset_id).site_id = plant.other_site
    answers.append(ask(client, headers, limit_id=row, value=9.0))

    assert [one.status_code for one in answers] == [202, 404]
    assert (answers[0].json["tag"], f"limit {row}" in answers[1].json["detail"]) == (plant.tag, True)


def test_a_model_is_put_in_force_only_while_the_one_it_was_replayed_beside_judges(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    with services.database.transaction() as session:
        rows = [
            MLModelVersion(
                asset_id=plant.asset_id, version=n, detector="residual", trained_by="t", trained_at=END, windows=1, feature_set="1"
            )
            for n in (1, 2)
        ]
        session.add_all(rows)
        session.flush()
        old, new = (row.id for row in rows)
    addresses = [done(client, services, plant, headers, model_id=new)]
    client.post(f"/api/ml/models/{old}/activate", headers=headers)
    addresses.append(done(client, services, plant, headers, model_id=new))

    answers = [client.post(f"{one}/put-in-force", json={"reason": "x"}, headers=headers) for one in addresses]

    assert [one.status_code for one in answers] == [409, 200]
    assert "another version judges since" in answers[0].json["detail"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 422),
        ({"value": 9.0}, 422),
        ({"tag_id": 0, "value": 1}, 422),
        ({"tag_id": 999_999, "side": "high", "value": 1}, 404),
        ({"asset": "NOPE", "cusum_h": 5}, 404),
        ({"model_id": 999_999}, 422),
        ({"cusum_h": 5, "model_id": 1}, 422),
        ({"cusum_h": 5, "asset": "x", "from": "2020-01-01T00:00:00Z"}, 422),
        ({"cusum_h": 5, "asset": "x", "to": "2099-01-01T00:00:00Z"}, 422),
        ({"colour": 1}, 422),
    ],
    ids=["nothing", "no-tag", "zero", "no-such-tag", "no-such-asset", "no-such-model", "two", "long", "future", "unknown"],
)
def test_what_cannot_be_replayed_is_refused(client: FlaskClient, plant: Plant, bearer: LogIn, change: dict[str, Any], status: int) -> None:
    assert ask(client, bearer("manager"), **change).status_code == status


def test_a_refusal_is_the_jobs_message_and_others_may_only_look(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    row = limit(client, plant, headers)
    asked = ask(client, headers, tag_id=plant.tag_id, limit_id=row, value=9.0)

    report(services, asked.json["id"], done=100, message="x", replay={"refused": "the asset has no tag"})

    found = client.get(asked.headers["Location"], headers=bearer("technician")).json
    assert (found["status"], found["message"], found["verdict"]) == ("failed", "the asset has no tag", "failed")
    address = asked.headers["Location"]
    assert client.post(f"{address}/put-in-force", json={"reason": "x"}, headers=bearer("technician")).status_code == 403
    assert ask(client, bearer("technician"), tag_id=plant.tag_id, limit_id=row, value=9.0).status_code == 403
    assert client.get("/api/replays/999999", headers=headers).status_code == 404
    with services.database.transaction() as session:
        session.get_one(BackgroundJob, asked.json["id"]).site_id = plant.other_site
    assert client.get(address, headers=headers).status_code == 404


def test_proposed_thresholds_are_listed_and_decided_with_a_reason(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    row = limit(client, plant, headers)
    stands = client.get(f"/api/tags/{plant.tag_id}/limits/{row}", headers=headers).json
    before = {name: stands[name] for name in COLUMNS}
    change = {"kind": "limit", "tag": plant.tag_id, "name": plant.tag, "limit": row, "before": before, "after": {**before, "value": 9.0}}
    with services.database.transaction() as session:
        for _ in range(2):
            base = {"site_id": plant.site, "asset_id": plant.asset_id, "tag_id": plant.tag_id, "code": "high", "created_at": END}
            session.add(TuningProposal(**base, change=change, evidence={"false": 2, "true": 0, "days": 90}))

    listed = client.get("/api/tuning-proposals?state=open", headers=bearer("technician")).json["items"]
    paths = [f"/api/tuning-proposals/{one['id']}" for one in listed]
    refused = [
        client.post(f"{paths[0]}/accept", json={"reason": "x"}, headers=bearer("technician")).status_code,
        client.post(f"{paths[0]}/accept", json={}, headers=headers).status_code,
        client.post("/api/tuning-proposals/999999/accept", json={"reason": "x"}, headers=headers).status_code,
    ]
    dismissed = client.post(f"{paths[0]}/dismiss", json={"reason": "not yet"}, headers=headers)
    accepted = client.post(f"{paths[1]}/accept", json={"reason": "two false ones"}, headers=headers)

    assert [one["name"] for one in listed] == [f"{plant.tag} high 8: value 8 → 9"] * 2
    assert (refused, dismissed.json["state"], accepted.json["state"]) == ([403, 422, 404], "dismissed", "accepted")
    assert client.get(paths[1], headers=headers).json["reason"] == "two false ones"
    assert client.get(f"/api/tags/{plant.tag_id}/limits/{row}", headers=headers).json["value"] == 9.0
