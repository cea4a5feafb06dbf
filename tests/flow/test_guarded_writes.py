"""Guarded writes through the real programs (RELIABILITY.md B10): one legal path to the press's request bit, and no other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio
import yaml

from plc.connector import LinkError
from plc.connectors.s7_write import S7Writer
from realtime.bus import now_ms
from realtime.embedded.home import remove_home
from realtime.events import Command
from realtime.plc_writes import PROGRAM, STREAM
from realtime.supervise import heartbeats
from tests.flow.plant import Plant
from tests.plc.harness import free_port
from tests.waiting import wait_for

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[2]
BIT, NEIGHBOUR = "M20.7:BOOL", "M20.6:BOOL"
TOO_SOON_OR_LATE = {"rate", "expired"}  # a busy machine's doing; tests/plc/test_commands.py judges both
WRITER, SECOND, OTHER = "2001", "2002", "3001"


class Browser:
    """A person's own session: cookie and CSRF."""

    def __init__(self, plant: Plant, number: str) -> None:
        self.url, self.password = plant.url, plant.logins()[number]
        self.http = requests.Session()
        page = self.http.get(f"{self.url}/login", timeout=30).text
        form = {"csrf_token": _csrf(page), "employee_number": number, "password": self.password}
        assert self.http.post(f"{self.url}/login", data=form, timeout=30, allow_redirects=False).status_code == 302
        self.csrf = _csrf(self.http.get(f"{self.url}/account/password", timeout=30).text)

    def post(self, path: str, body: Any) -> requests.Response:
        """As the page does."""
        headers = {"X-CSRFToken": self.csrf, "Referer": self.url}
        return self.http.post(f"{self.url}{path}", json=body, headers=headers, timeout=30)

    def get(self, path: str) -> Any:
        """JSON."""
        return self.http.get(f"{self.url}{path}", timeout=30).json()

    def ask(self, entry: str, value: float = 1) -> requests.Response:
        """Ask for a write."""
        return self.post("/api/commands", {"entry": entry, "value": value, "reason": "a test", "password": self.password})

    def confirm(self, command: Any, **more: Any) -> requests.Response:
        """Confirm it."""
        return self.post(f"/api/commands/{command['id']}/confirm", {"nonce": command["nonce"], **more})

    def written(self, entry: str, value: float = 1, second: Browser | None = None) -> Any:
        """Ask, confirm (the second person where there is one) and wait for what comes of it; waits out the rate, wherever it is kept."""

        def sent() -> Any:
            answer = self.ask(entry, value)
            if answer.status_code != 201:
                assert answer.json()["code"] == "busy", answer.text
                return None
            asked = answer.json()
            if second is None:
                confirmed = self.confirm(asked)
            else:
                shown = second.get(f"/api/commands/{asked['id']}")
                confirmed = second.confirm(shown, password=second.password)
            assert confirmed.status_code in {202, 429}, confirmed.text
            return asked if confirmed.status_code == 202 else None

        def done() -> Any:
            asked = sent()
            came = wait_for(lambda: self.ended(asked), what="what came of it") if asked else None
            return None if came and came["refusal"] in TOO_SOON_OR_LATE else came

        return wait_for(done, what="its turn", every_s=1.1, timeout_s=60)

    def ended(self, command: Any) -> Any:
        """The command once it has ended."""
        found = self.get(f"/api/commands/{command['id']}")
        return found if found["state"] not in {"requested", "sent"} else None


def _csrf(page: str) -> str:
    return page.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]


class Press:
    """The press's PLC, looked at from beside."""

    def __init__(self, port: int) -> None:
        self.port = port

    def bit(self, address: str = BIT) -> float:
        """The bit now."""
        writer = S7Writer({"host": "127.0.0.1", "port": self.port, "timeout_s": 5})
        writer.open()
        try:
            return writer.read(address)
        finally:
            writer.close()


def allowed(port: int) -> dict[str, Any]:
    """The sample, switched on, with a lasting write and a critical one beside the pulse."""
    body: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "samples" / "plc-writes.yaml").read_text("utf-8"))
    body["sources"]["press-s7"] |= {"port": port, "enabled": True}
    lasting = {**body["writes"][0], "name": "lasting", "mode": "set", "values": [True, False]}
    del lasting["ms"]
    body["writes"] += [lasting, {**lasting, "name": "critical", "class": "critical"}]
    return body


