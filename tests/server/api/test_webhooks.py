"""Webhooks end to end: facts in the outbox, a real HTTP server that takes, refuses and comes back."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from realtime.events import FactName
from server.herald import Herald, sentence
from server.models.operations import Webhook
from server.models.outbox import Outbox
from server.services import Services
from server.store import facts
from tests.server.api.conftest import LogIn, Plant

ALERT = {
    "number": "ALERT_0007",
    "severity": "critical",
    "title": "Vibration above 7.10 mm/s",
    "asset": {"code": "M2", "name": "Booster <pump>"},
    "watch": False,
    "suppressed": None,
}


class Receiver(http.server.ThreadingHTTPServer):
    """Takes what it is sent; `answers` are its statuses, the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers = [200]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        status = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://{self.server.place}/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.shutdown()
    made.server_close()


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def herald(services: Services, receiver: Receiver, clock: Clock) -> Herald:
    return Herald(services.database, replace(services.settings, webhook_hosts=(receiver.place,)), clock)


def hook(services: Services, plant: Plant, receiver: Receiver, **more: Any) -> int:
    with services.database.transaction() as session:
        row = Webhook(
            **{
                "site_id": plant.site,
                "name": "The chat",
                "url": f"http://{receiver.place}/hook",
                "format": "slack",
                "facts": ["alert.raised", "work_order.opened"],
                "min_severity": "warning",
                "secret": "s3cret",
                "active": True,
                "delivered_seq": facts.newest_seq(session),
                "tries": 0,
                "sent": 0,
                "dropped": 0,
                **more,
            }
        )
        session.add(row)
        session.flush()
        return row.id


def happen(services: Services, site: int | None, data: dict[str, Any], clock: Clock, name: FactName = FactName.ALERT_RAISED) -> None:
    with services.database.transaction() as session:
        seq = facts.newest_seq(session) + 1
        session.add(Outbox(name=str(name), thing_id=1, rev=1, by="system", site_id=site, data=data, at=clock.now, seq=seq))


def state(services: Services, webhook_id: int) -> Webhook:
    with services.database.transaction() as session:
        return session.get_one(Webhook, webhook_id)


def test_a_chat_is_told_one_sentence_once(services: Services, plant: Plant, receiver: Receiver, herald: Herald, clock: Clock) -> None:
    hook(services, plant, receiver)
    happen(services, plant.site, ALERT, clock)

    told = [herald.run(), herald.run()]

    assert told == [1, 0]
    assert [json.loads(body) for _, body in receiver.got] == [{"text": "CRITICAL M2 Booster &lt;pump&gt;: Vibration above 7.10 mm/s"}]


@pytest.mark.parametrize("kind", ["another site", "too quiet", "not asked for", "watch list", "suppressed"])
def test_what_it_did_not_ask_for_is_not_told(
    services: Services, plant: Plant, receiver: Receiver, herald: Herald, clock: Clock, kind: str
) -> None:
    hook(services, plant, receiver)
    more: dict[str, dict[str, Any]] = {
        "too quiet": {"severity": "advisory"},
        "watch list": {"watch": True},
        "suppressed": {"suppressed": "flood"},
    }
    name = FactName.ALERT_ACKNOWLEDGED if kind == "not asked for" else FactName.ALERT_RAISED
    happen(services, plant.other_site if kind == "another site" else plant.site, {**ALERT, **more.get(kind, {})}, clock, name)

    herald.run()

    assert receiver.got == []


def test_the_json_format_is_signed(services: Services, plant: Plant, receiver: Receiver, herald: Herald, clock: Clock) -> None:
    hook(services, plant, receiver, format="json")
    happen(services, plant.site, ALERT, clock)

    herald.run()

    headers, body = receiver.got[0]
    assert headers["X-Sightline-Signature"] == f"sha256={hmac.new(b's3cret', body, hashlib.sha256).hexdigest()}"
    assert json.loads(body)["name"] == "alert.raised"
    assert headers["Idempotency-Key"] == f"fact-{json.loads(body)['seq']}"


