"""Tag maps in and out by the API: a dry run tells all and stores nothing, a real run takes all or none, an export changes nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from server.models.plant import Asset, PlantVersion, Source, Tag
from server.services import Services
from tests.server.api.conftest import LogIn, Plant

MAPS = Path(__file__).parents[2] / "plc" / "tagmaps"


def send(client: FlaskClient, headers: dict[str, str], name: str, content: bytes, **words: Any) -> Any:
    form = {**words, "file": (io.BytesIO(content), name)}
    return client.post("/api/sources/import", data=form, headers=headers, content_type="multipart/form-data")


def press(plant: Plant, name: str = "press.yaml") -> bytes:
    """The sample with names of this test's own."""
    text = (MAPS / name).read_text("utf-8")
    return text.replace("PRESS-09", f"P{plant.asset}").replace("press-09", f"p{plant.asset}").encode()


def standing(services: Services, plant: Plant) -> tuple[int, int, int]:
    with services.database.transaction() as session:
        tags = select(func.count()).select_from(Tag).join(Asset, Asset.id == Tag.asset_id).where(Asset.site_id == plant.site)
        sources = select(func.count()).select_from(Source).where(Source.site_id == plant.site)
        version = session.scalars(select(PlantVersion.version)).one()
        return session.scalar(tags) or 0, session.scalar(sources) or 0, version


