"""What the MQTT collector sustains into the bus, beside a plain paho subscriber on the same broker in the same run.

    .venv/bin/python bench/collectors.py [--readings 100000] [--tags 200] [--rounds 3]

One reading a message, JSON of DESIGN.md 4 (about 100 bytes). The publisher is a process of its own that writes prepared
packets as fast as the broker takes them (at QoS 1 within a window of 500). Readings a second counts from the first to the
last message received; CPU per reading is the receiving process's own user + system time. A persistent session costs the
broker its store: our own configuration saves it each 100 changes, which a clean session never pays, so the plain
subscriber runs with both. Prints the load average, because a busy machine flatters us: batching hides contention, a
per-message program does not (PERFORMANCE.md 6).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import paho.mqtt.client as mqtt  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402

from realtime.bus import READINGS, Bus, connect, now_ms  # noqa: E402
from realtime.embedded.home import home_for, remove_home  # noqa: E402
from realtime.embedded.mqtt_broker import EmbeddedBroker, find_mosquitto  # noqa: E402
from realtime.embedded.valkey import EmbeddedValkey  # noqa: E402
from realtime.snapshot import Snapshot, Source, Tag  # noqa: E402

WINDOW = 500
QUIET_S = 5.0


def packets(url: str, prefix: str, total: int, tags: int, qos: int) -> tuple[socket.socket, list[bytes]]:
    """A connected raw publisher and its packets."""
    parts = urlsplit(url)
    sock = socket.create_connection((parts.hostname or "", parts.port or 1883))
    name = f"bench{os.getpid()}".encode()
    user, password = unquote(parts.username or "").encode(), unquote(parts.password or "").encode()
    flags, tail = 0x02, struct.pack(">H", len(name)) + name
    if user:
        flags |= 0xC0
        tail += struct.pack(">H", len(user)) + user + struct.pack(">H", len(password)) + password
    body = b"\0\x04MQTT\x04" + bytes((flags,)) + b"\0\x3c" + tail
    sock.sendall(b"\x10" + varint(len(body)) + body)
    assert sock.recv(4)[3] == 0, "broker refused the publisher"
    t0 = now_ms() - 60_000
    made = []
    for n in range(total):
        tag = f"T{n % tags}"
        payload = json.dumps({"tag": tag, "timestamp": t0 + n // tags, "value": n * 0.5, "unit": "bar", "seq": n}).encode()
        topic = f"{prefix}readings/{tag}".encode()
        content = struct.pack(">H", len(topic)) + topic + (struct.pack(">H", n % 65535 + 1) if qos else b"") + payload
        made.append(bytes((0x30 | qos << 1,)) + varint(len(content)) + content)
    return sock, made


def varint(size: int) -> bytes:
    """MQTT's remaining length."""
    out = b""
    while True:
        size, digit = divmod(size, 128)
        out += bytes((digit | (128 if size else 0),))
        if not size:
            return out


