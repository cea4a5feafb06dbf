"""Guarded writes by API (RELIABILITY.md B10): every way but the one is refused, leaves the bus empty and stands in the audit trail."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from realtime import settings as settings_module
from realtime.bus import Bus, connect
from realtime.events import Signal, SignalName
from realtime.plc_writes import LEASE, STREAM, WriteResult, decode_order, signing_key
from realtime.settings import Settings
from server import plant as copies
from server.auth import passwords
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.maintenance import MaintenanceWindow
from server.models.people import User
from server.models.plant import Asset
from server.models.plc_commands import PlcCommand, PlcStop
from server.models.work import WorkOrder
from server.services import Services
from server.signals import fold_signal
from server.timestamps import to_ms
from server.write_results import run_out
from tests.plc.write_bench import listed, put
from tests.server.api.callers import bearer, token
from tests.server.api.conftest import PASSWORD, Plant
from tests.server.api.test_hostile_bodies import UNREADABLE, WRONG

WRITER, SECOND = "technician", "planner"


@pytest.fixture(scope="module")
def settings(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One application for the module; each test empties its bus."""
    folder = tmp_path_factory.mktemp("writes")
    prefix = f"t{secrets.token_hex(5)}"
    urls = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "BUS_PREFIX": prefix, "DATA_DIR": str(folder / "var")}
    files = {"PLC_WRITE_LIST": str(folder / "plc-writes.yaml"), "PLC_WRITE_STOP": str(folder / "stop")}
    yield settings_module.load({**urls, **files, "PLC_WRITES": "1"}, None)
    client = connect(redis_url)
    _empty(client, prefix)
    client.close()


def _empty(client: redis.Redis, prefix: str) -> None:
    keys = list(client.scan_iter(f"{prefix}:*", count=1000))
    if keys:
        client.delete(*keys)


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    """The application."""
    made = create_app(settings)
    yield made
    found: Services = made.extensions["sightline"]
    found.database.close()
    found.bus.client.close()


@pytest.fixture(autouse=True)
def bus_is_empty(services: Services) -> None:
    """Before the plant is published."""
    _empty(services.bus.client, services.bus.prefix)


@pytest.fixture
def body(plant: Plant) -> dict[str, Any]:
    """The list of tests/plc, for the tag of this plant."""
    made = listed(1)
    for row in made["writes"]:
        row |= {"machine": plant.asset, "tag": plant.tag}
    return made


