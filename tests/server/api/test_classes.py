"""Asset classes by REST: presets, preview and apply, fault codes in every language, codes nobody has named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from realtime.events import Signal, SignalName
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.parts import BomLine
from server.models.plans import PmPlan, PmPlanAsset
from server.models.plant import Asset, Tag, TagLimit
from server.models.work import Procedure
from server.presets import library, vibration
from server.services import Services
from server.signals import fold_signal
from server.timestamps import to_ms
from tests.server.api.conftest import LogIn, Plant


def class_named(client: FlaskClient, headers: dict[str, str], name: str) -> Any:
    rows = client.get(f"/api/classes?search={name}", headers=headers).json["items"]
    return next(row for row in rows if row["name"] == name)


@pytest.fixture
def pump(client: FlaskClient, plant: Plant, bearer: LogIn) -> Any:
    headers = bearer("manager")
    assert client.post("/api/classes/presets/energy", headers=headers).status_code == 200
    return class_named(client, headers, "pump")


def limits_of(services: Services, tag: str) -> list[tuple[float, str]]:
    with services.database.transaction() as session:
        query = select(TagLimit.value, TagLimit.severity).join(Tag, Tag.id == TagLimit.tag_id).where(Tag.name == tag)
        return [(value, severity) for value, severity in session.execute(query.order_by(TagLimit.value))]


def apply(client: FlaskClient, headers: dict[str, str], class_id: int, *codes: str, **more: Any) -> Any:
    answer = client.post(f"/api/classes/{class_id}/apply", json={"assets": list(codes), **more}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.mark.parametrize("name", sorted(library.presets()))
def test_a_preset_installs_its_classes_and_a_second_time_nothing(client: FlaskClient, plant: Plant, bearer: LogIn, name: str) -> None:
    headers = bearer("planner")

    first = client.post(f"/api/classes/presets/{name}", headers=headers)
    second = client.post(f"/api/classes/presets/{name}", headers=headers)

    assert first.status_code == 200, first.text
    assert second.json == {"created": [], "completed": [], "unchanged": library.presets()[name]["classes"]}
    for class_name in library.presets()[name]["classes"]:
        shown = class_named(client, headers, class_name)
        assert shown["tags"]
        assert shown["fault_codes"] == len(library.classes()[class_name]["fault_codes"])


def test_the_four_presets_are_those_of_the_trade_and_every_class_is_in_one() -> None:
    assert set(library.presets()) == {"manufacturing", "energy", "automotive", "hvac"}
    assert {name for preset in library.presets().values() for name in preset["classes"]} == set(library.classes())


def test_a_preview_lists_every_change_and_makes_none(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, pump: Any
) -> None:
    preview = apply(client, bearer("planner"), pump["id"], plant.asset)

    assert preview["dry_run"] is True
    changes = [(row["act"], row["kind"], row["thing"]) for row in preview["assets"][0]["changes"]]
    assert ("add", "class", plant.asset) in changes
    assert ("add", "tag", f"{plant.asset}.vibration") in changes
    assert ("add", "limits", f"{plant.asset}.vibration") in changes
    assert {row["kind"] for row in preview["site"]} == {"procedure", "plan", "part"}
    assert len(preview["lines"]) == len(changes) + len(preview["site"])
    assert not any(mark in row[side] for row in preview["lines"] for side in ("old", "new") for mark in "{}[]'")
    with services.database.transaction() as session:
        assert session.get_one(Asset, plant.asset_id).class_id is None
        assert session.scalar(select(func.count()).where(Tag.asset_id == plant.asset_id)) == 1


def test_applying_makes_tags_limits_procedures_and_plans_once(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, pump: Any
) -> None:
    headers = bearer("manager")
    client.post("/api/parts", json={"name": "Mechanical seal", "unit": "pcs"}, headers=headers)
    preview = apply(client, headers, pump["id"], plant.asset)

    made = apply(client, headers, pump["id"], plant.asset, dry_run=False)
    again = apply(client, headers, pump["id"], plant.asset, dry_run=False)

    assert made["counts"] == preview["counts"]
    assert (again["counts"]["add"], again["counts"]["change"]) == (0, 0)
    zones = vibration.ZONES["2-rigid"]
    assert limits_of(services, f"{plant.asset}.vibration") == [(zones.bc, "warning"), (zones.cd, "critical")]
    with services.database.transaction() as session:
        assert session.scalars(select(Procedure.code).where(Procedure.site_id == plant.site)).all() == ["CL-PUMP-01"]
        plans = session.scalars(select(PmPlan).where(PmPlan.site_id == plant.site)).all()
        assert sorted(plan.series for plan in plans) == ["class:pump:grease", "class:pump:inspect"]
        assert session.scalar(select(func.count()).where(PmPlanAsset.asset_id == plant.asset_id)) == 2
        assert session.scalar(select(func.count()).where(BomLine.site_id == plant.site, BomLine.class_id == pump["id"])) == 1
        row = session.scalars(select(AuditLog).where(AuditLog.action == "apply_class", AuditLog.thing_id == plant.asset_id)).one()
        assert row.new is not None
        assert row.new["class"] == "pump"


def test_a_persons_limit_stays_until_replaced_and_the_machine_group_chooses_the_zones(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, pump: Any
) -> None:
    headers, tag = bearer("manager"), f"{plant.asset}.vibration"
    apply(client, headers, pump["id"], plant.asset, dry_run=False)
    own = {"tag": tag, "limits": [{"side": "high", "value": 3.3, "severity": "warning"}]}
    assert client.put("/api/tags", json=[own], headers=headers).status_code == 200

    kept = apply(client, headers, pump["id"], plant.asset, dry_run=False, machine_group="1-flexible")
    assert limits_of(services, tag) == [(3.3, "warning")]
    apply(client, headers, pump["id"], plant.asset, dry_run=False, replace=True, machine_group="1-flexible")

    assert kept["counts"]["keep"] >= 1
    assert limits_of(services, tag) == [(7.1, "warning"), (11.0, "critical")]


def test_an_unknown_asset_or_one_of_another_site_changes_nothing(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, pump: Any
) -> None:
    with services.database.transaction() as session:
        far = session.scalars(select(Asset.code).where(Asset.site_id == plant.other_site)).one()

    body = {"assets": [plant.asset, far], "dry_run": False}
    answer = client.post(f"/api/classes/{pump['id']}/apply", json=body, headers=bearer("manager"))

    assert answer.status_code == 422
    assert client.post(f"/api/classes/{pump['id']}/apply", json=body, headers=bearer("technician")).status_code == 403
    with services.database.transaction() as session:
        assert session.get_one(Asset, plant.asset_id).class_id is None


def test_a_class_is_written_changed_and_taken_out_when_nothing_is_in_it(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers, name = bearer("planner"), f"mixer_{plant.asset.lower()}"
    row = client.post("/api/classes", json={"name": name, "tags": [{"name": "speed", "unit": "1/min"}]}, headers=headers)
    assert row.status_code == 201, row.text
    path = f"/api/classes/{row.json['id']}"

    changed = client.patch(path, json={"label": "Mixer", "running": {"role": "running"}}, headers=headers)
    client.patch(f"/api/assets/{plant.asset}", json={"class": name}, headers=headers)
    used = client.delete(path, headers=headers)
    client.patch(f"/api/assets/{plant.asset}", json={"class": None}, headers=headers)

    assert (changed.json["label"], changed.json["tags"][0]["name"]) == ("Mixer", "speed")
    assert used.status_code == 409
    assert client.delete(path, headers=headers).status_code == 204
    assert client.get(path, headers=headers).status_code == 404


def test_a_procedure_that_cannot_be_published_is_refused_with_its_class(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    broken = {"code": "X", "title": "X", "steps": [{"id": "s1", "k": "dance", "t": "?"}]}

    answer = client.post("/api/classes", json={"name": "odd", "procedures": [broken]}, headers=bearer("planner"))

    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "procedures")


def show_fault(services: Services, asset: int, code: str, minutes: int = 0) -> None:
    with services.database.transaction() as session:
        t = to_ms(services.clock() + timedelta(minutes=minutes))
        signal = Signal(SignalName.STATE_OBSERVED, t, {"asset": asset, "operating": "fault", "fault_code": code})
        fold_signal(session, signal, services.clock(), 60)


def test_an_unknown_code_is_shown_raw_listed_and_takes_its_name_in_every_language(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    headers = bearer("planner")
    show_fault(services, plant.asset_id, "77")
    alert = client.get("/api/alerts?active=true", headers=headers).json["items"][0]
    unknown = client.get("/api/fault-codes/unknown", headers=headers).json["items"]

    named = client.post(
        "/api/fault-codes",
        json={"asset": plant.asset, "code": "77", "text": "Guard open", "texts": {"fr": "Carter ouvert", "ar": "الغطاء مفتوح"}},
        headers=headers,
    )

    assert "77" in alert["title"]
    assert alert["data"]["named"] is False
    assert [(row["asset"]["code"], row["code"], row["times"]) for row in unknown] == [(plant.asset, "77", 1)]
    assert named.status_code == 201, named.text
    assert client.get("/api/fault-codes/unknown", headers=headers).json["items"] == []
    told = client.get("/api/alerts?active=true", headers=headers).json["items"][0]
    assert told["title"] == "Fault 77: Guard open"
    assert told["data"]["texts"] == {"en": "Guard open", "fr": "Carter ouvert", "ar": "الغطاء مفتوح"}


def test_an_assets_own_code_stands_before_its_classs(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, pump: Any
) -> None:
    headers = bearer("planner")
    apply(client, headers, pump["id"], plant.asset, dry_run=False)
    show_fault(services, plant.asset_id, "3")
    of_class = client.get("/api/alerts?active=true", headers=headers).json["items"][0]

    client.post("/api/fault-codes", json={"asset": plant.asset, "code": "3", "text": "Our own seal"}, headers=headers)

    assert (of_class["title"], of_class["data"]["what"]) == ("Fault 3: Seal leakage", "leak")
    assert client.get("/api/alerts?active=true", headers=headers).json["items"][0]["title"] == "Fault 3: Our own seal"
    with services.database.transaction() as session:
        assert session.scalars(select(AlertRecord.severity).where(AlertRecord.asset_id == plant.asset_id)).all() == ["warning"]


def test_a_code_has_one_owner_and_one_meaning(client: FlaskClient, plant: Plant, bearer: LogIn) -> None:
    headers = bearer("planner")
    body = {"asset": plant.asset, "code": "5", "text": "Five"}
    first = client.post("/api/fault-codes", json=body, headers=headers)

    answers = [
        client.post("/api/fault-codes", json=body, headers=headers),
        client.post("/api/fault-codes", json={"code": "5", "text": "Five"}, headers=headers),
        client.post("/api/fault-codes", json={**body, "class": "pump"}, headers=headers),
        client.patch(f"/api/fault-codes/{first.json['id']}", json={"severity": "loud"}, headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [409, 422, 422, 422]
    assert client.delete(f"/api/fault-codes/{first.json['id']}", headers=headers).status_code == 204
    assert client.post("/api/fault-codes", json=body, headers=headers).status_code == 201


def test_every_list_of_a_shipped_class_is_taken_back_as_it_was_read(client: FlaskClient, pump: Any, bearer: LogIn) -> None:
    headers = bearer("manager")
    for name in library.presets():
        assert client.post(f"/api/classes/presets/{name}", headers=headers).status_code == 200

    wrong = []
    for row in client.get("/api/classes?limit=500", headers=headers).json["items"]:
        for part in ("tags", "plans", "procedures", "bom"):
            answer = client.patch(f"/api/classes/{row['id']}", json={part: row[part] or []}, headers=headers)
            wrong += [] if answer.status_code == 200 else [(row["name"], part, answer.text[:200])]

    assert wrong == []
