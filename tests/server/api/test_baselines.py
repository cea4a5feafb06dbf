"""Healthy intervals over the API: marked, checked, confirmed or refused with the reasons, withdrawn; and what judges an asset."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from realtime.bus import now_ms
from realtime.events import Signal, SignalName
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.jobs import BackgroundJob
from server.models.ml import MLModelVersion
from server.models.plant import Asset
from server.services import Services
from server.signals import fold_signal
from server.store import health, liveness, snapshot
from server.timestamps import rfc3339, to_ms
from tests.server.api.conftest import LogIn, Plant

ACCEPTED: dict[str, Any] = {"reasons": [], "left_out_s": 90, "readings": 7200, "tags": 2}
WHY = "TT-201 changes within it"


def interval(services: Services, hours: float = 2.0, ago: float = 1.0) -> dict[str, str]:
    end = services.clock() - timedelta(hours=ago)
    return {"starts_at": str(rfc3339(end - timedelta(hours=hours))), "ends_at": str(rfc3339(end)), "note": "after the overhaul"}


def tell(services: Services, name: SignalName, **data: Any) -> None:
    with services.database.transaction() as session:
        fold_signal(session, Signal(name, now_ms(), data), services.clock(), 60.0)


def judge(services: Services, baseline: int, verdict: dict[str, Any]) -> None:
    with services.database.transaction() as session:
        query = select(BackgroundJob.id).where(BackgroundJob.args["baseline"].as_integer() == baseline)
        job = session.scalars(query).one()
    tell(services, SignalName.JOB_PROGRESS, job=job, total=1, done=1, message="judged", baseline={"id": baseline, **verdict})


def spans(services: Services, plant: Plant) -> list[tuple[int, bool]]:
    with services.database.transaction() as session:
        return [(one.start, one.confirmed) for one in snapshot.build(session, services.clock()).asset_by_id()[plant.asset_id].baselines]


def test_a_marked_interval_counts_when_its_check_confirms_it_and_no_more_when_it_is_withdrawn(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services
) -> None:
    headers, url = bearer("manager"), f"/api/assets/{plant.asset}/baselines"
    given = interval(services)

    marked = client.post(url, json=given, headers=headers)

    assert (marked.status_code, marked.headers["Location"]) == (201, url)
    assert (marked.json["state"], marked.json["marked_by"], marked.json["hours"], marked.json["note"]) == (
        "checking",
        "Manager",
        2.0,
        given["note"],
    )
    assert spans(services, plant) == []
    assert client.get(f"/api/ml/assets/{plant.asset}", headers=headers).json["under_way"] == "yes"

    judge(services, marked.json["id"], ACCEPTED)
    (listed,) = client.get(url, headers=bearer("viewer")).json["items"]
    assert (listed["state"], listed["confirmed_by"], listed["reasons"], listed["left_out_min"]) == ("confirmed", "Manager", [], 1.5)
    ((start, confirmed),) = spans(services, plant)
    assert confirmed
    assert abs(start - to_ms(services.clock() - timedelta(hours=3))) < 60_000
    assert client.get(f"/api/ml/assets/{plant.asset}", headers=headers).json["judged_by"] == "own"

    gone = client.delete(f"{url}/{listed['id']}", headers=headers)
    judge(services, marked.json["id"], ACCEPTED)  # told again
    assert (gone.status_code, gone.json["state"], spans(services, plant)) == (200, "withdrawn", [])
    with services.database.transaction() as session:
        acts = session.scalars(
            select(AuditLog.action).where(AuditLog.thing == "baseline", AuditLog.thing_id == listed["id"]).order_by(AuditLog.id)
        )
        assert list(acts) == ["baseline.mark", "baseline.confirm", "baseline.withdraw"]


def test_a_refused_interval_says_why_and_may_be_marked_again(client: FlaskClient, bearer: LogIn, plant: Plant, services: Services) -> None:
    headers, url, given = bearer("manager"), f"/api/assets/{plant.asset}/baselines", interval(services)
    first = client.post(url, json=given, headers=headers).json

    overlapping = client.post(url, json=given, headers=headers)
    judge(services, first["id"], {**ACCEPTED, "reasons": [WHY]})
    again = client.post(url, json=given, headers=headers)

    assert (overlapping.status_code, overlapping.json["code"]) == (409, "overlaps")
    assert again.status_code == 201
    listed = client.get(url, headers=headers).json["items"]
    assert [(row["state"], row["reasons"]) for row in listed] == [("checking", []), ("refused", [WHY])]
    assert spans(services, plant) == []


def test_a_check_that_was_lost_is_a_refusal_and_holds_up_no_other(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services
) -> None:
    headers, url, given = bearer("manager"), f"/api/assets/{plant.asset}/baselines", interval(services)
    lost = client.post(url, json=given, headers=headers).json
    with services.database.transaction() as session:
        job = session.scalars(select(BackgroundJob).where(BackgroundJob.args["baseline"].as_integer() == lost["id"])).one()
        job.state, job.message = "failed", "the worker was killed"

    (row,) = client.get(url, headers=headers).json["items"]

    assert (row["state"], row["reasons"][1]) == ("refused", "the worker was killed")
    judged = client.get(f"/api/ml/assets/{plant.asset}", headers=headers).json
    assert (judged["checking"], judged["under_way"]) == (0, "no")
    assert client.post(url, json=given, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("hours", "ago", "field", "code"),
    [
        (0.1, 1, "ends_at", "too_short"),
        (2, -0.5, "ends_at", "future"),
        (24 * 93, 1, "starts_at", "too_long"),
        (-1, 1, "ends_at", "too_short"),
    ],
)
def test_an_interval_that_cannot_be_one_is_refused(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services, hours: float, ago: float, field: str, code: str
) -> None:
    answer = client.post(f"/api/assets/{plant.asset}/baselines", json=interval(services, hours, ago), headers=bearer("manager"))

    assert answer.status_code == 422
    assert (answer.json["errors"][0]["field"], answer.json["errors"][0]["code"]) == (field, code)


def test_only_who_may_change_assets_marks_and_nobody_in_another_site(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services
) -> None:
    other = plant.other_tag.partition(".")[0]

    assert client.post(f"/api/assets/{plant.asset}/baselines", json=interval(services), headers=bearer("viewer")).status_code == 403
    assert client.post(f"/api/assets/{other}/baselines", json=interval(services), headers=bearer("manager")).status_code == 404
    assert client.get(f"/api/ml/assets/{other}", headers=bearer("manager")).status_code == 404
    assert client.delete(f"/api/assets/{plant.asset}/baselines/999999", headers=bearer("manager")).status_code == 404


def test_assets_are_listed_with_what_judges_them(client: FlaskClient, bearer: LogIn, plant: Plant) -> None:
    answer = client.get("/api/ml/assets?search=pump", headers=bearer("viewer")).json

    (row,) = answer["items"]
    assert (row["code"], row["judged_by"], row["active"], row["versions"], row["under_way"]) == (plant.asset, "provisional", None, 0, "no")


def alerts(services: Services, plant: Plant) -> list[tuple[str, str | None, bool]]:
    with services.database.transaction() as session:
        rows = session.scalars(select(AlertRecord).where(AlertRecord.asset_id == plant.asset_id).order_by(AlertRecord.id))
        return [(row.type, row.code, row.condition == "active") for row in rows]


def test_a_damaged_model_is_an_alert_until_a_whole_one_is_in_force(services: Services, plant: Plant) -> None:
    for _ in range(2):
        tell(services, SignalName.MODEL_STATE, asset=plant.asset_id, version=3, state="damaged", detail="signature does not fit")
    assert alerts(services, plant) == [("data_gap", "model_damaged", True)]
    with services.database.transaction() as session:
        (said,) = session.scalars(select(AlertRecord.data).where(AlertRecord.asset_id == plant.asset_id))
        asset = session.get_one(Asset, plant.asset_id)
        assert said["diagnosis"]["recommendation"].startswith(f"Activate another version of the model of {asset.code}")
        assert (said["diagnosis"]["suspect"], liveness.silent(session)) == ("unknown", set())
        assert "data_gap" not in {reason.kind for reason in health.of_asset(session, asset, services.clock()).reasons}

    tell(services, SignalName.MODEL_STATE, asset=plant.asset_id, version=2, state="whole")

    assert alerts(services, plant) == [("data_gap", "model_damaged", False)]


def test_an_asset_whose_active_version_is_damaged_is_judged_by_rules_only(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    def judged_by() -> str:
        return str(client.get(f"/api/ml/assets/{plant.asset}", headers=bearer("viewer")).json["judged_by"])

    made = {"detector": "residual", "trained_by": "t", "trained_at": services.clock(), "windows": 1, "feature_set": "1", "active": True}
    with services.database.transaction() as session:
        session.add(MLModelVersion(asset_id=plant.asset_id, version=3, **made))
    whole = judged_by()

    tell(services, SignalName.MODEL_STATE, asset=plant.asset_id, version=3, state="damaged", detail="signature does not fit")

    assert (whole, judged_by()) == ("version", "rules")
    (version,) = client.get(f"/api/ml/models/{plant.asset}", headers=bearer("viewer")).json["items"]
    path = f"/api/ml/models/{version['id']}/activate"
    client.delete(path, headers=bearer("manager"))
    refused = client.post(path, headers=bearer("manager"))
    assert (version["state"], refused.status_code, refused.json["code"]) == ("damaged", 409, "model_damaged")

    tell(services, SignalName.MODEL_STATE, asset=plant.asset_id, version=3, state="whole")

    assert client.post(path, headers=bearer("manager")).json["state"] == "active"


def test_a_model_of_another_library_is_trained_anew_once_and_says_so(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services
) -> None:
    headers = bearer("manager")
    job = client.post(f"/api/ml/train/{plant.tag}", headers=headers).json["id"]
    model = {"feature_set": "ten-1", "windows": 1, "contamination": 0.05, "detectors": ["forest"], "left_out_alarm_rate": 0.0125}
    tell(services, SignalName.JOB_PROGRESS, job=job, total=6, done=6, message="trained", model={**model, "baseline_hash": "old"})

    for _ in range(2):
        tell(
            services,
            SignalName.MODEL_STATE,
            asset=plant.asset_id,
            version=1,
            state="outdated",
            detail="made with older libraries",
            basis="new",
        )

    (version,) = client.get(f"/api/ml/models/{plant.asset}", headers=headers).json["items"]
    assert (version["state"], version["outdated"], version["left_out_alarm_pct"]) == ("outdated", "made with older libraries", 1.25)
    asked = client.get(f"/api/ml/assets/{plant.asset}", headers=headers).json["training"]
    assert (asked["version"], asked["created_by"], asked["args"]["basis"]) == (2, "system", "new")

    tell(services, SignalName.JOB_PROGRESS, job=asked["id"], total=6, done=6, message="trained", model={**model, "baseline_hash": "new"})
    tell(
        services, SignalName.MODEL_STATE, asset=plant.asset_id, version=1, state="outdated", detail="made with older libraries", basis="new"
    )
    with services.database.transaction() as session:
        assert len(session.scalars(select(MLModelVersion.id).where(MLModelVersion.asset_id == plant.asset_id)).all()) == 2
        assert len(session.scalars(select(BackgroundJob.id).where(BackgroundJob.site_id == plant.site)).all()) == 2