@pytest.fixture(scope="module")
def press() -> Press:
    return Press(free_port())


@pytest.fixture(scope="module")
def plant(press: Press) -> Iterator[Plant]:
    """A demo instance with writing switched on."""
    folder = Path(tempfile.mkdtemp(prefix="slf-"))
    folder.chmod(0o755)
    (folder / "var" / "run").mkdir(parents=True)
    (folder / "var" / "run" / "simulator.json").write_text(json.dumps({"s7_port": press.port, "opcua_port": free_port()}))
    path = folder / "plc-writes.yaml"
    path.write_text(yaml.safe_dump(allowed(press.port)), "utf-8")
    path.chmod(0o444)
    running = Plant(folder, PLC_WRITES="1", PLC_WRITE_LIST=str(path))
    yield running
    running.stop()
    remove_home(folder / "var")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def writer(plant: Plant) -> Browser:
    """A technician whom the admin gave the right, and a second one."""
    admin = Browser(plant, "admin")
    for number in (WRITER, SECOND):
        ((person,),) = plant.query("SELECT id FROM users WHERE employee_number = %s", number)
        answer = admin.post(f"/api/users/{person}/rights", {"right": "plc.write", "reason": "trained on the press"})
        assert answer.status_code == 200, answer.text
    made = Browser(plant, WRITER)
    wait_for(lambda: made.get("/api/commands/targets")["running"], what="the program that writes")
    return made


def orders_on_the_bus(plant: Plant) -> int:
    return int(plant.bus.client.xlen(plant.bus.key(STREAM)))


def test_the_one_legal_path_sets_the_bit_and_leaves_its_neighbours(plant: Plant, writer: Browser, press: Press) -> None:
    done = writer.written("lasting", 1)

    assert (done["state"], done["old"], done["new"]) == ("written", 0.0, 1.0)
    assert (press.bit(), press.bit(NEIGHBOUR)) == (1.0, 0.0)
    assert writer.written("lasting", 0)["new"] == 0.0
    assert press.bit() == 0.0
    rows = plant.query("SELECT action FROM audit_log WHERE thing = 'plc_command' AND thing_id = %s ORDER BY id", done["id"])
    assert [action for (action,) in rows] == ["request", "send", "written"]


def test_a_pulse_goes_back_by_itself(writer: Browser, press: Press) -> None:
    done = writer.written("press-maintenance-request")

    assert (done["state"], done["refusal"], done["new"]) == ("written", None, 1.0)
    assert press.bit() == 0.0


def test_a_critical_write_is_confirmed_by_a_second_person(plant: Plant, writer: Browser, press: Press) -> None:
    second = Browser(plant, SECOND)

    done = writer.written("critical", 1, second)

    assert (done["state"], done["requested_by"], done["confirmed_by"]) == ("written", "A. Benali", "S. Moreau")
    assert press.bit() == 1.0
    assert writer.written("lasting", 0)["new"] == 0.0


