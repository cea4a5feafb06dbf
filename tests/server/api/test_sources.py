"""Sources and tags one by one: made, changed, switched off, deleted softly; secrets masked; one new version each."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from server.masking import masked, unmasked
from server.models.audit import AuditLog
from server.models.plant import PlantVersion, Source, Tag
from server.services import Services
from tests.server.api.conftest import LogIn, Plant


def version(services: Services) -> int:
    with services.database.transaction() as session:
        return session.scalars(select(PlantVersion.version)).one()


def audited(services: Services, thing: str, id_: int) -> list[Any]:
    with services.database.transaction() as session:
        rows = session.scalars(select(AuditLog).where(AuditLog.thing == thing, AuditLog.thing_id == id_).order_by(AuditLog.id))
        return [(row.action, row.old, row.new) for row in rows]


def a_source(client: FlaskClient, headers: dict[str, str], plant: Plant, **more: Any) -> dict[str, Any]:
    body = {"name": f"opc-{plant.asset}", "kind": "opcua", "config": {"url": "opc.tcp://10.0.0.8:4840", "user": "u", "password": "hush"}}
    answer = client.post("/api/sources", json=body | more, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def test_a_source_is_made_read_and_its_secret_never_shown(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers, before = bearer("manager"), version(services)

    made = a_source(client, headers, plant)
    read = client.get(f"/api/sources/{made['id']}", headers=headers)
    listed = client.get("/api/sources?kind=opcua", headers=headers)

    assert made["config"]["password"] == read.json["config"]["password"] == "***"
    assert [one["name"] for one in listed.json["items"]] == [made["name"]]
    assert version(services) == before + 1
    with services.database.transaction() as session:
        assert session.get_one(Source, made["id"]).config["password"] == "hush"
    assert "hush" not in repr(audited(services, "source", made["id"]))


def test_a_mask_sent_back_keeps_the_secret_but_never_for_another_address(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    made = a_source(client, headers, plant)
    at = f"/api/sources/{made['id']}"

    kept = client.patch(at, json={"config": made["config"] | {"publishing_ms": 500}}, headers=headers)
    moved = client.patch(at, json={"config": made["config"] | {"url": "opc.tcp://elsewhere:4840"}}, headers=headers)

    assert kept.status_code == 200
    assert (moved.status_code, moved.json["errors"][0]["code"]) == (422, "secret_again")
    with services.database.transaction() as session:
        config = session.get_one(Source, made["id"]).config
    assert (config["password"], config["publishing_ms"], config["url"]) == ("hush", 500, "opc.tcp://10.0.0.8:4840")


def test_a_change_needs_the_revision_that_was_read(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    made = a_source(client, headers, plant)
    tag = client.get(f"/api/sources/{made['id']}", headers=headers).headers["ETag"]

    first = client.patch(f"/api/sources/{made['id']}", json={"enabled": False}, headers=headers | {"If-Match": tag})
    second = client.patch(f"/api/sources/{made['id']}", json={"enabled": True}, headers=headers | {"If-Match": tag})

    assert (first.status_code, first.json["enabled"], second.status_code) == (200, False, 412)


def test_a_group_that_tags_are_read_in_stays_and_its_period_goes_with_it(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    made = a_source(client, headers, plant, groups={"fast": 0.2, "slow": 60})
    row = {
        "tag": f"{plant.asset}.torque",
        "asset": plant.asset,
        "source": made["name"],
        "address": "ns=2;s=T",
        "group": "fast",
        "period_s": 0.2,
    }
    made_tag = client.post("/api/tags", json=row, headers=headers)
    at = f"/api/sources/{made['id']}"

    refused = client.patch(at, json={"groups": {"slow": 60}}, headers=headers)
    slower = client.patch(at, json={"groups": {"fast": 0.5}}, headers=headers)

    assert (refused.status_code, refused.json["code"]) == (409, "group_in_use")
    assert slower.status_code == 200
    with services.database.transaction() as session:
        assert session.get_one(Tag, made_tag.json["id"]).period_s == 0.5


def test_groups_are_kept_one_by_one(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    made = a_source(client, headers, plant, groups={"fast": 0.2})
    at = f"/api/sources/{made['id']}/groups"
    row = {"tag": f"{plant.asset}.g", "asset": plant.asset, "source": made["name"], "group": "fast", "period_s": 0.2}
    assert client.post("/api/tags", json=row, headers=headers).status_code == 201

    added = client.post(at, json={"name": "hourly", "period_s": 3600}, headers=headers)
    twice = client.post(at, json={"name": "hourly", "period_s": 60}, headers=headers)
    changed = client.patch(f"{at}/hourly", json={"period_s": 1800}, headers=headers | {"If-Match": added.headers.get("ETag", "*")})
    listed = client.get(at, headers=headers).json

    assert (added.status_code, added.headers["Location"], twice.status_code) == (201, f"{at}/hourly", 409)
    assert changed.json["period_s"] == 1800
    assert [(one["name"], one["period_s"], one["tags"]) for one in listed["items"]] == [("fast", 0.2, 1), ("hourly", 1800.0, 0)]
    assert client.delete(f"{at}/fast", headers=headers).json["code"] == "group_in_use"
    assert client.delete(f"{at}/hourly", headers=headers).status_code == 204
    assert client.get(f"{at}/hourly", headers=headers).status_code == 404


def test_a_source_with_tags_is_deleted_only_when_they_are_meant_too(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    made = a_source(client, headers, plant)
    tag = client.post("/api/tags", json={"tag": f"{plant.asset}.t", "asset": plant.asset, "source": made["name"]}, headers=headers).json
    at, before = f"/api/sources/{made['id']}", version(services)

    refused = client.delete(at, headers=headers)
    gone = client.delete(f"{at}?tags=delete", headers=headers)

    assert (refused.status_code, refused.json["code"], gone.status_code) == (409, "has_tags", 204)
    assert client.get(at, headers=headers).status_code == client.get(f"/api/tags/{tag['id']}", headers=headers).status_code == 404
    assert version(services) == before + 1
    with services.database.transaction() as session:
        assert session.get_one(Tag, tag["id"]).deleted_at is not None
    again = a_source(client, headers, plant)
    assert again["id"] == made["id"], "the same name is the same source again"


def test_a_tag_is_made_changed_switched_off_and_deleted(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    row = {"tag": f"{plant.asset}.level", "asset": plant.asset, "unit": "m", "low": 1, "high": 5}
    made = client.post("/api/tags", json=row, headers=headers)
    at, before = made.headers["Location"], version(services)

    assert client.post("/api/tags", json=row, headers=headers).status_code == 409
    assert client.patch(at, json={"low": 7}, headers=headers).status_code == 422
    off = client.patch(
        at, json={"enabled": False, "deadband_pct": 1}, headers=headers | {"If-Match": client.get(at, headers=headers).headers["ETag"]}
    )
    assert (off.status_code, off.json["enabled"], off.json["deadband_pct"]) == (200, False, 1.0)
    assert client.patch(at, json={"unit": "cm"}, headers=headers | {"If-Match": '"1-x"'}).status_code == 412
    assert client.delete(at, headers=headers).status_code == 204
    assert client.get(at, headers=headers).status_code == 404
    assert version(services) == before + 2
    assert [row[0] for row in audited(services, "tag", made.json["id"])] == ["create", "change", "delete"]


def test_a_wrong_address_is_refused_with_its_character(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    client.post("/api/sources", json={"name": f"s7-{plant.asset}", "kind": "s7", "config": {"host": "10.0.0.5"}}, headers=headers)
    row = {"tag": f"{plant.asset}.x", "asset": plant.asset, "source": f"s7-{plant.asset}"}

    wrong = client.post("/api/tags", json=row | {"address": "DB1,X0.9"}, headers=headers)
    right = client.post("/api/tags", json=row | {"address": "DB1,REAL4"}, headers=headers)

    assert wrong.status_code == 422
    assert "character 7" in wrong.json["errors"][0]["detail"]
    assert right.json["address"] == "DB1.DBD4:REAL"


@pytest.mark.parametrize(
    "body",
    [{"kind": "knx"}, {"groups": {"fast": 0}}, {"groups": {"": 1}}, {"name": ""}, {"config": 5}, {"enabled": "yes"}, {"colour": "red"}],
)
def test_a_source_that_cannot_be_is_refused(client: FlaskClient, plant: Plant, bearer: LogIn, body: dict[str, Any]) -> None:
    answer = client.post("/api/sources", json={"name": f"n-{plant.asset}", "kind": "s7"} | body, headers=bearer("manager"))

    assert answer.status_code == 422


def test_secrets_are_found_wherever_they_stand() -> None:
    config = {"url": "mqtt://user:pw@broker:1883/", "tls": {"key_password": "k"}, "list": [{"token": "t"}], "password": ""}

    shown = masked(config)

    assert shown == {"url": "mqtt://user:***@broker:1883/", "tls": {"key_password": "***"}, "list": [{"token": "***"}], "password": ""}
    assert unmasked({"url": shown["url"], "tls": shown["tls"]}, config) == {"url": config["url"], "tls": config["tls"]}