def publish(url: str, prefix: str, total: int, tags: int, qos: int) -> None:
    """Body of the publisher process."""
    sock, made = packets(url, prefix, total, tags, qos)
    sys.stdin.readline()
    acked = sent = 0
    rest = b""
    while sent < total:
        room = total - sent if not qos else WINDOW - (sent - acked)
        if room > 0:
            batch = made[sent : sent + min(room, 200)]
            sock.sendall(b"".join(batch))
            sent += len(batch)
            if qos and sent - acked < WINDOW:
                continue
        if qos:
            rest += sock.recv(65536)
            acked += len(rest) // 4
            rest = rest[len(rest) // 4 * 4 :]
    while qos and acked < total:
        rest += sock.recv(65536)
        acked += len(rest) // 4
        rest = rest[len(rest) // 4 * 4 :]
    sock.sendall(b"\xe0\0")
    sock.close()


def plain(url: str, prefix: str, total: int, qos: int, session: str) -> None:
    """Body of the comparison: a paho subscriber that parses each message with json and counts."""
    parts = urlsplit(url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"plain{prefix}", clean_session=session != "kept", protocol=mqtt.MQTTv311)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    seen, first, last = 0, 0.0, 0.0

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        nonlocal seen, first, last
        json.loads(message.payload)
        last = time.perf_counter()
        first = first or last
        seen += 1

    client.on_message = on_message
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect(parts.hostname or "", parts.port or 1883)
    client.subscribe(f"{prefix}readings/#", qos)
    cpu = sum(os.times()[:2])
    while seen < total and (not last or time.perf_counter() - last < QUIET_S):
        client.loop(0.2)
    print(json.dumps({"seen": seen, "seconds": last - first, "cpu": sum(os.times()[:2]) - cpu}), flush=True)


def child(*arguments: object) -> subprocess.Popen[str]:
    """This file as another process in another role."""
    return subprocess.Popen([sys.executable, __file__, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run_plain(url: str, prefix: str, total: int, tags: int, qos: int, session: str) -> tuple[int, float, float]:
    """Readings received, a second, CPU us each."""
    source = child("--publish", url, prefix, total, tags, qos)
    subscriber = child("--plain", url, prefix, total, qos, session)
    assert subscriber.stdout is not None
    assert source.stdin is not None
    subscriber.stdout.readline()
    source.stdin.write("go\n")
    source.stdin.flush()
    body = json.loads(subscriber.stdout.readline())
    subscriber.wait()
    source.wait()
    return body["seen"], body["seen"] / body["seconds"], body["cpu"] / body["seen"] * 1e6


def run_ours(url: str, bus: Bus, prefix: str, total: int, tags: int, qos: int, folder: Path) -> tuple[int, float, float, float]:
    """Readings on the bus, a second, CPU us each, readings a batch; the collector is the real program."""
    plant = [Tag(id=n + 1, name=f"T{n}", asset=n, shard=n % 8, unit="bar", source="bench") for n in range(tags)]
    bus.publish_config(Snapshot(version=now_ms(), sources=[Source(id=1, name="bench", kind="mqtt", config={"qos": qos})], tags=plant))
    environment = {
        **os.environ,
        "SIGHTLINE_ENV_FILE": "none",
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": os.environ["BENCH_REDIS_URL"],
        "MQTT_URL": url,
        "MQTT_PREFIX": prefix,
        "BUS_PREFIX": bus.prefix,
        "DATA_DIR": str(folder),
    }
    log = (folder / f"plc-{now_ms()}.log").open("w+")
    program = subprocess.Popen(
        [sys.executable, "-m", "plc", "--kind", "mqtt"], env=environment, cwd=ROOT, stderr=log, stdin=subprocess.PIPE
    )
    source = child("--publish", url, prefix, total, tags, qos)
    assert source.stdin is not None
    while "subscribed" not in Path(log.name).read_text("utf-8"):
        time.sleep(0.05)
    time.sleep(0.5)
    cpu = cpu_of(program.pid)
    source.stdin.write("go\n")
    source.stdin.flush()
    seen, entries, first, last = _until_quiet(bus, total)
    used = cpu_of(program.pid) - cpu
    program.terminate()
    program.wait()
    source.wait()
    log.close()
    return seen, seen / (last - first), used / max(seen, 1) * 1e6, seen / max(entries, 1)


def _until_quiet(bus: Bus, total: int) -> tuple[int, int, float, float]:
    """Count readings by the header of each new entry until all are there or nothing comes any more."""
    at = {bus.key(stream): "0" for stream in READINGS}
    seen = entries = 0
    first = last = 0.0
    heard = time.perf_counter()
    while seen < total and time.perf_counter() - heard < QUIET_S:
        time.sleep(0.1)  # reading more often would compete with what is measured
        for name, since in list(at.items()):
            for id_, fields in bus.client.xrange(name, f"({since}" if since != "0" else "-"):
                at[name] = id_.decode()
                header = json.loads(fields[b"h"])
                seen += header["n"]
                entries += 1
                received = header["received_ms"] / 1000
                first = min(first or received, received)
                last = max(last, received)
                heard = time.perf_counter()
        bus.client.delete(*[name for name in at if bus.client.xlen(name) > 5000] or ["none"])
    return seen, entries, first, max(last, first + 1e-3)


def cpu_of(pid: int) -> float:
    """User + system seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the rounds interleaved and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=100_000)
    parser.add_argument("--tags", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--qos", type=int, choices=(0, 1), help="only this one")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="slb-"))
    folder.chmod(0o755)
    home = home_for(folder / "d")
    valkey, broker = EmbeddedValkey(home), EmbeddedBroker(home, program="mosquitto" if find_mosquitto() else "amqtt")
    try:
        for server in (valkey, broker):
            server.start()
            server.wait_ready()
        os.environ["BENCH_REDIS_URL"] = valkey.url
        print(f"{options.readings} readings, one a message, {options.tags} tags, {options.rounds} rounds, {os.cpu_count()} cores")
        print(f"broker {'mosquitto' if find_mosquitto() else 'amqtt'}; load average before {os.getloadavg()[0]:.1f}")
        for qos in (0, 1) if options.qos is None else (options.qos,):
            _compare(broker.url(), valkey.url, qos, options, folder)
        print(f"load average after {os.getloadavg()[0]:.1f}")
    finally:
        broker.stop()
        valkey.stop()
        remove_home(folder / "d")
        shutil.rmtree(folder, ignore_errors=True)


def _compare(url: str, redis_url: str, qos: int, options: argparse.Namespace, folder: Path) -> None:
    theirs: list[tuple[float, ...]] = []
    kept: list[tuple[float, ...]] = []
    ours: list[tuple[float, ...]] = []
    for number in range(options.rounds):
        theirs.append(run_plain(url, f"p{qos}{number}/", options.readings, options.tags, qos, "clean"))
        if qos:
            kept.append(run_plain(url, f"k{qos}{number}/", options.readings, options.tags, qos, "kept"))
        bus = Bus(connect(redis_url), f"b{qos}{number}", 4096)
        ours.append(run_ours(url, bus, f"o{qos}{number}/", options.readings, options.tags, qos, folder))
        bus.client.flushdb()
    _row(f"QoS {qos}  plain paho + json", theirs, "")
    if kept:
        _row("QoS 1  the same, persistent session", kept, "")
    how = "acked after the bus has it" if qos else "into the bus"
    _row(f"QoS {qos}  our collector, {how}", ours, f"  {median(r[3] for r in ours):.0f} readings an entry")


def _row(what: str, rounds: list[tuple[float, ...]], more: str) -> None:
    each, least = median(r[2] for r in rounds), min(r[0] for r in rounds)
    print(f"{what:50} {median(r[1] for r in rounds):8.0f} /s  {each:5.1f} us CPU each  got {least:.0f}{more}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--publish"]:
        publish(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
    elif sys.argv[1:2] == ["--plain"]:
        plain(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
    else:
        main()