def test_no_other_way_reaches_the_plc(plant: Plant, writer: Browser, press: Press) -> None:
    before = orders_on_the_bus(plant)
    person, manager = plant.person(WRITER), plant.person("1001")
    wish = {"entry": "lasting", "value": 1, "reason": "x", "password": writer.password}
    statuses = {
        "jwt": person.call("POST", "/api/commands", json=wish).status_code,
        "no right": Browser(plant, OTHER).ask("lasting").status_code,
        "no csrf": writer.http.post(f"{plant.url}/api/commands", json=wish, timeout=30).status_code,
        "form": writer.http.post(f"{plant.url}/api/commands", data=wish, timeout=30).status_code,
        "anonymous": requests.post(f"{plant.url}/api/commands", json=wish, timeout=30).status_code,
        "confirm by jwt": person.call("POST", "/api/commands/1/confirm", json={"nonce": "x"}).status_code,
        "glasses": person.call("POST", "/ar/v1/ops", json={"ops": [{"op": "plc.write", "entry": "lasting", "value": 1}]}).status_code,
    }
    assert all(400 <= status < 500 or name == "glasses" for name, status in statuses.items()), statuses
    for body in ({"tag": "PL-1.maint_request", "value": 1, "timestamp": now_ms()}, wish, {"command": "write", **wish}):
        manager.call("POST", "/api/readings", json=[body])
        device = plant.device()
        for topic in ("readings/PL-1.maint_request", "machines/PL-1", "commands", "plc.writes", "plc/writes", "readings/plc.writes"):
            device.publish(topic, body)
        device.close()
    socket = socketio.Client()
    socket.connect(plant.url, auth={"token": person.token}, transports=["websocket"])
    for event in ("command", "plc.write", "write", "commands", "subscribe"):
        socket.emit(event, wish)
    socket.disconnect()
    plant.bus.add_commands([Command("x", "plc.write", now_ms(), wish)])  # as ml or another program might
    plant.bus.client.xadd(plant.bus.key(STREAM), {"j": json.dumps(wish), "s": "guess"})

    def refused() -> bool:
        return bool(plant.query("SELECT id FROM audit_log WHERE thing = 'plc_command' AND new->>'outcome' = 'forged'"))

    wait_for(refused, what="the forged order in the audit trail")
    assert orders_on_the_bus(plant) == before + 1  # the forged one
    assert press.bit() == 0.0
    tries = plant.query("SELECT new->>'path', count(*) FROM audit_log WHERE action = 'refuse' AND thing = 'route' GROUP BY 1")
    assert dict(tries)["/api/commands"] >= 4


def test_work_on_the_press_refuses(plant: Plant, writer: Browser, press: Press) -> None:
    technician = plant.person(SECOND)
    order = technician.post("/api/work-orders", {"asset": "PL-1", "title": "Change the die"})
    path = f"/api/work-orders/{order['number']}/actions"
    technician.post(f"{path}/start")
    refused = writer.ask("lasting")
    plant.person("1001").post(f"{path}/cancel", {"reason": "not needed"})

    assert (refused.status_code, refused.json()["code"]) == (409, "in_work")
    assert press.bit() == 0.0


def test_a_stop_holds_until_an_admin_lets_go(plant: Plant, writer: Browser, press: Press) -> None:
    stopped = plant.person(OTHER).call("POST", "/api/commands/stop", json={"reason": "smoke"})
    refused = writer.ask("lasting")
    released = Browser(plant, "admin").post("/api/commands/release", {"reason": "looked"})

    assert (stopped.status_code, refused.json()["code"], released.status_code) == (200, "stopped", 200)
    assert writer.written("lasting", 0)["state"] == "written"


def test_a_plc_that_is_away_is_told_and_nothing_waits_for_it(plant: Plant, writer: Browser, press: Press) -> None:
    manager = plant.person("1001")
    fault = manager.post("/api/simulator/faults", {"target": "press-s7", "kind": "source_off"})
    wait_for(lambda: _is_away(press), what="the PLC to be away")
    done = writer.written("lasting", 1)
    manager.call("DELETE", f"/api/simulator/faults/{fault['id']}")
    wait_for(lambda: not _is_away(press), what="the PLC to be back")

    assert (done["state"], done["refusal"]) == ("refused", "no_link")
    assert press.bit() == 0.0


def _is_away(press: Press) -> bool:
    try:
        press.bit()
    except LinkError:
        return True
    return False


def test_after_a_kill_no_order_fires_and_writing_comes_back(plant: Plant, writer: Browser, press: Press) -> None:
    killed = plant.pid_of("plc.commands")
    os.kill(killed, signal.SIGKILL)
    asked = writer.ask("lasting")
    if asked.status_code == 201:
        writer.confirm(asked.json())  # sent to nobody

    def is_back() -> bool:
        return any(beat["program"] == PROGRAM and beat["holds"] and beat["pid"] != killed for beat in heartbeats(plant.bus))

    wait_for(is_back, what="the program that writes", timeout_s=30)

    assert press.bit() == 0.0
    assert writer.written("press-maintenance-request")["state"] == "written"
    assert press.bit() == 0.0
