"""Quarantine and dead letters: listed, tried again, exported, deleted; each with its right and in the audit trail."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from realtime.bus import DEAD, READINGS, SIGNALS, now_ms
from realtime.codec import decode_batch, encode_signal
from realtime.events import Signal, SignalName
from server.models.audit import AuditLog
from server.models.plant import Source
from server.services import Services
from tests.server.api.conftest import LogIn, Plant


@pytest.fixture
def source(services: Services, plant: Plant) -> str:
    with services.database.transaction() as session:
        return session.scalars(select(Source.name).where(Source.site_id == plant.site)).one()


def refuse(services: Services, source: str, reason: str, sample: Any, topic: str = "readings/x") -> None:
    text = sample if isinstance(sample, str) else json.dumps(sample)
    services.bus.add_refused([{"t": now_ms(), "source": source, "reason": reason, "topic": topic, "sample": text}])


def listed(client: FlaskClient, headers: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/api/quarantine{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


def stored(services: Services) -> list[tuple[int, float, frozenset[str]]]:
    batches = [decode_batch(f) for s in READINGS for _, f in services.bus.client.xrange(services.bus.key(s))]
    return [(int(i), float(v), frozenset(batch.flags)) for batch in batches for i, v in zip(batch.ids, batch.values, strict=True)]


def test_samples_are_listed_by_reason_and_source(client: FlaskClient, services: Services, bearer: LogIn, source: str) -> None:
    refuse(services, source, "not_json", "{cut")
    refuse(services, source, "unit", {"tag": "a", "value": 1})
    refuse(services, "another-sites-source", "unit", {"tag": "b", "value": 1})
    headers = bearer("manager")

    whole = client.get("/api/quarantine?sort=reason", headers=headers).json

    assert [row["reason"] for row in whole["items"]] == ["not_json", "unit"]
    assert (whole["total"], whole["reasons"]) == (2, {"not_json": 1, "unit": 1})
    assert [row["reason"] for row in listed(client, headers, "?reason=unit")] == ["unit"]
    assert listed(client, headers, "?source=nobody") == []
    assert client.get("/api/quarantine?sort=colour", headers=headers).status_code == 422


def test_a_reading_that_can_be_taken_now_is_taken_as_a_replay_and_leaves(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, source: str
) -> None:
    refuse(services, source, "unknown_tag", {"tag": plant.tag, "timestamp": now_ms(), "value": 4.5, "unit": "bar"})
    headers = bearer("manager")
    (row,) = listed(client, headers)

    answer = client.post(f"/api/quarantine/{row['id']}/retry", headers=headers)

    assert (answer.status_code, answer.json) == (200, {"accepted": 1, "rejected": [], "removed": True})
    assert stored(services) == [(plant.tag_id, 4.5, frozenset({"replay"}))]
    assert listed(client, headers) == []
    assert client.post(f"/api/quarantine/{row['id']}/retry", headers=headers).status_code == 404


def test_a_machines_object_is_taken_tag_by_tag(client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, source: str) -> None:
    payload = {"machine_id": plant.asset, "timestamp": now_ms(), "pressure": 5.5, "unheard": 1}
    refuse(services, source, "unknown_tag", payload, f"machines/{plant.asset}")
    (row,) = listed(client, bearer("manager"))

    answer = client.post(f"/api/quarantine/{row['id']}/retry", headers=bearer("manager"))

    assert (answer.json["accepted"], answer.json["removed"]) == (1, False), "what is still wrong stays"
    assert answer.json["rejected"] == [{"i": 1, "code": "unknown_tag"}]
    assert len(listed(client, bearer("manager"))) == 1


@pytest.mark.parametrize("sample", ["{cut", "", "7", "[1]", "{}", '{"tag":"a","value":' + "1" * 600 + "}", "[" * 400])
def test_what_is_no_whole_reading_is_not_tried(client: FlaskClient, services: Services, bearer: LogIn, source: str, sample: str) -> None:
    refuse(services, source, "not_json", sample[:500])
    (row,) = listed(client, bearer("manager"))

    answer = client.post(f"/api/quarantine/{row['id']}/retry", headers=bearer("manager"))

    assert row["retryable"] is False
    assert (answer.status_code, answer.json["code"]) == (409, "not_retryable")


def test_a_sample_is_deleted_and_the_audit_trail_keeps_it(client: FlaskClient, services: Services, bearer: LogIn, source: str) -> None:
    refuse(services, source, "not_json", "{cut")
    headers = bearer("manager")
    (row,) = listed(client, headers)

    assert client.delete(f"/api/quarantine/{row['id']}", headers=headers).status_code == 204

    assert listed(client, headers) == []
    with services.database.transaction() as session:
        kept = session.scalars(select(AuditLog).where(AuditLog.thing == "quarantine").order_by(AuditLog.id.desc())).first()
        assert kept is not None
        assert (kept.action, kept.old["sample"]) == ("delete", "{cut")


def test_the_quarantine_is_exported_and_no_cell_runs(client: FlaskClient, services: Services, bearer: LogIn, source: str) -> None:
    refuse(services, source, "not_json", "=cmd|' /c calc'!A0")

    answer = client.get("/api/quarantine?export=csv", headers=bearer("manager"))

    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[1][-1] == "'=cmd|' /c calc'!A0"


def a_dead_letter(services: Services) -> str:
    fields = {
        b"f." + k.encode(): v for k, v in encode_signal(Signal(SignalName.TAG_DISCOVERED, now_ms(), {"source": "s", "tag": "t"})).items()
    }
    head = {b"stream": SIGNALS.encode(), b"group": b"worker", b"reason": b"source s is unknown", b"id": b"1-0"}
    name = services.bus.client.xadd(services.bus.key(DEAD), {**head, **fields})  # type: ignore[dict-item]
    return str(name.decode())  # type: ignore[union-attr]


def test_a_dead_letter_is_sent_again_once(client: FlaskClient, services: Services, bearer: LogIn) -> None:
    name, headers = a_dead_letter(services), bearer("manager")
    (row,) = client.get("/api/dead-letters", headers=headers).json["items"]

    sent = client.post(f"/api/dead-letters/{name}/retry", headers=headers)
    again = client.post(f"/api/dead-letters/{name}/retry", headers=headers)

    assert (row["id"], row["stream"], row["group"], row["reason"]) == (name, "signals", "worker", "source s is unknown")
    assert (sent.status_code, again.status_code) == (200, 404)
    assert services.bus.client.xlen(services.bus.key(SIGNALS)) == 1
    assert services.bus.client.xlen(services.bus.key(DEAD)) == 0


def test_a_dead_letter_is_deleted_or_exported(client: FlaskClient, services: Services, bearer: LogIn) -> None:
    name, headers = a_dead_letter(services), bearer("manager")

    export = client.get("/api/dead-letters?export=csv", headers=headers)
    assert b"source s is unknown" in export.data
    assert client.delete(f"/api/dead-letters/{name}", headers=headers).status_code == 204
    assert client.get(f"/api/dead-letters/{name}", headers=headers).status_code == 404


@pytest.mark.parametrize("name", ["x", "1-1-1", "99999999999999999999-0", "-", "1"])
def test_a_letter_that_cannot_be_is_404(client: FlaskClient, bearer: LogIn, name: str) -> None:
    assert client.get(f"/api/dead-letters/{name}", headers=bearer("manager")).status_code == 404


def test_only_those_with_the_right_look_and_act(client: FlaskClient, bearer: LogIn) -> None:
    headers = bearer("planner")

    assert client.get("/api/quarantine", headers=headers).status_code == client.get("/api/dead-letters", headers=headers).status_code == 403