class Desk:
    """Two people with the right, and what they do."""

    def __init__(self, app: Flask, plant: Plant, services: Services, settings: Settings) -> None:
        self.app, self.plant, self.services, self.settings = app, plant, services, settings
        hashed = passwords.hash_password(PASSWORD)
        copies.register(app, services.bus)  # every test's plant is version 1
        services.bus.client.set(services.bus.key(f"lease.{LEASE}"), "the program that writes")
        with services.database.transaction() as session:
            session.query(PlcStop).delete()
            session.query(PlcCommand).delete()  # of the module's earlier tests: the rate counts them
            session.query(User).filter_by(site_id=plant.site).update({"password_hash": hashed})
            for role in (WRITER, SECOND):
                session.query(User).filter_by(employee_number=plant.people[role]).one().granted = ["plc.write"]
        self._clients: dict[str, tuple[FlaskClient, str]] = {}

    def browser(self, role: str) -> tuple[FlaskClient, str]:
        """A signed-in browser and its CSRF token."""
        if role not in self._clients:
            client = self.app.test_client()
            page = client.get("/login").text
            form = {
                "csrf_token": _token(page, 'name="csrf_token" value="'),
                "employee_number": self.plant.people[role],
                "password": PASSWORD,
            }
            assert client.post("/login", data=form).status_code == 302
            self._clients[role] = client, _token(client.get("/account/password").text, 'name="csrf_token" value="')
        return self._clients[role]

    def post(self, path: str, body: Any, role: str = WRITER, **headers: str) -> TestResponse:
        """As the page does."""
        client, csrf = self.browser(role)
        return client.post(path, json=body, headers={"X-CSRFToken": csrf, **headers})

    def ask(self, entry: str = "set", value: float = 1, role: str = WRITER, **more: Any) -> TestResponse:
        """Ask for a write."""
        body = {"entry": entry, "value": value, "reason": "the fitter waits", "password": PASSWORD, **more}
        return self.post("/api/commands", body, role)

    def asked(self, entry: str = "set", value: float = 1) -> dict[str, Any]:
        """A request that was taken."""
        answer = self.ask(entry, value)
        assert answer.status_code == 201, answer.text
        return dict(answer.get_json())

    def confirm(self, command: dict[str, Any], role: str = WRITER, **more: Any) -> TestResponse:
        """Confirm it."""
        return self.post(f"/api/commands/{command['id']}/confirm", {"nonce": command["nonce"], **more}, role)

    def sent(self) -> list[Any]:
        """Orders on the bus."""
        bus: Bus = self.services.bus
        entries: Any = bus.client.xrange(bus.key(STREAM))
        return [decode_order(fields, signing_key(self.settings)) for _, fields in entries]

    def trail(self, action: str) -> list[dict[str, Any]]:
        """What the audit trail holds of writes and routes, newest last."""
        with self.services.database.transaction() as session:
            rows = session.query(AuditLog).filter_by(action=action, site_id=self.plant.site).order_by(AuditLog.id).all()
            return [{"thing": row.thing, "by": row.actor, "kind": row.actor_kind, "old": row.old, **(row.new or {})} for row in rows]

    def state(self, command: dict[str, Any]) -> str:
        """State of a command now."""
        client, _ = self.browser("manager")
        return str(client.get(f"/api/commands/{command['id']}").get_json()["state"])

    def told(self, command: dict[str, Any], outcome: Any, **more: Any) -> None:
        """What the program that writes says came of it."""
        now = datetime.now(UTC)
        result = WriteResult(command["id"], outcome, more.pop("reason", ""), more.pop("detail", ""), **more)
        with self.services.database.transaction() as session:
            fold_signal(session, result.signal(to_ms(now)), now, 60.0)


def _token(page: str, before: str) -> str:
    return page.split(before, 1)[1].split('"', 1)[0]


@pytest.fixture
def desk(app: Flask, plant: Plant, services: Services, settings: Settings, body: dict[str, Any]) -> Desk:
    assert settings.plc_write_list is not None
    assert settings.plc_write_stop is not None
    settings.plc_write_stop.unlink(missing_ok=True)
    put(settings.plc_write_list, body)
    return Desk(app, plant, services, settings)


def refused(desk: Desk, answer: TestResponse, status: int, reason: str) -> dict[str, Any]:
    """It was refused with that, nothing went onto the bus, and the trail's last row says so; returns that row."""
    assert (answer.status_code, desk.sent()) == (status, []), answer.text
    row = desk.trail("refuse")[-1]
    assert row.get("reason", reason) == reason
    assert "Technician" in row["by"] or row["by"] in {"Planner", "Viewer", "Admin", "Manager"}
    return row


# --- the one legal path ---


def test_asked_shown_confirmed_sent_written_and_every_step_audited(desk: Desk, services: Services) -> None:
    asked = desk.asked()
    nothing_yet = desk.sent()
    answer = desk.confirm(asked)
    (order,) = desk.sent()
    desk.told(asked, "written", old=0.0, new=1.0)

    assert asked["label"] == "Ask the press"
    assert asked["effect"] == "It stops after its stroke"
    assert asked["state"] == "requested"
    assert 25 < asked["seconds_left"] <= 30
    assert nothing_yet == []
    assert answer.status_code == 202
    assert (order.id, order.entry, order.value, order.by, order.confirmed_by) == (asked["id"], "set", 1.0, "Technician", "Technician")
    assert order.why == "the fitter waits"
    assert order.expires_ms - order.issued_ms == 5000
    assert desk.state(asked) == "written"
    assert [row["value"] for row in desk.trail("request")[-1:]] == [1.0]
    assert desk.trail("send")[-1]["kind"] == "user"
    (written,) = desk.trail("written")[-1:]
    assert (written["old"], written["value"]) == ({"state": "sent", "value": 0.0}, 1.0)


