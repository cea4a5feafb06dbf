"""PUT /api/tags and PUT /api/sources: upserts, all or none, audited, one new version of the plant."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from server.models.audit import AuditLog
from server.models.outbox import Outbox
from server.models.plant import Area, Asset, Source, Tag, TagLimit
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

TAG_MAP = """
machine: {machine}
source: {{name: {machine}-s7, driver: s7, host: 10.0.0.5, rack: 0, slot: 1}}
groups: {{fast: 200ms, normal: 1s}}
tags:
 - {{name: {machine}.oil, addr: "DB1,REAL8", unit: °C, group: fast, range: [0, 120]}}
 - {{name: {machine}.stroke, addr: "DB1,INT12", unit: mm, scale: {{raw: [0, 27648], eng: [0, 400]}}}}
"""


def version(answer: Any) -> int:
    """The plant's version an answer carries."""
    assert answer.status_code == 200, answer.text
    return int(answer.json["config_version"])


def test_a_new_tag_brings_its_asset_and_a_new_version(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    code = f"N{plant.asset}"
    row = {"tag": f"{code}.flow", "asset": code, "unit": "m³/h", "low": 1, "high": 9.5, "limits": [{"side": "high", "value": 12}]}

    answer = client.put("/api/tags", json=[row], headers=bearer("manager"))

    assert answer.json["created"] == [row["tag"]]
    with services.database.transaction() as session:
        tag = session.scalars(select(Tag).where(Tag.name == row["tag"])).one()
        asset = session.get_one(Asset, tag.asset_id)
        assert (tag.unit, tag.low, tag.high, asset.code) == ("m³/h", 1.0, 9.5, code)
        assert session.get_one(Area, asset.area_id).name == "Unassigned"
        assert session.scalars(select(TagLimit.value).where(TagLimit.tag_id == tag.id)).all() == [12.0]
        told = session.scalars(select(Outbox).where(Outbox.name == "config.changed").order_by(Outbox.id.desc())).first()
        assert told is not None
        assert told.data == {"version": version(answer)}
        assert session.scalars(select(AuditLog).where(AuditLog.thing == "tag", AuditLog.thing_id == tag.id)).first() is not None


def test_the_same_write_again_changes_nothing(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    row = {"tag": plant.tag, "unit": "bar", "high": 8.5, "limits": [{"side": "high", "value": 9.0}]}
    first = version(client.put("/api/tags", json=[row], headers=headers))

    answer = client.put("/api/tags", json=[row], headers=headers)

    assert version(answer) == first
    assert answer.json["unchanged"] == [plant.tag]


def test_numbers_come_back_as_they_were_whatever_their_size(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers, scale = bearer("manager"), [-1.3e-162, 1.0064736144193653e212]
    assert client.post("/api/tags", json={"tag": f"{plant.asset}.huge", "scale_eng": scale}, headers=headers).status_code == 201

    (found,) = client.get(f"/api/tags?search={plant.asset}.huge", headers=headers).json["items"]

    assert found["scale_eng"] == scale


def test_what_is_left_out_stays(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    client.put("/api/tags", json=[{"tag": plant.tag, "label": "Discharge pressure"}], headers=bearer("manager"))

    with services.database.transaction() as session:
        tag = session.get_one(Tag, plant.tag_id)
        assert (tag.label, tag.unit, tag.high, tag.asset_id) == ("Discharge pressure", "bar", 9.0, plant.asset_id)


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"tag": "X.a", "low": 5, "high": 5}, 422),
        ({"tag": "X.b", "unit": 7}, 422),
        ({"tag": "X.c", "low": True}, 422),
        ({"tag": "X.d", "source": "nobody"}, 422),
        ({"tag": "X.e", "period_s": 0}, 422),
        ({"tag": "X.f", "limits": [{"side": "up", "value": 1}]}, 422),
        ({"tag": "", "unit": "bar"}, 422),
        ({"tag": "X.g", "colour": "red"}, 422),
    ],
)
def test_one_bad_row_refuses_the_whole_write(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, row: dict[str, Any], status: int
) -> None:
    good = {"tag": f"{plant.asset}.good", "unit": "bar"}

    answer = client.put("/api/tags", json=[good, row], headers=bearer("manager"))

    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    with services.database.transaction() as session:
        assert session.scalars(select(Tag).where(Tag.name.in_([good["tag"], "X.a"]))).all() == []


def test_another_sites_tag_is_not_taken_over(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    answer = client.put("/api/tags", json=[{"tag": plant.other_tag, "unit": "psi"}], headers=bearer("admin"))

    assert answer.status_code == 409


@pytest.mark.parametrize("kind", ["application/yaml", "text/yaml"])
def test_a_source_is_written_from_a_tag_map(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, kind: str) -> None:
    machine = f"P{plant.asset}{len(kind)}"

    answer = client.put("/api/sources", data=TAG_MAP.format(machine=machine), content_type=kind, headers=bearer("manager"))

    assert version(answer) > 0
    with services.database.transaction() as session:
        source = session.scalars(select(Source).where(Source.name == f"{machine}-s7")).one()
        tags = session.scalars(select(Tag).where(Tag.source_id == source.id).order_by(Tag.name)).all()
        assert (source.kind, source.config["host"], source.groups["fast"]) == ("s7", "10.0.0.5", 0.2)
        assert [tag.name for tag in tags] == [f"{machine}.oil", f"{machine}.stroke"]
        assert (tags[0].period_s, tags[1].scale_eng, tags[0].asset_id) == (0.2, [0.0, 400.0], tags[1].asset_id)


def test_a_tag_map_may_be_json(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    name = f"J{plant.asset}"
    document = {"source": {"name": name, "driver": "mqtt", "topics": ["readings/#"]}, "tags": [{"name": f"{name}.x", "addr": ""}]}

    answer = client.put("/api/sources", json=document, headers=bearer("manager"))

    assert answer.json["source"] == name


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("source: [", "application/yaml", 422),
        ("a: &a [1]\nb: *a", "application/yaml", 422),
        ("source: {name: s, driver: s7}\ntags: [{name: t, addr: 'DB1,REAL999999'}]", "application/yaml", 422),
        ("source: {name: s, driver: modbus9}\ntags: [{name: t, addr: x}]", "application/yaml", 422),
        ("[1, 2]", "application/json", 400),
        ("{}", "application/json", 422),
        ("source: 1", "text/plain", 415),
        ("x: " + "y" * 300_000, "application/yaml", 413),
    ],
)
def test_a_bad_tag_map_is_refused_with_its_place(
    client: FlaskClient, plant: Plant, bearer: LogIn, body: str, kind: str, status: int
) -> None:
    answer = client.put("/api/sources", data=body, content_type=kind, headers=bearer("manager"))

    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text


def test_secrets_of_a_source_are_not_shown(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    with services.database.transaction() as session:
        session.add(
            Source(site_id=plant.site, name=f"sec-{plant.asset}", kind="opcua", config={"url": "opc.tcp://h", "password": "hunter2"})
        )

    answer = client.get("/api/sources", headers=bearer("manager"))

    assert "hunter2" not in answer.text
    assert "opc.tcp://h" in answer.text
