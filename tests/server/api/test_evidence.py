"""Fault stories, the chain of evidence of an order, verdict precision and alarm figures over REST."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from realtime import historian
from realtime.events import Batch
from server import audit
from server import evidence as command
from server.audit_files import audit_key
from server.models.alerts import AlertFinding, AlertRecord
from server.models.evidence import FaultStory
from server.models.plant import OperatingPeriod, TagLimit
from server.models.work import WorkOrder
from server.services import Services
from server.store import fault_story
from server.timestamps import rfc3339, to_ms
from tests.server.api.conftest import LogIn, Plant
from tests.server.api.test_queries import MOST, counted
from tests.server.export.pdf_words import words

RAISED = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)


def readings(services: Services, plant: Plant, start: datetime, seconds: int) -> None:
    """One reading a second, rising."""
    t = to_ms(start) + np.arange(seconds, dtype=np.int64) * 1000
    batch = Batch(
        shard=plant.asset_id % 8,
        received_ms=int(t[-1]),
        source="test",
        ids=np.full(seconds, plant.tag_id, np.uint32),
        t=t,
        quality=np.zeros(seconds, np.uint8),
        seq=np.zeros(seconds, np.uint32),
        values=np.linspace(5.0, 9.5, seconds),
    )
    connection = services.database.engine.raw_connection()
    historian.write_batches(connection, [batch])
    connection.commit()
    connection.close()


@pytest.fixture
def alert(services: Services, plant: Plant) -> int:
    """A limit crossed twenty minutes ago, on a machine that ran; half an hour of readings."""
    readings(services, plant, RAISED - timedelta(minutes=20), 30 * 60)
    with services.database.transaction() as session:
        row = AlertRecord(
            number=f"ALERT_{plant.asset}",
            site_id=plant.site,
            asset_id=plant.asset_id,
            tag_id=plant.tag_id,
            tag=plant.tag,
            type="rule_violation",
            severity="critical",
            detector="limits",
            origin="rule",
            message="Pressure above 9 bar",
            unit="bar",
            because=[{"tag": plant.tag, "share": 1.0}],
            raised_at=RAISED,
            last_at=RAISED,
        )
        session.add(row)
        session.add(OperatingPeriod(asset_id=plant.asset_id, operating="running", started_at=RAISED - timedelta(hours=3)))
        session.add(TagLimit(tag_id=plant.tag_id, side="high", value=9.0, severity="critical"))
        session.flush()
        finding = {"type": row.type, "detector": "limits", "active": True, "score": 1.3, "limit": 1.0, "because": row.because}
        times = {"onset_t": to_ms(RAISED), "found_t": to_ms(RAISED), "last_t": to_ms(RAISED)}
        session.add(AlertFinding(key=f"k{row.id}", alert_id=row.id, asset_id=plant.asset_id, **finding, **times))
        return row.id


def tell(services: Services, now: datetime) -> int:
    with services.database.transaction() as session:
        return fault_story.tell_stories(session, now)


def test_the_story_freezes_all_signals_states_and_last_works_before_and_after_the_raise(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, alert: int
) -> None:
    headers, path = bearer("technician"), f"/api/alerts/{alert}/story"
    record = {"asset": plant.asset, "action": "replace", "description": "Seal replaced", "parts": [{"sku": "S-1", "qty": 2}]}
    client.post("/api/maintenance", json={**record, "performed_at": rfc3339(RAISED - timedelta(days=2))}, headers=headers)
    assert client.get(path, headers=headers).json["state"] == "waiting"

    told = [tell(services, RAISED + timedelta(seconds=s)) for s in (5, 20, 60, 320, 400)]

    assert told == [0, 1, 0, 1, 0]
    story = client.get(path, headers=headers).json
    assert (story["state"], story["raised_at"]) == ("complete", rfc3339(RAISED))
    before, after = story["before"], story["after"]
    assert (before["from"], before["to"], after["to"]) == (
        rfc3339(RAISED - timedelta(minutes=15)),
        rfc3339(RAISED),
        rfc3339(RAISED + timedelta(minutes=5)),
    )
    (course,) = before["tags"]
    assert (course["tag"], course["unit"], course["limits"][0]["value"]) == (plant.tag, "bar", 9.0)
    assert 10 <= len(course["points"]) <= fault_story.POINTS
    assert before["states"][0]["operating"] == "running"
    assert (before["works"][0]["description"], before["parts"][0]["sku"]) == ("Seal replaced", "S-1")
    assert before["intact"] is True


def test_a_frozen_story_is_not_changed_by_what_comes_later(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, alert: int
) -> None:
    tell(services, RAISED + timedelta(seconds=20))
    path = f"/api/alerts/{alert}/story"
    first = client.get(path, headers=bearer("viewer")).json

    with services.database.transaction() as session:
        session.execute(text("UPDATE tags SET unit = 'psi' WHERE id = :id"), {"id": plant.tag_id})

    assert client.get(path, headers=bearer("viewer")).json["before"] == first["before"]
    with pytest.raises(DBAPIError, match="append-only"), services.database.transaction() as session:
        session.execute(text("UPDATE fault_stories SET digest = 'x'"))


def test_a_chattering_alert_tells_one_story_in_a_quarter_of_an_hour_and_a_new_one_later(services: Services, alert: int) -> None:
    tell(services, RAISED + timedelta(seconds=20))
    for minutes in (3, 16):
        with services.database.transaction() as session:
            session.get_one(AlertRecord, alert).raised_at = RAISED + timedelta(minutes=minutes)
        tell(services, RAISED + timedelta(minutes=minutes, seconds=20))

    with services.database.transaction() as session:
        times = session.scalars(select(FaultStory.raised_at).where(FaultStory.alert_id == alert, FaultStory.part == "before")).all()
    assert times == [RAISED, RAISED + timedelta(minutes=16)]


@pytest.fixture
def order(client: FlaskClient, services: Services, bearer: LogIn, alert: int) -> dict[str, Any]:
    """The alert's order, completed by the technician and sealed in the audit trail."""
    tell(services, RAISED + timedelta(minutes=6))
    headers = bearer("technician")
    made = client.post("/api/work-orders/from-alert", json={"alert_id": alert}, headers=headers).json
    for action, fields in (("start", {}), ("complete", {"notes": "Valve was stuck", "verdict": "confirmed"})):
        answer = client.post(f"/api/work-orders/{made['id']}/actions/{action}", json=fields, headers=headers)
        assert answer.status_code == 200, answer.text
    with services.database.transaction() as session:
        while audit.seal(session, audit_key(services.settings)):
            pass
    found: dict[str, Any] = made
    return found