def test_the_list_of_what_may_be_written_is_the_files(desk: Desk) -> None:
    client, _ = desk.browser("operator")

    shown = client.get("/api/commands/targets").get_json()

    assert (shown["off"], shown["stopped"], shown["running"], shown["may_write"]) == ("", "", True, False)
    assert [item["name"] for item in shown["items"]] == ["set", "pulse", "speed", "guarded", "critical"]
    assert shown["items"][3]["only_if"] == ["PRESS.running == 0", "PRESS.fault == 0"]
    assert "password" not in str(shown)


# --- who may ---


@pytest.mark.parametrize("role", ["viewer", "operator", "storekeeper", "manager", "admin"])
def test_no_role_has_the_right(desk: Desk, role: str) -> None:
    desk.browser("manager")
    answer = desk.ask(role=role)

    assert answer.status_code == 403
    assert "plc.write" in answer.get_json()["detail"]
    assert desk.sent() == []
    assert desk.trail("refuse")[-1]["path"] == "/api/commands"


def test_an_admin_gives_the_right_to_a_named_person_and_takes_it_away(desk: Desk, services: Services) -> None:
    with services.database.transaction() as session:
        person = session.query(User).filter_by(employee_number=desk.plant.people["operator"]).one()
    path = f"/api/users/{person.id}/rights"
    grant = {"right": "plc.write", "reason": "trained on the press"}
    before = desk.ask(role="operator").status_code
    given = desk.post(path, grant, "admin")
    after = desk.ask(role="operator").status_code
    client, csrf = desk.browser("admin")
    taken = client.delete(f"{path}?right=plc.write", headers={"X-CSRFToken": csrf})
    end = desk.ask(role="operator").status_code

    assert (before, given.status_code, after, taken.status_code, end) == (403, 200, 201, 200, 403)
    assert [row["granted"] for row in desk.trail("grant")[-2:]] == [["plc.write"], []]


def test_nobody_gives_the_right_to_themselves_or_without_being_an_admin(desk: Desk, services: Services) -> None:
    with services.database.transaction() as session:
        ids = {role: session.query(User).filter_by(employee_number=desk.plant.people[role]).one().id for role in ("admin", "manager")}
    grant = {"right": "plc.write", "reason": "because"}

    assert desk.post(f"/api/users/{ids['admin']}/rights", grant, "admin").status_code == 409
    assert desk.post(f"/api/users/{ids['admin']}/rights", grant, "manager").status_code == 403
    assert desk.post(f"/api/users/{ids['manager']}/rights", {**grant, "right": "users.write"}, "admin").status_code == 422


def test_a_person_who_was_deactivated_comes_back_without_it(desk: Desk, services: Services) -> None:
    with services.database.transaction() as session:
        person = session.query(User).filter_by(employee_number=desk.plant.people[WRITER]).one()
    client, csrf = desk.browser("admin")
    for active in (False, True):
        answer = client.patch(f"/api/users/{person.id}", json={"active": active}, headers={"X-CSRFToken": csrf})
        assert answer.status_code == 200, answer.text

    assert answer.get_json()["granted"] == []


@pytest.mark.parametrize("way", ["jwt", "api_key", "paired", "ingest", "contractor", "anonymous"])
def test_only_a_persons_own_browser_session_may_ask(desk: Desk, services: Services, client: FlaskClient, way: str) -> None:
    with services.database.transaction() as session:
        person = session.query(User).filter_by(employee_number=desk.plant.people[WRITER]).one()
        if way in {"paired", "ingest"}:
            headers = bearer(token(session, desk.plant.site, way, person))
        elif way == "api_key":
            secret = token(session, desk.plant.site, "api", person)
            session.flush()
            headers = bearer(secret)
        else:
            headers = bearer("slc_guess") if way == "contractor" else {}
    if way == "jwt":
        login = {"employee_number": desk.plant.people[WRITER], "password": PASSWORD}
        headers = bearer(client.post("/api/auth/login", json=login).get_json()["access_token"])
    wanted = {"entry": "set", "value": 1, "reason": "by token", "password": PASSWORD}

    answers = [client.post(path, json=wanted, headers=headers).status_code for path in ("/api/commands", "/api/commands/1/confirm")]

    assert set(answers) <= {401, 403}
    assert desk.sent() == []
    if way in {"jwt", "api_key", "paired", "ingest"}:
        assert [row["path"] for row in desk.trail("refuse")[-2:]] == ["/api/commands", "/api/commands/1/confirm"]


