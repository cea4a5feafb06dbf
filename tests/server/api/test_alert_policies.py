"""Alert policies and SLA hours over REST, and what orders are promised under them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from realtime.events import AlertType, Severity
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.plant import Asset, AssetClass
from server.models.work import Policy, Procedure, SlaHours, Team, WorkOrder
from server.services import Services
from server.store import judgement, orders
from server.store.actor import SYSTEM
from tests.server.api.conftest import LogIn, Plant

POLICIES, HOURS = "/api/alert-policies", "/api/sla-hours"
POLICY = {"alert_type": "drift", "priority": "high", "due_hours": 6, "proof_s": 120, "title": "Look at the drift"}
URGENT = {"priority": "urgent", "hours": 1.5}
kinds = pytest.mark.parametrize(
    ("url", "body", "other"), [(POLICIES, POLICY, {"due_hours": 12}), (HOURS, URGENT, {"hours": 4})], ids=["policies", "hours"]
)


@kinds
def test_one_is_made_read_changed_and_taken_away(
    client: FlaskClient, bearer: LogIn, services: Services, url: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    headers = bearer("manager")

    made = client.post(url, json=body, headers={**headers, "Idempotency-Key": "p1"})
    again = client.post(url, json=body, headers={**headers, "Idempotency-Key": "p1"})
    double = client.post(url, json=body, headers=headers)
    got = client.get(made.headers["Location"], headers=headers)
    changed = client.patch(made.headers["Location"], json=other, headers={**headers, "If-Match": got.headers["ETag"]})
    late = client.patch(made.headers["Location"], json=other, headers={**headers, "If-Match": got.headers["ETag"]})
    late_gone = client.delete(made.headers["Location"], headers={**headers, "If-Match": got.headers["ETag"]})
    listed = client.get(url, query_string={"sort": "-priority", "priority": body["priority"]}, headers=headers)
    others = client.get(url, query_string={"priority": "low"}, headers=headers)
    gone = client.delete(made.headers["Location"], headers={**headers, "If-Match": changed.headers["ETag"]})

    assert (made.status_code, again.json["id"], double.status_code, got.json) == (201, made.json["id"], 409, made.json)
    assert body.items() <= made.json.items()
    assert (changed.status_code, changed.json["rev"], other.items() <= changed.json.items()) == (200, 2, True)
    assert (late.status_code, late_gone.status_code) == (412, 412)
    assert ([row["id"] for row in listed.json["items"]], others.json["total"]) == ([made.json["id"]], 0)
    assert (gone.status_code, client.get(made.headers["Location"], headers=headers).status_code) == (204, 404)
    assert client.post(url, json=body, headers=headers).status_code == 201  # its place is free again
    thing = "alert_policy" if url == POLICIES else "sla_hours"
    with services.database.transaction() as session:
        kept = session.query(AuditLog).filter_by(thing=thing, thing_id=made.json["id"]).order_by(AuditLog.id)
        assert [row.action for row in kept] == ["create", "change", "delete"]


@kinds
def test_planners_read_and_nobody_below_does(
    client: FlaskClient, bearer: LogIn, url: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    made = client.post(url, json=body, headers=bearer("admin"))
    one = made.headers["Location"]

    planner, technician = bearer("planner"), bearer("technician")

    assert [client.get(url, headers=planner).json["total"], client.get(one, headers=planner).json["id"]] == [1, made.json["id"]]
    refused = [client.post(url, json=body, headers=planner), client.patch(one, json=other, headers=planner)]
    refused += [client.delete(one, headers=planner), client.get(url, headers=technician), client.get(one, headers=technician)]
    assert [answer.status_code for answer in refused] == [403] * 5


@kinds
def test_what_another_site_has_is_not_there(
    client: FlaskClient, bearer: LogIn, services: Services, plant: Plant, url: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    with services.database.transaction() as session:
        row = Policy(site_id=plant.other_site, **POLICY) if url == POLICIES else SlaHours(site_id=plant.other_site, **URGENT)
        session.add(row)
        session.flush()
        one = f"{url}/{row.id}"
    headers = bearer("admin")

    answers = [client.get(one, headers=headers), client.patch(one, json=other, headers=headers), client.delete(one, headers=headers)]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert client.get(url, headers=headers).json["total"] == 0
    assert client.post(url, json=body, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "wrong",
    [
        {"alert_type": "loud"},
        {"alert_type": None},
        {"priority": "now"},
        {"priority": ["high"]},
        {"due_hours": 0},
        {"due_hours": -1},
        {"due_hours": 1e9},
        {"due_hours": "6"},
        {"due_hours": True},
        {"proof_s": 1e300},
        {"class_id": 2**31},
        {"class_id": 2**53 + 1},
        {"procedure_id": 2**40},
        {"procedure_id": "1"},
        {"team_id": 2**31},
        {"auto_assign": True},
        {"opens_order": "yes"},
        {"title": ""},
        {"title": "x" * 201},
        {"title": "a\x00b"},
        {"site_id": 1},
        {"deleted_at": None},
    ],
    ids=str,
)
def test_what_is_no_policy_is_refused(client: FlaskClient, bearer: LogIn, wrong: dict[str, Any]) -> None:
    headers = bearer("manager")

    assert client.post(POLICIES, json={**POLICY, **wrong}, headers=headers).status_code == 422
    assert client.get(POLICIES, headers=headers).json["total"] == 0


@pytest.mark.parametrize(
    "wrong", [{"hours": 0}, {"hours": -3}, {"hours": 9e9}, {"hours": None}, {"hours": "2"}, {"priority": "medium"}, {"x": 1}]
)
def test_what_are_no_hours_is_refused(client: FlaskClient, bearer: LogIn, wrong: dict[str, Any]) -> None:
    headers = bearer("manager")

    assert client.post(HOURS, json={**URGENT, **wrong}, headers=headers).status_code == 422
    assert client.get(HOURS, headers=headers).json["total"] == 0


def test_things_of_another_site_or_out_of_use_are_no_part_of_a_policy(
    client: FlaskClient, bearer: LogIn, services: Services, plant: Plant
) -> None:
    with services.database.transaction() as session:
        team = Team(site_id=plant.other_site, name="Theirs")
        retired = Procedure(site_id=plant.site, code="OLD-7", title="Old", active=False)
        theirs = Procedure(site_id=plant.other_site, code="TH-1", title="Theirs")
        session.add_all([team, retired, theirs])
        session.flush()
        named = [{"team_id": team.id}, {"procedure_id": retired.id}, {"procedure_id": theirs.id}]
    headers = bearer("manager")

    answers = [client.post(POLICIES, json={**POLICY, **one}, headers=headers) for one in named]

    assert [(answer.status_code, [error["field"] for error in answer.json["errors"]]) for answer in answers] == [
        (422, [next(iter(one))]) for one in named
    ]


def test_a_policy_of_all_sites_is_read_and_left_alone(client: FlaskClient, bearer: LogIn, services: Services) -> None:
    with services.database.transaction() as session:
        common = Policy(site_id=None, alert_type="data_gap", opens_order=False)
        session.add(common)
        session.flush()
        one = f"{POLICIES}/{common.id}"
    headers = bearer("manager")

    assert client.get(one, headers=headers).json["shared"] is True
    assert [client.patch(one, json={"due_hours": 1}, headers=headers).status_code, client.delete(one, headers=headers).status_code] == [
        409
    ] * 2
    assert client.post(POLICIES, json={"alert_type": "data_gap"}, headers=headers).status_code == 201  # the site's own goes before it
    with services.database.transaction() as session:
        session.get_one(Policy, int(one.rpartition("/")[2])).deleted_at = datetime.now(UTC)


def alert_of(plant: Plant, code: str, now: datetime) -> AlertRecord:
    """A drift on the plant's pump."""
    return AlertRecord(
        number=f"AL-{plant.asset}-{code}",
        code=code,
        detector="drift",
        site_id=plant.site,
        asset_id=plant.asset_id,
        tag=plant.tag,
        type=str(AlertType.DRIFT),
        severity=str(Severity.CRITICAL),
        origin="ml",
        message="Pressure drifts",
        raised_at=now,
        last_at=now,
    )