def test_a_dry_run_tells_what_would_come_and_stores_nothing(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    before = standing(services, plant)

    answer = send(client, bearer("manager"), "press.yaml", press(plant), dry_run="1")

    assert answer.status_code == 200, answer.text
    assert (answer.json["format"], answer.json["rows"], answer.json["bad"], len(answer.json["created"])) == ("yaml", 5, 0, 5)
    assert answer.json["changes"][0]["thing"] == "source"
    assert standing(services, plant) == before


def test_an_import_is_one_version_and_its_export_changes_nothing(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers, before = bearer("manager"), standing(services, plant)
    taken = send(client, headers, "press.csv", press(plant, "press.csv"))
    assert taken.status_code == 200, taken.text
    after = standing(services, plant)
    source = client.get(f"/api/sources?search=p{plant.asset}", headers=headers).json["items"][0]

    for form in ("yaml", "csv"):
        export = client.get(f"/api/sources/{source['id']}/export?format={form}", headers=headers)
        again = send(client, headers, f"x.{form}", export.data)
        assert (again.status_code, again.json["created"], again.json["updated"], again.json["changes"]) == (200, [], [], [])
        assert len(again.json["unchanged"]) == 5

    assert after == (before[0] + 5, before[1] + 1, before[2] + 1)
    assert standing(services, plant) == after


def test_an_export_masks_secrets_and_its_import_keeps_them(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")
    body = {"name": f"b-{plant.asset}", "kind": "mqtt", "config": {"url": "mqtt://u:hush@broker:1883", "topics": ["a/#"]}}
    made = client.post("/api/sources", json=body, headers=headers).json

    export = client.get(f"/api/sources/{made['id']}/export", headers=headers)
    again = send(client, headers, "x.yaml", export.data)

    assert b"hush" not in export.data
    assert (again.status_code, again.json["changes"]) == (200, [])
    with services.database.transaction() as session:
        assert session.get_one(Source, made["id"]).config["url"] == "mqtt://u:hush@broker:1883"


def test_bad_rows_are_listed_and_nothing_is_stored_unless_they_are_to_be_left_out(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers, before = bearer("manager"), standing(services, plant)
    content = press(plant, "press_bad.csv")

    looked = send(client, headers, "press_bad.csv", content, dry_run="1")
    refused = send(client, headers, "press_bad.csv", content)
    between = standing(services, plant)
    taken = send(client, headers, "press_bad.csv", content, skip_bad="1")

    assert {"where": "line 4.addr", "detail": looked.json["errors"][1]["detail"], "text": "DB10,X0.9", "position": 7} in looked.json[
        "errors"
    ]
    assert any("odd" in told for told in looked.json["warnings"])
    assert (refused.status_code, refused.json["code"], len(refused.json["errors"])) == (422, "bad_rows", 3)
    assert between == before
    assert (taken.status_code, len(taken.json["created"]), taken.json["bad"]) == (200, 2, 3)


@pytest.mark.parametrize(
    ("name", "words", "sources"),
    [
        ("filler_tia.csv", {"source": "f", "host": "10.9.0.6", "prefix": "{m}."}, 1),
        ("oven_kepware.csv", {"source": "o", "host": "10.9.0.6", "prefix": "{m}.", "skip_bad": "1"}, 1),
        ("mixer_telegraf.toml", {"prefix": "{m}.", "skip_bad": "1"}, 3),
        ("pump_nodes7.csv", {"source": "p", "host": "10.9.0.6", "prefix": "{m}."}, 1),
        ("pump_flow.json", {"prefix": "{m}.pump."}, 1),
    ],
)
def test_lists_of_other_tools_are_taken(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, name: str, words: dict[str, str], sources: int
) -> None:
    before = standing(services, plant)
    said = {key: value.format(m=plant.asset) for key, value in words.items()}
    if "source" in said:
        said["source"] += plant.asset
    content = (MAPS / name).read_bytes()
    for known in (b"mixer-scada", b"pump-plc", b"10.9.0.7", b"10.9.0.9"):  # names of sources are unique in the whole instance
        content = content.replace(known, known + plant.asset.encode())

    answer = send(client, bearer("manager"), name, content, machine=plant.asset, **said)

    assert answer.status_code == 200, answer.text
    assert standing(services, plant)[1] == before[1] + sources
    with services.database.transaction() as session:
        assets = session.scalars(select(Tag.asset_id).where(Tag.name.in_(answer.json["created"]))).all()
    assert len(assets) >= 2
    assert set(assets) == {plant.asset_id}


def test_a_list_without_a_device_adds_to_a_source_and_leaves_its_settings_and_units(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("manager")
    config = {"host": "10.9.0.4", "rack": 0, "slot": 2}
    made = client.post(
        "/api/sources", json={"name": f"oven-{plant.asset}", "kind": "s7", "config": config, "groups": {"slow": 5}}, headers=headers
    )
    words = {"source": f"oven-{plant.asset}", "machine": plant.asset, "prefix": f"{plant.asset}.", "skip_bad": "1"}
    send(client, headers, "oven.csv", (MAPS / "oven_kepware.csv").read_bytes(), **words)
    client.put("/api/tags", json=[{"tag": f"{plant.asset}.Door_Open", "unit": "open", "label": "Front door"}], headers=headers)

    again = send(client, headers, "oven.csv", (MAPS / "oven_kepware.csv").read_bytes(), **words)

    source = client.get(made.headers["Location"], headers=headers).json
    assert source["config"] == config
    assert source["groups"] == {"slow": 5.0, "500ms": 0.5, "100ms": 0.1, "1s": 1.0}
    assert again.json["changes"] == [
        {"thing": "tag", "name": f"{plant.asset}.Door_Open", "old": {"label": "Front door"}, "new": {"label": "Door"}}
    ]


def test_a_name_in_two_sources_of_one_file_is_made_once(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    one = """[[inputs.s7comm]]
server = "{host}:102"
[[inputs.s7comm.metric]]
fields = [{{ name = "same", address = "DB1.R4" }}]
"""
    content = (one.format(host=f"a{plant.asset}") + one.format(host=f"b{plant.asset}")).encode()

    answer = send(client, bearer("manager"), "x.toml", content, machine=plant.asset, prefix=f"{plant.asset}.")

    assert (answer.status_code, answer.json["created"], answer.json["updated"]) == (200, [f"{plant.asset}.same"], [f"{plant.asset}.same"])


def test_a_source_of_another_kind_or_none_is_said(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("manager")

    none = send(client, headers, "p.json", b'{"A": "M0.0"}', dry_run="1", source="nobody")
    silent = send(client, headers, "p.json", b'{"A": "M0.0"}', dry_run="1")

    assert "host=" in none.json["errors"][0]["detail"]
    assert silent.json["errors"][0]["where"] == "source"


def test_only_those_who_may_configure_import_and_export(client: FlaskClient, bearer: LogIn) -> None:
    assert send(client, bearer("technician"), "p.json", b"{}").status_code == 403
    assert client.get("/api/sources/1/export", headers=bearer("technician")).status_code == 403