def test_a_key_that_names_the_right_does_not_get_it(desk: Desk, services: Services) -> None:
    answer = desk.post("/api/api-keys", {"name": "writer", "scopes": ["plc.write"]})

    assert answer.status_code in {403, 422}, answer.text


def test_a_foreign_page_cannot_ask(desk: Desk) -> None:
    client, _ = desk.browser(WRITER)
    wanted = {"entry": "set", "value": 1, "reason": "csrf", "password": PASSWORD}

    answer = client.post("/api/commands", json=wanted)

    assert (answer.status_code, answer.get_json()["code"]) == (400, "csrf")
    assert desk.trail("refuse")[-1] | {"old": None} == {
        "thing": "route", "by": "Technician", "kind": "user", "old": None, "method": "POST", "path": "/api/commands", "status": 400,
    }  # fmt: skip
    assert desk.sent() == []


def test_the_password_is_asked_for_anew(desk: Desk) -> None:
    row = refused(desk, desk.ask(password="a wrong long password"), 403, "wrong_password")

    assert "password" not in row
    assert row["try"] == "request"


# --- what may be written ---


@pytest.mark.parametrize(
    ("entry", "value", "status", "reason"),
    [
        ("nothing", 1, 409, "not_listed"),
        ("M20.7:BOOL", 1, 409, "not_listed"),  # an address is no entry
        ("set", 2, 422, "not_allowed"),
        ("pulse", 0, 422, "not_allowed"),
        ("speed", 100.5, 422, "not_allowed"),
    ],
)
def test_off_the_list_is_refused(desk: Desk, entry: str, value: float, status: int, reason: str) -> None:
    refused(desk, desk.ask(entry, value), status, reason)


@pytest.mark.parametrize("more", [{"address": "M0.0"}, {"force": True}, {"tag": "x"}, {"value": True}, {"value": "1"}, {"reason": ""}])
def test_no_field_of_the_body_widens_the_list(desk: Desk, more: dict[str, Any]) -> None:
    answer = desk.ask(**{"value": 1, **more})

    assert answer.status_code == 422
    assert desk.sent() == []
    assert desk.trail("refuse")[-1]["status"] == 422


@pytest.mark.parametrize("path", ["/api/commands", "/api/commands/1/confirm", "/api/commands/release", "/api/users/1/rights"])
def test_hostile_bodies_are_refused(desk: Desk, path: str) -> None:
    client, csrf = desk.browser("admin" if path.endswith(("release", "rights")) else WRITER)
    headers = {"X-CSRFToken": csrf, "Content-Type": "application/json"}

    wrong = []
    for name, body in {**UNREADABLE, **WRONG}.items():
        answer = client.post(path, data=body, headers=headers)
        if not 400 <= answer.status_code < 500 or answer.content_type != "application/problem+json":
            wrong.append((name, answer.status_code))

    assert wrong == []
    assert desk.sent() == []


def test_an_entry_for_a_tag_of_another_machine_or_site_does_not_exist(desk: Desk, body: dict[str, Any]) -> None:
    assert desk.settings.plc_write_list is not None
    body["writes"][0]["tag"] = desk.plant.other_tag
    body["writes"][1]["machine"] = "ANOTHER"
    put(desk.settings.plc_write_list, body)

    refused(desk, desk.ask("set"), 409, "not_listed")
    refused(desk, desk.ask("pulse"), 409, "not_listed")