def opened(services: Services, plant: Plant, code: str, now: datetime) -> int:
    """The order that the policy in force makes of a drift."""
    with services.database.transaction() as session:
        alert, asset = alert_of(plant, code, now), session.get_one(Asset, plant.asset_id)
        session.add(alert)
        session.flush()
        policy = judgement.policy_for(session, alert, asset)
        return orders.open_for_alert(session, alert, asset, policy, SYSTEM, now, proof_s=None).id


def test_an_order_opened_under_a_policy_is_due_and_promised_by_it_and_breaks_the_promise(
    client: FlaskClient, bearer: LogIn, services: Services, plant: Plant
) -> None:
    headers = bearer("manager")
    with services.database.transaction() as session:
        pumps = AssetClass(name=f"pumps {plant.asset}", label="Pumps")
        team = Team(site_id=plant.site, name="Fitters")
        procedure = Procedure(site_id=plant.site, code="DR-1", title="Find the drift")
        session.add_all([pumps, team, procedure])
        session.flush()
        session.get_one(Asset, plant.asset_id).class_id = pumps.id
        ids = {"class_id": pumps.id, "team_id": team.id, "procedure_id": procedure.id}
    client.post(HOURS, json={"priority": "low", "hours": 20}, headers=headers)
    for_pumps = client.post(POLICIES, json={**POLICY, **ids}, headers=headers)
    client.post(POLICIES, json={"alert_type": "drift", "priority": "low"}, headers=headers)
    now = datetime.now(UTC) - timedelta(hours=8)

    first = opened(services, plant, "one", now)
    client.delete(for_pumps.headers["Location"], headers=headers)
    second = opened(services, plant, "two", now)

    with services.database.transaction() as session:
        row = session.get_one(WorkOrder, first)
        assert (row.due, row.sla_at) == (now + timedelta(hours=6),) * 2
        assert (row.priority, row.title, row.proof_s, row.team_id, row.procedure_id) == (
            ("high", "Look at the drift", 120.0, ids["team_id"], ids["procedure_id"])
        )
        row = session.get_one(WorkOrder, second)
        assert (row.due, row.sla_at, row.priority) == (now + timedelta(hours=20), now + timedelta(hours=20), "low")
    bodies = [client.get(f"/api/work-orders/{id_}", headers=headers).json for id_ in (first, second)]
    assert [(body["sla_breached"], body["overdue"]) for body in bodies] == [(True, True), (False, False)]


def test_an_order_by_hand_is_promised_by_the_hours_of_its_site_and_priority(
    client: FlaskClient, bearer: LogIn, services: Services, plant: Plant
) -> None:
    headers = bearer("manager")
    client.post(HOURS, json={"priority": "normal", "hours": 10}, headers=headers)
    client.post(HOURS, json=URGENT, headers=headers)

    def promised(body: dict[str, Any]) -> float:
        with services.database.transaction() as session:
            row = session.get_one(WorkOrder, body["id"])
            assert row.sla_at is not None
            return (row.sla_at - row.created_at) / timedelta(hours=1)

    made = client.post("/api/work-orders", json={"title": "Look at it", "asset": plant.asset}, headers=headers)
    low = client.post("/api/work-orders", json={"title": "Look at it", "asset": plant.asset, "priority": "low"}, headers=headers)
    own = (promised(made.json), promised(low.json))
    urgent = client.patch(f"/api/work-orders/{made.json['id']}", json={"priority": "urgent"}, headers=headers)

    assert (*own, promised(urgent.json)) == (10.0, 14 * 24.0, 1.5)
