"""A Redis that dies under the push server: the facts written after it came back arrive, and live values go on by themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.bus import Bus, connect
from realtime.embedded.home import home_for, remove_home
from realtime.embedded.valkey import EmbeddedValkey
from realtime.errors import BusUnavailable
from tests.realtime.test_push import PRESSURE, SNAPSHOT, Client, Server, alert, batch
from tests.waiting import wait_for

pytestmark = pytest.mark.owns_services


@pytest.fixture
def valkey() -> Iterator[EmbeddedValkey]:
    folder = Path(tempfile.mkdtemp(prefix="slt-"))
    folder.chmod(0o755)
    found = EmbeddedValkey(home_for(folder / "d"))
    found.start()
    found.wait_ready()
    yield found
    found.stop()
    remove_home(folder / "d")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_facts_and_values_go_on_after_redis_was_killed(valkey: EmbeddedValkey, tmp_path: Path, mode: str) -> None:
    bus = Bus(connect(valkey.url), "outage")
    bus.publish_config(SNAPSHOT)
    port_file = tmp_path / "port"
    environment = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": valkey.url,
        "BUS_PREFIX": bus.prefix,
        "ASYNC_MODE": mode,
        "DATA_DIR": str(tmp_path),
        "SIGHTLINE_ENV_FILE": "none",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.realtime.push_server", str(port_file)], env=environment, cwd=Path(__file__).parents[2]
    )
    wait_for(lambda: port_file.exists() and port_file.read_text(), 30, "the server's port")
    server = Server(f"http://127.0.0.1:{port_file.read_text()}", tmp_path / "gone", process)
    wait_for(lambda: is_ready(server), 30, "the server to listen")
    client = Client(server.url, "anna")
    client.ask("subscribe", {"assets": [10]})
    bus.add_facts([alert(8)])
    wait_for(lambda: client.of("alert.raised"), 10, "the fact before")

    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait(10)
    valkey.start()
    valkey.wait_ready()

    wait_for(lambda: wrote(bus, 9), 20, "the bus to take a fact again")
    wait_for(lambda: [fact["seq"] for fact in client.of("alert.raised")] == [8, 9], 20, "the fact after")

    def value_arrives() -> bool:
        bus.add_batches([batch({PRESSURE: 6.5})])
        return any(6.5 in body["v"] for body in client.of("reading.batch"))

    wait_for(value_arrives, 20, "live values after", every_s=0.2)
    client.io.disconnect()
    process.terminate()
    process.wait(10)
    bus.client.close()


def is_ready(server: Server) -> bool:
    try:
        return bool(server.counters()["ready"])
    except OSError:
        return False


def wrote(bus: Bus, seq: int) -> bool:
    try:
        bus.add_facts([alert(seq)])
    except BusUnavailable:
        return False
    return True
