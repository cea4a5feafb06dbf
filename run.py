"""The programs and how they start: read this first.

Starts the embedded services that no URL replaces, sets the database up, starts every program as a subprocess and keeps them running.
Imports only realtime; `make run` is `python run.py` with DEMO=1.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from realtime import settings as settings_module
from realtime.embedded.home import Home, home_for
from realtime.embedded.mqtt_broker import PLANT, EmbeddedBroker, free_port
from realtime.embedded.postgres import EmbeddedPostgres
from realtime.embedded.valkey import EmbeddedValkey
from realtime.errors import SettingsError
from realtime.guarded_file import Unguarded, read_guarded
from realtime.instance import take_instance
from realtime.settings import Settings
from realtime.supervise import configure_logging, stop_event
from realtime.supervisor import Program, Supervisor

ROOT = Path(__file__).resolve().parent
log = logging.getLogger("run")

# name -> arguments of this Python. Each also runs alone against DATABASE_URL, REDIS_URL, MQTT_URL.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "recorder": ("-m", "realtime"),
    "worker": ("-m", "server.worker"),
    "web": ("app.py",),
    "collector": ("-m", "plc"),
    "monitor": ("-m", "ml"),
}
# Nobody waits for these at a start: they come once the page is there.
LATER: dict[str, tuple[str, ...]] = {"jobs": ("-m", "server.jobs"), "ml-jobs": ("-m", "ml.jobs")}
WRITES_PROGRAM = ("plc-writes", ("-m", "plc.commands"))  # with PLC_WRITES=1 only; it alone writes to PLCs
DEMO_PROGRAM = ("simulator", ("-m", "plc.simulator"))
DEMO_DEFAULTS = {"PROOF_WINDOW_SECONDS": "60"}


def write_private(path: Path, body: dict[str, Any]) -> None:
    """A 0600 JSON file, replaced atomically."""
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(body, file)
    draft.replace(path)


def start_services(settings: Settings, home: Home, supervisor: Supervisor) -> dict[str, str]:
    """Start the services that no URL replaces, side by side; returns their addresses as endpoints.json holds them."""
    endpoints: dict[str, str] = {}
    started: list[EmbeddedPostgres | EmbeddedValkey | EmbeddedBroker] = []
    if settings.database_url is None:
        postgres = EmbeddedPostgres(home)
        endpoints["database_url"] = postgres.url
        started.append(postgres)
    if settings.redis_url is None:
        valkey = EmbeddedValkey(home)
        endpoints["redis_url"] = valkey.url
        started.append(valkey)
    if settings.mqtt_url is None:
        broker = EmbeddedBroker(home, settings.mqtt_bind, prefix=settings.mqtt_prefix)
        endpoints |= {"mqtt_url": broker.url(), "mqtt_device_url": broker.url(PLANT)}
        started.append(broker)
    for service in started:
        supervisor.add(service)
    for service in started:
        service.wait_ready()
    return endpoints


def simulator_ports(settings: Settings) -> None:
    """Ports of the simulated devices: chosen once, kept over restarts."""
    path = settings.run_dir / "simulator.json"
    if not path.exists():
        write_private(path, {"s7_port": free_port(), "opcua_port": free_port()})


def child_environment(settings: Settings) -> dict[str, str]:
    """What a program is started with: our own environment, the defaults of the demo, and the paths made absolute."""
    environment = dict(os.environ)
    environment["DATA_DIR"] = str(settings.data_dir)
    if settings.demo:
        environment = DEMO_DEFAULTS | environment
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment.setdefault(name, "1")  # our arrays are small: more threads only spin
    return environment


def set_up(environment: dict[str, str]) -> None:
    """Migrations, first admin, demo plant, plant snapshot; raises SystemExit when it fails, after it said why."""
    done = subprocess.run([sys.executable, "-m", "server.setup"], cwd=ROOT, env=environment, check=False)
    if done.returncode != 0:
        raise SystemExit(done.returncode)


def may_write(settings: Settings) -> bool:
    """Whether the allow-list of guarded writes is protected from our own programs; says why not, and then nothing is written."""
    try:
        weakness = read_guarded(settings.plc_write_list, settings.data_dir).weakness
    except Unguarded as error:
        log.error("PLC writes stay off: %s", error)  # noqa: TRY400 - one line says it
        return False
    if weakness:
        log.warning("PLC writes: %s", weakness)
    return True


def programs(settings: Settings) -> list[tuple[str, tuple[str, ...]]]:
    """Name and arguments of every program that this instance starts once it is set up."""
    chosen = [(name, arguments) for name, arguments in PROGRAMS.items() if name != "web"]
    if settings.plc_writes and may_write(settings):
        chosen.append(WRITES_PROGRAM)
    return chosen + [(f"web-{n}", PROGRAMS["web"]) for n in range(settings.web_processes)]


def web_port(settings: Settings) -> int | None:
    """The port that the web process bound; None until it has."""
    path = settings.run_dir / "web.json"
    return int(json.loads(path.read_text("utf-8"))["port"]) if path.exists() else None


def is_live(port: int, scheme: str = "http") -> bool:
    """True when the web process answers. Its certificate is for other names than loopback: it is not asked for here."""
    if scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=_own_process())
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/live")
        return connection.getresponse().status == http.client.OK
    except (http.client.HTTPException, OSError):
        return False
    finally:
        connection.close()


def _own_process() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def scheme_of(settings: Settings) -> str:
    """http, or https where the web process has a certificate."""
    return "https" if settings.tls_cert else "http"


def lan_address() -> str | None:
    """This machine's address on the plant's network, found without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def announce(settings: Settings, port: int) -> None:
    """Addresses and first logins, once they work; the first admin's password is shown this once."""
    scheme = scheme_of(settings)
    address = f"{scheme}://127.0.0.1:{port}"
    print(f"\nSightline is ready: {address}")
    if settings.lan and (host := lan_address()):
        print(f"  on the plant's network: {scheme}://{host}:{port}")
    print(f"  glasses: {address}/glasses")
    for name in ("first-login.json", "demo-logins.json"):
        path = settings.run_dir / name
        if path.exists():
            for employee, login in json.loads(path.read_text("utf-8")).items():
                print(f"  login {employee} ({login.get('role', 'admin')}): {login['password']}")
    (settings.run_dir / "first-login.json").unlink(missing_ok=True)
    print("Ctrl-C stops everything.\n", flush=True)


