"""Training over the API: 202 with the job, its status, the versions that came of it (S2-126, S2-127)."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from realtime.bus import now_ms
from realtime.events import Signal, SignalName
from server.models.audit import AuditLog
from server.models.jobs import BackgroundJob
from server.services import Services
from server.signals import fold_signal
from server.store import snapshot
from tests.server.api.conftest import LogIn, Plant

DESCRIPTION = {"feature_set": "ten-1", "windows": 120, "contamination": 0.05, "detectors": ["forest"], "trees": 50}


def report(services: Services, job: int, **data: object) -> None:
    with services.database.transaction() as session:
        fold_signal(session, Signal(SignalName.JOB_PROGRESS, now_ms(), {"job": job, "total": 1, **data}), services.clock(), 60.0)


def test_training_is_asked_for_by_tag_and_followed_until_its_version_is_there(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services
) -> None:
    headers = bearer("manager")

    answer = client.post(f"/api/ml/train/{plant.tag}", headers=headers)

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/ml/models/{plant.tag}"
    job = answer.json
    assert (job["name"], job["status"], job["asset"], job["version"]) == ("ml.train", "queued", plant.asset, 1)
    before = client.get(answer.headers["Location"], headers=bearer("viewer")).json
    assert (before["items"], before["total"], before["asset"], before["job"]) == ([], 0, plant.asset, job)

    report(services, job["id"], done=0, message="training")
    assert client.get(answer.headers["Location"], headers=headers).json["job"]["status"] == "running"
    report(services, job["id"], done=1, message="trained", model=DESCRIPTION)

    after = client.get(f"/api/ml/models/{plant.asset}", headers=headers).json
    (version,) = after["items"]
    assert (after["job"]["status"], after["job"]["done"]) == ("done", 1)
    assert (version["version"], version["windows"], version["contamination"], version["feature_set"]) == (1, 120, 0.05, "ten-1")
    assert (version["trained_by"], version["active"], version["metrics"]["trees"]) == ("Manager", False, 50)
    assert version["trained_at"] == after["job"]["finished_at"]


def test_a_failed_training_says_why(client: FlaskClient, bearer: LogIn, plant: Plant, services: Services) -> None:
    headers = bearer("admin")
    job = client.post(f"/api/ml/train/{plant.asset}", headers=headers).json

    report(services, job["id"], done=1, message="x", model={"refused": "0 readings of the least-read tag; 30 are needed"})

    found = client.get(f"/api/ml/models/{plant.tag}", headers=headers).json
    assert found["items"] == []
    assert (found["job"]["status"], found["job"]["message"]) == ("failed", "0 readings of the least-read tag; 30 are needed")


def test_asking_twice_is_one_training(client: FlaskClient, bearer: LogIn, plant: Plant, services: Services) -> None:
    headers = {**bearer("manager"), "Idempotency-Key": "train-once"}

    first, replayed = (client.post(f"/api/ml/train/{plant.tag}", headers=headers) for _ in range(2))
    again = client.post(f"/api/ml/train/{plant.tag}", headers=bearer("admin"))

    assert (first.json, replayed.status_code, replayed.headers["Idempotency-Replayed"]) == (replayed.json, 202, "true")
    assert again.json["id"] == first.json["id"]
    with services.database.transaction() as session:
        assert len(session.scalars(select(BackgroundJob).where(BackgroundJob.site_id == plant.site)).all()) == 1


def test_what_is_not_of_ones_own_site_is_not_there_and_without_the_right_it_is_refused(
    client: FlaskClient, bearer: LogIn, plant: Plant
) -> None:
    headers = bearer("manager")

    assert client.post(f"/api/ml/train/{plant.other_tag}", headers=headers).status_code == 404
    assert client.get(f"/api/ml/models/{plant.other_tag}", headers=headers).status_code == 404
    assert client.get("/api/ml/models/a/b", headers=headers).status_code == 404
    assert client.post(f"/api/ml/train/{plant.tag}", headers=bearer("viewer")).status_code == 403
    assert client.post(f"/api/ml/train/{plant.tag}").status_code == 401


def test_a_kept_version_is_activated_and_reaches_the_monitor_with_the_plant(
    client: FlaskClient, bearer: LogIn, plant: Plant, services: Services
) -> None:
    headers = bearer("manager")
    ids = []
    for _ in range(2):
        report(
            services, client.post(f"/api/ml/train/{plant.tag}", headers=headers).json["id"], done=1, message="trained", model=DESCRIPTION
        )
        ids.append(client.get(f"/api/ml/models/{plant.tag}", headers=headers).json["items"][0]["id"])

    def active() -> list[int]:
        with services.database.transaction() as session:
            return [model.version for model in snapshot.build(session, services.clock()).active_models if model.asset == plant.asset_id]

    steps = []
    for id_, method in ((ids[0], "post"), (ids[1], "post"), (ids[1], "post"), (ids[1], "delete")):
        answer = getattr(client, method)(f"/api/ml/models/{id_}/activate", headers=headers)
        steps.append((answer.status_code, answer.json["active"], active()))

    assert steps == [(200, True, [1]), (200, True, [2]), (200, True, [2]), (200, False, [])]
    assert client.post(f"/api/ml/models/{ids[0]}/activate", headers=bearer("viewer")).status_code == 403
    assert client.post("/api/ml/models/999999/activate", headers=headers).status_code == 404
    with services.database.transaction() as session:
        query = select(AuditLog).where(AuditLog.action == "activate", AuditLog.thing_id.in_(ids)).order_by(AuditLog.id)
        told = [(row.old, row.new["active"]) for row in session.scalars(query) if row.new]
    assert told == [({"active": []}, 1), ({"active": [1]}, 2), ({"active": [2]}, None)]