def test_a_receiver_that_is_away_is_told_later_and_in_order(
    services: Services, plant: Plant, receiver: Receiver, herald: Herald, clock: Clock
) -> None:
    webhook_id = hook(services, plant, receiver)
    receiver.answers = [503, 200]
    for n in range(3):
        happen(services, plant.site, {**ALERT, "title": f"alert {n}"}, clock)

    first = herald.run()
    refused = state(services, webhook_id)
    too_early = herald.run()
    clock.now += timedelta(seconds=2)
    later = herald.run()

    assert (first, too_early, later) == (0, 0, 3)
    assert refused.last_error == "127.0.0.1 answered 503"
    assert [json.loads(body)["text"].rsplit(": ", 1)[1] for _, body in receiver.got] == ["alert 0", "alert 0", "alert 1", "alert 2"]


def test_one_that_is_refused_for_good_holds_up_no_other(
    services: Services, plant: Plant, receiver: Receiver, herald: Herald, clock: Clock
) -> None:
    webhook_id = hook(services, plant, receiver)
    receiver.answers = [400, 200]
    happen(services, plant.site, {**ALERT, "title": "bad"}, clock)
    happen(services, plant.site, {**ALERT, "title": "good"}, clock)

    herald.run()
    clock.now += timedelta(seconds=2)
    herald.run()

    found = state(services, webhook_id)
    assert (found.sent, found.dropped) == (1, 1)


def test_a_redirect_is_not_followed(services: Services, plant: Plant, receiver: Receiver, herald: Herald, clock: Clock) -> None:
    hook(services, plant, receiver)
    receiver.answers = [302]
    happen(services, plant.site, ALERT, clock)

    herald.run()

    assert len(receiver.got) == 1


def test_what_is_older_than_a_day_is_let_go_and_counted(
    services: Services, plant: Plant, receiver: Receiver, herald: Herald, clock: Clock
) -> None:
    webhook_id = hook(services, plant, receiver)
    happen(services, plant.site, ALERT, clock)
    clock.now += timedelta(hours=25)

    herald.run()

    assert receiver.got == []
    assert state(services, webhook_id).dropped == 1


def test_a_host_that_is_not_listed_is_refused_in_the_form(client: FlaskClient, bearer: LogIn) -> None:
    answer = client.post("/api/webhooks", json={"name": "x", "url": "https://evil.example/"}, headers=bearer("manager"))

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] == "url"


def test_a_webhook_is_made_changed_and_deleted_and_its_secret_is_shown_once(
    app: Any, client: FlaskClient, bearer: LogIn, services: Services, receiver: Receiver
) -> None:
    app.extensions["sightline"] = replace(services, settings=replace(services.settings, webhook_hosts=(receiver.place,)))
    headers = bearer("manager")

    made = client.post("/api/webhooks", json={"name": "x", "url": f"http://{receiver.place}/"}, headers=headers)
    path = made.headers["Location"]
    read = client.get(path, headers=headers)
    changed = client.patch(path, json={"name": "y"}, headers={**headers, "If-Match": read.headers["ETag"]})
    late = client.patch(path, json={"name": "z"}, headers={**headers, "If-Match": read.headers["ETag"]})
    tried = client.post(f"{path}/test", headers=headers)
    gone = client.delete(path, headers=headers)

    assert (made.status_code, changed.status_code, late.status_code, tried.status_code, gone.status_code) == (201, 200, 412, 200, 204)
    assert made.json["secret"]
    assert "secret" not in read.json
    assert client.get(path, headers=headers).status_code == 404
    assert receiver.got[0][1] == b'{"text":"Sightline: this webhook works"}'


@pytest.mark.parametrize("name", [str(name) for name in FactName if name not in {FactName.CONFIG_CHANGED, FactName.NOTIFICATION_CREATED}])
def test_every_fact_has_a_sentence(name: str) -> None:
    words = sentence(name, {**ALERT, "name": "plant-mqtt"}, "L. Fontaine", "https://plant.example/")

    assert len(words) > 10
    assert "None" not in words