@pytest.mark.parametrize("why", ["switch", "no list", "group may write", "one wrong word", "source off", "nobody writes"])
def test_where_writing_is_off_everything_is_refused(
    desk: Desk, body: dict[str, Any], app: Flask, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    path = desk.settings.plc_write_list
    assert path is not None
    reason = {"source off": "source_off", "nobody writes": "nobody_writes"}.get(why, "writes_off")
    if why == "switch":
        monkeypatch.setitem(app.extensions, "sightline", replace(desk.services, settings=replace(desk.settings, plc_writes=False)))
    elif why == "no list":
        path.unlink()
    elif why == "group may write":
        path.chmod(0o464)
    elif why == "one wrong word":
        put(path, body | {"wirtes": []})
    elif why == "source off":
        body["sources"]["press"]["enabled"] = False
        put(path, body)
    else:
        desk.services.bus.client.delete(desk.services.bus.key(f"lease.{LEASE}"))

    refused(desk, desk.ask(), 409, reason)


# --- interlocks ---


@pytest.fixture
def family(desk: Desk, services: Services) -> dict[str, int]:
    """The asset is part of a line and has a part."""
    with services.database.transaction() as session:
        own = session.get_one(Asset, desk.plant.asset_id)
        mark = secrets.token_hex(3)
        above, below, beside = (
            Asset(site_id=own.site_id, area_id=own.area_id, code=f"{name}{mark}", name=name) for name in ("line", "motor", "other")
        )
        session.add_all([above, below, beside])
        session.flush()
        own.parent_id, below.parent_id = above.id, own.id
        return {"own": own.id, "above": above.id, "below": below.id, "beside": beside.id}


def work_on(services: Services, plant: Plant, asset: int, state: str) -> None:
    """An order in a state."""
    now = datetime.now(UTC)
    with services.database.transaction() as session:
        number = f"WO-{secrets.randbelow(10**9)}"
        row = WorkOrder(number=number, site_id=plant.site, asset_id=asset, title="Work", created_by="x", created_at=now, changed_at=now)
        row.state = state
        session.add(row)


@pytest.mark.parametrize("state", ["in_progress", "on_hold"])
@pytest.mark.parametrize("where", ["own", "above", "below"])
def test_work_on_the_machine_or_its_family_refuses(desk: Desk, services: Services, family: dict[str, int], where: str, state: str) -> None:
    asked = desk.asked()
    work_on(services, desk.plant, family[where], state)

    refused(desk, desk.confirm(asked), 409, "in_work")
    refused(desk, desk.ask(), 409, "in_work")
    assert desk.state(asked) == "refused"


def test_work_elsewhere_or_not_begun_does_not(desk: Desk, services: Services, family: dict[str, int]) -> None:
    work_on(services, desk.plant, family["beside"], "in_progress")
    work_on(services, desk.plant, family["own"], "assigned")

    assert desk.confirm(desk.asked()).status_code == 202


@pytest.mark.parametrize("where", ["own", "above", "below"])
def test_maintenance_mode_refuses(desk: Desk, services: Services, family: dict[str, int], where: str) -> None:
    asked = desk.asked()
    now = datetime.now(UTC)
    with services.database.transaction() as session:
        session.add(MaintenanceWindow(asset_id=family[where], by="x", starts_at=now - timedelta(hours=1), until=now + timedelta(hours=1)))

    refused(desk, desk.confirm(asked), 409, "maintenance")
    refused(desk, desk.ask(), 409, "maintenance")


# --- confirming ---


def test_without_a_confirmation_nothing_is_sent(desk: Desk, services: Services) -> None:
    asked = desk.asked()
    with services.database.transaction() as session:
        run_out(session, datetime.now(UTC) + timedelta(seconds=31), 60.0)

    assert desk.sent() == []
    assert desk.state(asked) == "expired"


def test_a_confirmation_counts_once(desk: Desk) -> None:
    asked = desk.asked()
    first, again = desk.confirm(asked), desk.confirm(asked)

    assert (first.status_code, again.status_code, again.get_json()["code"]) == (202, 409, "wrong_state")
    assert len(desk.sent()) == 1
    assert desk.trail("refuse")[-1]["reason"] == "wrong_state"


def test_a_stale_confirmation_is_refused(desk: Desk, services: Services) -> None:
    asked = desk.asked()
    with services.database.transaction() as session:
        session.get_one(PlcCommand, asked["id"]).expires_at -= timedelta(seconds=31)

    refused(desk, desk.confirm(asked), 409, "expired")


def test_a_wrong_nonce_ends_the_request(desk: Desk) -> None:
    asked = desk.asked()

    refused(desk, desk.confirm({**asked, "nonce": "guess"}), 409, "nonce")
    refused(desk, desk.confirm(asked), 409, "wrong_state")


def test_another_person_cannot_confirm_a_normal_write(desk: Desk) -> None:
    asked = desk.asked()

    refused(desk, desk.confirm(asked, SECOND, password=PASSWORD), 403, "not_yours")
    assert desk.confirm(asked).status_code == 202


def test_a_critical_write_needs_a_second_person_with_the_right_and_a_password(desk: Desk) -> None:
    asked = desk.asked("critical")
    assert asked.get("nonce") is None
    own, _ = desk.browser(WRITER)
    assert own.get(f"/api/commands/{asked['id']}").get_json().get("nonce") is None
    client, _ = desk.browser(SECOND)
    shown = client.get(f"/api/commands/{asked['id']}").get_json()

    refused(desk, desk.confirm({**asked, "nonce": shown["nonce"]}), 403, "second_person")
    assert desk.confirm(shown, "manager", password=PASSWORD).status_code == 403
    refused(desk, desk.confirm(shown, SECOND), 403, "wrong_password")
    assert desk.confirm(shown, SECOND, password=PASSWORD).status_code == 202
    (order,) = desk.sent()
    assert (order.by, order.confirmed_by) == ("Technician", "Planner")


def test_two_people_at_once_are_one_write(desk: Desk) -> None:
    asked = desk.asked()

    refused(desk, desk.ask(role=SECOND), 409, "busy")
    assert desk.confirm(asked).status_code == 202
    assert desk.ask(role=SECOND).get_json()["code"] == "busy"
    desk.told(asked, "written", old=0.0, new=1.0)
    assert desk.ask(role=SECOND).status_code == 201
    assert len(desk.sent()) == 1


def test_asking_anew_ends_ones_own_request(desk: Desk) -> None:
    first, second = desk.asked(), desk.asked(value=0)

    assert desk.confirm(first).status_code == 409
    assert desk.confirm(second).status_code == 202
    assert [order.value for order in desk.sent()] == [0.0]


def test_a_list_that_changed_between_asking_and_confirming_refuses(desk: Desk, body: dict[str, Any]) -> None:
    asked = desk.asked()
    body["writes"][0]["effect"] = "Something else"
    assert desk.settings.plc_write_list is not None
    put(desk.settings.plc_write_list, body)

    refused(desk, desk.confirm(asked), 409, "list_changed")


def test_one_a_second_and_ten_a_minute(desk: Desk, services: Services) -> None:
    for _ in range(10):
        asked = desk.asked()
        assert desk.confirm(asked).status_code == 202
        desk.told(asked, "written", old=0.0, new=1.0)
        with services.database.transaction() as session:
            session.get_one(PlcCommand, asked["id"]).sent_at = datetime.now(UTC) - timedelta(seconds=2)
    eleventh = desk.confirm(desk.asked())

    assert (eleventh.status_code, eleventh.get_json()["code"], len(desk.sent())) == (429, "rate", 10)
    assert int(eleventh.headers["Retry-After"]) > 1
    assert desk.trail("refuse")[-1]["reason"] == "rate"


def test_two_within_a_second_are_one(desk: Desk) -> None:
    asked = desk.asked()
    assert desk.confirm(asked).status_code == 202
    desk.told(asked, "written", old=0.0, new=1.0)

    assert desk.confirm(desk.asked()).status_code == 429
    assert len(desk.sent()) == 1


# --- the stop ---


@pytest.mark.parametrize("role", ["operator", "technician", "planner", "manager", "admin"])
def test_who_works_here_stops_every_write_and_only_an_admin_lets_it_go_on(desk: Desk, role: str) -> None:
    asked = desk.asked()
    stopped = desk.post("/api/commands/stop", {"reason": "smoke at the press"}, role)
    refused(desk, desk.confirm(asked), 409, "stopped")
    refused(desk, desk.ask(), 409, "stopped")
    by_manager = desk.post("/api/commands/release", {"reason": "looks fine"}, "manager")
    by_admin = desk.post("/api/commands/release", {"reason": "checked the press"}, "admin")

    assert (stopped.status_code, by_manager.status_code, by_admin.status_code) == (200, 403, 200)
    assert by_admin.get_json()["stopped"] is False
    assert desk.confirm(desk.asked()).status_code == 202


def test_a_stop_by_file_is_not_lifted_by_a_page(desk: Desk) -> None:
    assert desk.settings.plc_write_stop is not None
    desk.settings.plc_write_stop.touch()

    refused(desk, desk.ask(), 409, "stopped")
    assert desk.post("/api/commands/release", {"reason": "try it"}, "admin").get_json()["stopped"] is True
    refused(desk, desk.ask(), 409, "stopped")


# --- what comes of it ---


def test_an_unknown_outcome_is_an_alarm_on_the_machine(desk: Desk, services: Services) -> None:
    asked = desk.asked()
    desk.confirm(asked)
    desk.told(asked, "unknown", reason="no_answer", detail="the answer was lost", old=0.0, alarm=True)

    with services.database.transaction() as session:
        alert = session.query(AlertRecord).filter_by(asset_id=desk.plant.asset_id).one()
        assert (alert.severity, alert.condition) == ("critical", "returned")
        assert "written value that nobody confirmed" in alert.message
    assert desk.state(asked) == "unknown"
    assert desk.trail("unknown")[-1]["refusal"] == "no_answer"


def test_an_order_that_nobody_answers_becomes_unknown_and_an_alarm(desk: Desk, services: Services) -> None:
    asked = desk.asked()
    desk.confirm(asked)
    with services.database.transaction() as session:
        run_out(session, datetime.now(UTC) + timedelta(seconds=21), 60.0)
        assert session.query(AlertRecord).filter_by(asset_id=desk.plant.asset_id).count() == 1

    assert desk.state(asked) == "unknown"


def test_a_result_told_twice_or_too_late_changes_nothing_twice(desk: Desk) -> None:
    asked = desk.asked()
    desk.confirm(asked)
    for _ in range(2):
        desk.told(asked, "written", old=0.0, new=1.0)
    desk.told(asked, "refused", reason="expired")

    assert desk.state(asked) == "written"
    assert len(desk.trail("written")) == 1


@pytest.mark.parametrize("outcome", ["forged", "replayed", "reset"])
def test_what_the_writing_program_refused_by_itself_is_audited(desk: Desk, services: Services, outcome: Any) -> None:
    asked = desk.asked()
    desk.told({"id": 0} if outcome == "forged" else asked, outcome, reason="x", detail=f"told by {outcome}")

    with services.database.transaction() as session:
        row = session.query(AuditLog).filter(AuditLog.thing == "plc_command").order_by(AuditLog.id.desc()).first()
        assert row is not None
        assert (row.new or {})["detail"] == f"told by {outcome}"
    assert desk.state(asked) == "requested"


def test_a_result_that_is_none_goes_to_the_dead_letters(desk: Desk, services: Services) -> None:
    from realtime.errors import DecodeError  # noqa: PLC0415

    with services.database.transaction() as session, pytest.raises(DecodeError):
        fold_signal(session, Signal(SignalName.PLC_WRITE, 1, {"id": 1}), datetime.now(UTC), 60.0)


def test_where_the_bus_is_away_nothing_is_sent_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from realtime.errors import BusUnavailable  # noqa: PLC0415
    from server import plc_writes  # noqa: PLC0415

    asked = desk.asked()

    def away(_at: Services, _row: PlcCommand) -> None:
        raise BusUnavailable("bus: away")

    monkeypatch.setattr(plc_writes, "send", away)
    answer = desk.confirm(asked)

    assert answer.status_code == 503
    assert (desk.state(asked), desk.sent()) == ("refused", [])
    monkeypatch.undo()
    assert desk.confirm(asked).status_code == 409


def test_another_sites_command_does_not_exist(desk: Desk, services: Services) -> None:
    asked = desk.asked()
    number = f"far-{secrets.token_hex(4)}"
    with services.database.transaction() as session:
        session.add(
            User(
                employee_number=number,
                name="Far",
                role="admin",
                site_id=desk.plant.other_site,
                password_hash=passwords.hash_password(PASSWORD),
                granted=["plc.write"],
            )
        )
    desk.plant.people["far"] = number

    assert desk.confirm(asked, "far", password=PASSWORD).status_code == 404
    assert desk.browser("far")[0].get(f"/api/commands/{asked['id']}").status_code == 404
    assert desk.browser("far")[0].get("/api/commands").get_json()["total"] == 0
    assert desk.sent() == []