def serve(settings: Settings, supervisor: Supervisor) -> None:
    """Start the programs and tend them until a signal comes."""
    stop = stop_event()
    environment = child_environment(settings)
    (settings.run_dir / "web.json").unlink(missing_ok=True)
    for name, arguments in programs(settings):
        supervisor.add(Program(name, arguments, environment, ROOT))
    waiting = True
    ends = None if settings.duration_minutes is None else time.monotonic() + settings.duration_minutes * 60
    while not stop.wait(0.1):
        supervisor.tend()
        port = web_port(settings) if waiting else None
        if port is not None and is_live(port, scheme_of(settings)):
            waiting = False
            announce(settings, port)
            for name, arguments in LATER.items():
                supervisor.add(Program(name, arguments, environment, ROOT))
        if ends is not None and time.monotonic() > ends:
            return


def main() -> None:
    """Run the instance of this DATA_DIR."""
    configure_logging()
    try:
        settings = settings_module.load(resolve=False)
        lock = take_instance(settings)
    except SettingsError as error:
        sys.exit(f"sightline: {error}")
    endpoints_file = settings.run_dir / "endpoints.json"
    supervisor = Supervisor()
    try:
        write_private(endpoints_file, start_services(settings, home_for(settings.data_dir), supervisor))
        if settings.demo:  # the plant is there before anybody looks at it
            simulator_ports(settings)
            supervisor.add(Program(*DEMO_PROGRAM, child_environment(settings), ROOT))
        set_up(child_environment(settings))
        serve(settings, supervisor)
    except SettingsError as error:
        sys.exit(f"sightline: {error}")
    except KeyboardInterrupt:
        log.info("stopped while starting")
    finally:
        supervisor.stop()
        endpoints_file.unlink(missing_ok=True)
        lock.close()


if __name__ == "__main__":
    main()