def chain_of(client: FlaskClient, headers: dict[str, str], order: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"/api/work-orders/{order['number']}/evidence", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_the_chain_leads_from_reading_to_verdict_and_the_order_carries_the_story(
    client: FlaskClient, bearer: LogIn, alert: int, order: dict[str, Any]
) -> None:
    chain = chain_of(client, bearer("technician"), order)

    kinds = [link["kind"] for link in chain["links"]]
    assert list(dict.fromkeys(kinds)) == ["readings", "alert", "finding", "act", "record", "proof", "verdict"]
    acts = [link["content"] for link in chain["links"] if link["kind"] == "act"]
    assert {act["action"] for act in acts} >= {"open", "start", "complete"}
    assert all(act["seal"]["hash"] for act in acts)
    assert chain["links"][-1]["content"]["verdict"] == "confirmed"
    assert [link["previous"] for link in chain["links"][1:]] == [link["hash"] for link in chain["links"][:-1]]
    assert order["alert"]["story"] == f"/api/alerts/{alert}/story"


def verified(services: Services, monkeypatch: pytest.MonkeyPatch, chain: dict[str, Any], folder: Path) -> int:
    monkeypatch.setattr(command.settings_module, "load", lambda: services.settings)
    path = folder / "evidence.json"
    path.write_text(json.dumps(chain), "utf-8")
    return command.main(["verify", str(path)])


def test_verify_holds_for_what_was_exported_and_finds_every_change(
    client: FlaskClient,
    services: Services,
    bearer: LogIn,
    order: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chain = chain_of(client, bearer("manager"), order)
    changed = json.loads(json.dumps(chain))
    changed["links"][-1]["content"]["verdict"] = "false"
    renamed = {**chain, "made_at": "2020-01-01T00:00:00.000Z"}

    assert verified(services, monkeypatch, chain, tmp_path) == 0
    assert verified(services, monkeypatch, changed, tmp_path) == 1
    assert verified(services, monkeypatch, renamed, tmp_path) == 1
    assert verified(services, monkeypatch, {}, tmp_path) == 1
    with services.database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE audit_log SET actor = 'nobody' WHERE thing = 'work_order' AND action = 'start'"))
    assert verified(services, monkeypatch, chain, tmp_path) == 1
    said = capsys.readouterr().out
    for wanted in ("(verdict) was changed", "signature is not", "not a chain", "says something else now"):
        assert wanted in said, wanted


def test_the_chain_is_one_pdf(client: FlaskClient, bearer: LogIn, order: dict[str, Any]) -> None:
    answer = client.get(f"/api/work-orders/{order['id']}/evidence?export=pdf", headers=bearer("manager"))

    assert answer.mimetype == "application/pdf"
    said = words(answer.data)
    for wanted in (order["number"], "readings", "Pressure above 9 bar", "Valve was stuck", "verdict", "Signature:"):
        assert wanted in said, wanted


def test_another_sites_evidence_is_not_there(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn, order: dict[str, Any]
) -> None:
    headers = bearer("manager")
    with services.database.transaction() as session:
        session.execute(text("UPDATE users SET site_id = :site WHERE role = 'manager'"), {"site": plant.other_site})
    headers = bearer("manager")

    assert client.get(f"/api/work-orders/{order['id']}/evidence", headers=headers).status_code == 404
    assert client.get(f"/api/alerts/{order['alert']['id']}/story", headers=headers).status_code == 404


def closed(services: Services, plant: Plant, n: int, verdict: str, opened: datetime, ended: datetime | None) -> None:
    """An alert-born order with its verdict."""
    with services.database.transaction() as session:
        kind = {"type": "drift", "severity": "warning", "detector": "drift", "origin": "ml", "message": "drifts"}
        place = {"site_id": plant.site, "asset_id": plant.asset_id, "tag": plant.tag}
        row = AlertRecord(number=f"A{n}-{plant.asset}", raised_at=opened, last_at=opened, resolved_at=opened, **kind, **place)
        session.add(row)
        session.flush()
        times = {"created_at": opened, "changed_at": opened, "verified_at": ended}
        session.add(
            WorkOrder(
                number=f"X-{n}-{plant.asset}",
                site_id=plant.site,
                asset_id=plant.asset_id,
                alert_id=row.id,
                title="Look",
                created_by="t",
                verdict=verdict,
                state="verified",
                **times,
            )
        )


def test_precision_per_detector_and_instrument_and_what_came_back(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    now = datetime.now(UTC)
    for n, verdict in enumerate(["confirmed", "false", "something_else", "confirmed"]):
        opened = now - timedelta(days=80 - 20 * n)
        closed(services, plant, n, verdict, opened, opened + timedelta(days=1))

    answer = client.get("/api/figures/verdicts?scope=detector", headers=bearer("manager")).json
    instruments = client.get("/api/figures/verdicts?scope=instrument&sort=-precision", headers=bearer("manager")).json

    (row,) = answer["items"]
    assert (row["name"], row["verdicts"], row["confirmed"], row["precision"], row["trusted"]) == ("drift", 4, 2, 0.5, False)
    assert row["low"] < 0.5 < row["high"]
    assert row["repeats"] == 3
    assert [one["after_days"] for one in answer["repeats"]] == [19.0, 19.0, 19.0]
    assert [one["name"] for one in instruments["items"]] == [plant.tag]
    assert client.get("/api/figures/verdicts?sort=colour", headers=bearer("manager")).status_code == 422
    with client.get("/api/figures/verdicts?export=xlsx", headers=bearer("manager")) as file:
        assert file.data[:2] == b"PK"


def test_alarm_figures_name_the_worst_and_the_order_that_would_remove_it(
    client: FlaskClient, services: Services, plant: Plant, bearer: LogIn
) -> None:
    now = datetime.now(UTC)
    with services.database.transaction() as session:
        for name, tag, start, spells in (("noisy", plant.tag, now - timedelta(hours=1), 12), ("old", "X-1", now - timedelta(days=2), 0)):
            times = [start + timedelta(seconds=15 * n) for n in range(spells + 1)]
            data = {"spells": [{"raised_at": rfc3339(t), "returned_at": rfc3339(t + timedelta(seconds=5))} for t in times[:-1]]}
            kind = {"type": "rule_violation", "severity": "warning", "detector": "limits", "origin": "rule", "message": name}
            place = {"site_id": plant.site, "asset_id": plant.asset_id, "tag": tag}
            session.add(AlertRecord(number=f"{name}{plant.asset}", raised_at=times[-1], last_at=times[-1], data=data, **kind, **place))

    found = client.get("/api/figures/alarms", headers=bearer("manager")).json

    assert (found["operators"], found["rate"]["raised"]) == (1, 14)
    assert [(one["raised"], one["to"] is not None) for one in found["floods"]] == [(13, True)]
    assert [(one["message"], one["most_in_a_minute"]) for one in found["chattering"]] == [("noisy", 5)]
    assert [(one["message"], one["hours"]) for one in found["stale"]] == [("old", 48.0)]
    first, second = found["items"]
    assert (first["message"], first["raised"], first["proposal"]["title"]) == ("noisy", 13, f"Set deadband or delay of {plant.tag}")
    assert second["proposal"]["title"] == "Repair or retire the alarm of X-1"
    alert = client.post("/api/work-orders/from-alert", json={"alert_id": first["alert"]["id"]}, headers=bearer("manager")).json
    again = client.get("/api/figures/alarms", headers=bearer("manager")).json["items"][0]
    assert (again["order"]["number"], again["proposal"]) == (alert["number"], None)
    assert client.get("/api/figures/alarms?from=2020-01-01T00:00:00Z", headers=bearer("manager")).status_code == 422
    assert client.get("/api/figures/alarms", headers=bearer("viewer")).status_code == 403
    with client.get("/api/figures/alarms?export=pdf", headers=bearer("manager")) as file:
        assert "noisy" in words(file.data)


def test_story_evidence_and_figures_ask_the_database_few_questions(
    client: FlaskClient, services: Services, bearer: LogIn, order: dict[str, Any]
) -> None:
    headers = bearer("manager")
    paths = [f"/api/work-orders/{order['number']}/evidence", f"/api/alerts/{order['alert']['id']}/story"]

    for path in [*paths, "/api/figures/verdicts", "/api/figures/alarms"]:
        with counted(services) as asked:
            assert client.get(path, headers=headers).status_code == 200
        assert len(asked) <= MOST, (path, asked)
