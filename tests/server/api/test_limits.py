"""Limits of a tag, edited one by one: who may, what is kept of it, and that the next version of the plant has it (N-9)."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from realtime.bus import now_ms
from realtime.events import AlertType, Because, Finding, Severity
from server.folding import fold_finding
from server.models.audit import AuditLog
from server.models.outbox import Outbox
from server.models.plant import Tag
from server.services import Services
from server.store import snapshot
from tests.server.api.conftest import LogIn, Plant


def added(client: FlaskClient, plant: Plant, headers: Any, **values: Any) -> Any:
    """A new limit of the plant's tag."""
    answer = client.post(f"/api/tags/{plant.tag_id}/limits", json={"side": "high", "value": 8.0, **values}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


def in_force(services: Services, tag_id: int) -> list[tuple[str, float, str]]:
    """Limits of a tag in the snapshot that the monitors get."""
    with services.database.transaction() as session:
        (tag,) = [tag for tag in snapshot.build(session, services.clock()).tags if tag.id == tag_id]
    return [(limit.side, limit.value, limit.severity) for limit in tag.limits]


def versions(services: Services) -> list[int]:
    """Versions of the plant that were told."""
    with services.database.transaction() as session:
        rows = session.scalars(select(Outbox.data).where(Outbox.name == "config.changed").order_by(Outbox.id))
        return [int(row["version"]) for row in rows]


def test_an_edited_limit_is_audited_and_in_the_next_version(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    made = added(client, plant, headers, severity="critical")
    assert in_force(services, plant.tag_id) == [("high", 8.0, "critical")]
    before = versions(services)

    changed = client.patch(
        made.headers["Location"],
        json={"value": 7.5},
        headers={**headers, "If-Match": client.get(made.headers["Location"], headers=headers).headers["ETag"]},
    )

    assert (changed.status_code, changed.json["value"], changed.json["severity"]) == (200, 7.5, "critical")
    assert in_force(services, plant.tag_id) == [("high", 7.5, "critical")]
    assert len(versions(services)) == len(before) + 1
    assert versions(services)[-1] > before[-1]
    with services.database.transaction() as session:
        query = select(AuditLog).where(AuditLog.thing == "tag", AuditLog.thing_id == plant.tag_id, AuditLog.action == "change_limit")
        row = session.scalars(query).one()
        assert row.old is not None
        assert row.new is not None
        assert (row.old["value"], row.new["value"]) == (8.0, 7.5)


def test_a_removed_limit_is_gone_from_the_plant_and_kept_in_the_trail(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    made = added(client, plant, headers)

    assert client.delete(made.headers["Location"], headers=headers).status_code == 204

    assert in_force(services, plant.tag_id) == []
    assert client.get(made.headers["Location"], headers=headers).status_code == 404
    with services.database.transaction() as session:
        query = select(AuditLog).where(AuditLog.thing == "tag", AuditLog.thing_id == plant.tag_id, AuditLog.action == "remove_limit")
        row = session.scalars(query).one()
        assert row.old is not None
        assert (row.old["side"], row.old["value"], row.new) == ("high", 8.0, None)


def test_the_same_value_again_is_no_change(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    made = added(client, plant, headers)
    before = versions(services)

    assert client.patch(made.headers["Location"], json={"value": 8.0}, headers=headers).status_code == 200

    assert versions(services) == before


@pytest.mark.parametrize("role", ["technician", "planner", "operator", "viewer", "storekeeper"])
def test_who_may_not_write_tags_sees_limits_and_changes_none(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, role: str
) -> None:
    address = added(client, plant, bearer("manager")).headers["Location"]
    headers = bearer(role)

    assert client.get(f"/api/tags/{plant.tag_id}/limits", headers=headers).json["total"] == 1
    tried = [
        client.post(f"/api/tags/{plant.tag_id}/limits", json={"side": "low", "value": 1}, headers=headers).status_code,
        client.patch(address, json={"value": 1}, headers=headers).status_code,
        client.delete(address, headers=headers).status_code,
    ]
    assert tried == [403, 403, 403]
    assert in_force(services, plant.tag_id) == [("high", 8.0, "warning")]


def test_another_sites_tag_and_another_tags_limit_are_not_there(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    limit = added(client, plant, headers).json["id"]
    with services.database.transaction() as session:
        other = session.scalars(select(Tag.id).where(Tag.name == plant.other_tag)).one()

    answers = [
        client.get(f"/api/tags/{other}", headers=headers),
        client.get(f"/api/tags/{other}/limits", headers=headers),
        client.post(f"/api/tags/{other}/limits", json={"side": "low", "value": 1}, headers=headers),
        client.patch(f"/api/tags/{other}/limits/{limit}", json={"value": 1}, headers=headers),
        client.get(f"/api/tags/{plant.tag_id}/limits/{limit + 1000}", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5


@pytest.mark.parametrize(
    "row",
    [
        {"value": 8},
        {"side": "up", "value": 8},
        {"side": "high", "value": "8"},
        {"side": "high", "value": 8, "deadband": -1},
        {"side": "high", "value": 8, "on_delay_s": 90000},
        {"side": "high", "value": 8, "colour": "red"},
        {"side": "high", "value": 8.0},  # stands there already
    ],
)
def test_a_wrong_limit_is_refused_and_nothing_is_stored(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, row: dict[str, Any]
) -> None:
    headers = bearer("manager")
    added(client, plant, headers)
    before = versions(services)

    assert client.post(f"/api/tags/{plant.tag_id}/limits", json=row, headers=headers).status_code == 422

    assert in_force(services, plant.tag_id) == [("high", 8.0, "warning")]
    assert versions(services) == before


def test_who_was_slower_is_told(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    address = added(client, plant, headers).headers["Location"]
    seen = client.get(address, headers=headers).headers["ETag"]
    client.patch(address, json={"value": 7.0}, headers=headers)

    assert client.patch(address, json={"value": 6.0}, headers={**headers, "If-Match": seen}).status_code == 412
    assert client.get(address, headers=headers).json["value"] == 7.0


def test_a_limit_without_deadband_and_delay_gets_those_of_the_range(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    limits = [{"side": "low", "value": 1.0}]
    ranged = {"tag": plant.tag, "range_low": 0.0, "range_high": 16.0, "limits": limits}
    without = added(client, plant, headers).json
    assert client.put("/api/tags", json=[ranged], headers=headers).status_code == 200
    put = client.get(f"/api/tags/{plant.tag_id}/limits", headers=headers).json["items"]
    again = client.put("/api/tags", json=[ranged], headers=headers).json

    own = added(client, plant, headers, deadband=0.1, on_delay_s=0).json
    filled = added(client, plant, headers, value=9.0).json

    assert (without["deadband"], without["on_delay_s"]) == (0.0, 0.0)
    assert [(row["deadband"], row["on_delay_s"]) for row in [*put, own, filled]] == [(0.32, 30.0), (0.1, 0.0), (0.32, 30.0)]
    assert again["unchanged"] == [plant.tag]


def test_a_limit_of_change_is_set_changed_kept_from_forecasts_and_reaches_the_monitors(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")

    made = added(client, plant, headers, side="falling", value=2.0)
    wrong = client.patch(made.headers["Location"], json={"value": -2.0}, headers=headers)
    changed = client.patch(made.headers["Location"], json={"value": 1.5}, headers=headers)

    assert (made.json["side"], made.json["deadband"], made.json["on_delay_s"]) == ("falling", 0.2, 10.0)
    assert (wrong.status_code, changed.status_code) == (422, 200)
    assert in_force(services, plant.tag_id) == [("falling", 1.5, "warning")]
    assert client.get(f"/api/tags/{plant.tag_id}/forecast", headers=headers).json["forecasts"] == []
    (shown,) = client.get(f"/api/assets/{plant.asset}", headers=headers).json["tags"]
    assert shown["limits"] == []  # it has no place on a scale of values


def test_an_alert_of_a_limit_of_change_says_how_fast_is_too_fast(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    added(client, plant, headers, side="high", value=8.0)
    added(client, plant, headers, side="falling", value=2.0)
    now = now_ms()
    found = Finding(
        key=f"{plant.asset_id}:{plant.tag}:limits:falling:1", edge="open", asset=plant.asset_id, tag=plant.tag,
        type=AlertType.RULE_VIOLATION, detector="limits", t=now, t_onset=now, severity=Severity.WARNING, score=1.2, limit=1.0,
        value=5.0, because=(Because(plant.tag, 1.0),), config_version=1, code="falling", model_version=None, provisional=False,
    )  # fmt: skip

    with services.database.transaction() as session:
        fold_finding(session, found, services.clock(), 60.0)

    (alert,) = client.get(f"/api/alerts?asset={plant.asset}", headers=headers).json["items"]
    assert alert["title"] == f"{plant.tag} falls faster than 2.00 bar per minute"
    (reason,) = client.get(f"/api/assets/{plant.asset}", headers=headers).json["health"]["reasons"]
    assert reason["text"].endswith("at 5.00 bar, limit 2.00 bar per minute")
