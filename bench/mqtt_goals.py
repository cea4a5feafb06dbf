"""MQTT and Sparkplug against the goals of PROTOCOLS.md 9, measured here; a row that falls short says so.

    .venv/bin/python -m bench.mqtt_goals [--readings 60000] [--rounds 3] [--storm-s 60]

Rate: one reading a message of about 100 bytes at QoS 1, our real collector acknowledging after the bus has it, beside mosquitto_sub (C)
with a persistent session on the same broker in the same run. `as shipped` saves the broker's store each hundred changes
(docs/decisions/003); `saved each second` shows what the collector does where the broker is not the limit.
Gap: a message of a Sparkplug node is lost; from the next one to the birth that was asked for. Storm: bad payloads beside good ones.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.collectors import child, cpu_of, run_ours
from realtime.bus import READINGS, Bus, connect, now_ms
from realtime.embedded.home import home_for, remove_home
from realtime.embedded.valkey import EmbeddedValkey
from realtime.snapshot import Snapshot, Source, Tag
from tests.plc.edge_node import EdgeNode, metric
from tests.plc.harness import ROOT, Publisher, tag
from tests.plc.mosquitto import Mosquitto
from tests.plc.pushed import Pushed

TAGS, QOS = 200, 1
LEAST_RATE, MOST_CPU_US, GAP_S, STORM_MB = 12_000, 45.0, 5.0, 20.0
BAD = [b"hello", b'{"tag":"T0","timestamp":1,"value":NaN}', b"[" * 2000, b'{"tag":"T0"}', b"\xff\xfe", b'{"tag":"<script>","value":1}']


def verdict(is_met: bool, goal: str) -> str:
    """How a row ends."""
    return f"goal {goal}: {'met' if is_met else 'FALLS SHORT'}"


def row(what: str, figures: str, end: str = "") -> None:
    """One line of the table."""
    print(f"{what:58} {figures:58} {end}", flush=True)


def subscribed(broker: Mosquitto, prefix: str, total: int) -> tuple[float, float]:
    """mosquitto_sub with a persistent session takes `total` messages: a second, CPU us each."""
    command = [
        "mosquitto_sub",
        "-p",
        str(broker.port),
        "-q",
        "1",
        "-c",
        "-i",
        f"sub{prefix}",
        "-t",
        f"{prefix}readings/#",
        "-C",
        str(total),
    ]
    source = child("--publish", broker.url, prefix, total, TAGS, QOS)
    heard = broker.folder / "heard"
    with heard.open("wb") as out, subprocess.Popen(command, stdout=out) as program:
        time.sleep(1.0)  # it does not tell when it is subscribed
        assert source.stdin is not None
        source.stdin.write("go\n")
        source.stdin.flush()
        while not heard.stat().st_size:
            time.sleep(0.002)
        started = time.perf_counter()
        used = before = cpu_of(program.pid)
        while program.poll() is None:
            used = _cpu_or(program.pid, used)
            time.sleep(0.01)
        seconds = time.perf_counter() - started
    source.wait()
    return total / seconds, (used - before) / total * 1e6


def _cpu_or(pid: int, last: float) -> float:
    try:
        return cpu_of(pid)
    except (FileNotFoundError, IndexError, ValueError):
        return last


def rates(folder: Path, redis_url: str, readings: int, rounds: int) -> None:
    """Our collector and mosquitto_sub, interleaved, on the broker as shipped and on one that saves each second."""
    seconds_only = ["allow_anonymous true", "autosave_on_changes false", "autosave_interval 1"]
    for name, more in (("as shipped", ["allow_anonymous true"]), ("saved each second", seconds_only)):
        broker = Mosquitto(folder / name.replace(" ", "-"), more)
        if more is seconds_only:  # mosquitto takes the first of two equal settings
            broker = Mosquitto(broker.folder, [*_shipped_without("autosave"), *more], shipped=False)
        broker.start()
        theirs, ours = [], []
        for number in range(rounds):
            theirs.append(subscribed(broker, f"c{name[0]}{number}/", readings))
            bus = Bus(connect(redis_url), f"g{name[0]}{number}", 4096)
            seen, rate, cpu, batch = run_ours(broker.url, bus, f"o{name[0]}{number}/", readings, TAGS, QOS, folder)
            ours.append((rate, cpu, batch, seen))
            bus.client.flushdb()
        broker.stop()
        sub_rate, sub_cpu = median(r for r, _ in theirs), median(c for _, c in theirs)
        rate, cpu, batch = (median(one[place] for one in ours) for place in range(3))
        lost = readings - min(one[3] for one in ours)
        row(f"mosquitto_sub, QoS 1, nothing stored; broker {name}", f"{sub_rate:7,.0f} /s  {sub_cpu:5.1f} us CPU each")
        figures = f"{rate:7,.0f} /s  {cpu:5.1f} us CPU each  {batch:.0f} an entry  {lost} lost  {rate / sub_rate:.2f} of C"
        is_met = rate >= LEAST_RATE and cpu <= MOST_CPU_US and not lost
        row(f"our collector, on the bus before its ack; broker {name}", figures, verdict(is_met, ">= 12,000 /s, <= 45 us, 0 lost"))


def _shipped_without(word: str) -> list[str]:
    lines = (ROOT / "deploy" / "mosquitto.conf").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#") and word not in line]


def gaps(folder: Path, rounds: int) -> None:
    """Seconds from the message that shows a hole to the birth that mends it, and what was called good meanwhile."""
    broker = Mosquitto(folder / "gap").start()
    taken, wrong = [], 0
    for number in range(rounds):
        node = EdgeNode(broker.url, "G", f"N{number}", {"D": [metric("A", 1.0), metric("B", 1.0)]})
        tags = [tag(1, "A", "s", f"G/N{number}/D:A"), tag(2, "B", "s", f"G/N{number}/D:B")]
        with Pushed("sparkplug", {"url": broker.url}, tags, prefix=f"gap{number}") as ours:
            ours.until(lambda rows: len(rows) >= 2, "the birth")
            ours.connector.host.nodes[("G", f"N{number}")].asked_at = float("-inf")  # type: ignore[attr-defined]
            node.births["D"] = [metric("A", 2.0), metric("B", 2.0)]  # the lost message said B = 2
            node.seq = (node.seq + 1) % 256
            before = len(ours.rows)
            started = time.perf_counter()
            node.say("DDATA", [metric("A", 2.0)], "D")
            ours.until(lambda rows: [one for one in rows if one[:1] == ("B",) and one.value == 2.0], "the birth")
            taken.append(time.perf_counter() - started)
            wrong += sum(one.tag == "B" and one.value != 2.0 and one.quality == 0 for one in ours.rows[before:])
        node.close()
    broker.stop()
    end = verdict(max(taken) <= GAP_S and not wrong, "<= 5 s, no wrong value")
    row(
        "Sparkplug: lost message -> consistent again",
        f"{median(taken):.2f} s, at most {max(taken):.2f} s; {wrong} wrong values as good",
        end,
    )


@contextmanager
def collector(folder: Path, broker: Mosquitto, redis_url: str, bus: Bus) -> Iterator[int]:
    """The real program with tag T0; yields the process id of its MQTT child."""
    plant = [Tag(id=1, name="T0", asset=1, shard=1, unit="bar", source="storm")]
    bus.publish_config(Snapshot(version=now_ms(), sources=[Source(id=1, name="storm", kind="mqtt")], tags=plant))
    environment = {**os.environ, "SIGHTLINE_ENV_FILE": "none", "PYTHONPATH": str(ROOT), "REDIS_URL": redis_url, "MQTT_URL": broker.url}
    environment |= {"BUS_PREFIX": bus.prefix, "DATA_DIR": str(folder / "storm-data"), "MQTT_PREFIX": ""}
    log = folder / "storm.log"
    with log.open("w") as out:
        program = subprocess.Popen(
            [sys.executable, "-m", "plc", "--kind", "mqtt"], env=environment, cwd=ROOT, stderr=out, stdin=subprocess.PIPE
        )
    while "subscribed" not in log.read_text("utf-8"):
        time.sleep(0.05)
    yield program.pid
    program.terminate()
    program.wait()


def resident_mb(pid: int) -> float:
    """Memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def said(publisher: Publisher, seconds: float, bad: bool) -> int:
    """A thousand messages a second for so long; returns how many."""
    started, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds:
        while count < passed * 1000:
            body: dict[str, Any] | bytes = (
                BAD[count % len(BAD)] if bad else {"tag": "T0", "timestamp": now_ms(), "value": count, "seq": count}
            )
            publisher.send("readings/T0", body)
            count += 1
        time.sleep(0.005)
    return count


def storm(folder: Path, redis_url: str, seconds: float) -> None:
    """A thousand bad payloads a second beside a thousand good ones."""
    broker = Mosquitto(folder / "storm").start()
    bus = Bus(connect(redis_url), "storm", 4096)
    publishers = [Publisher(broker.url, "") for _ in range(2)]
    with collector(folder, broker, redis_url, bus) as pid:
        said(publishers[0], 2.0, bad=False)
        said(publishers[1], 2.0, bad=True)  # caches and allocators have what they keep
        time.sleep(1.0)
        first, before = stored(bus), resident_mb(pid)
        counts = [0, 0]
        threads = [
            threading.Thread(target=lambda place=place: counts.__setitem__(place, said(publishers[place], seconds, bad=bool(place))))
            for place in range(2)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        deadline = time.perf_counter() + 30
        while stored(bus) - first < counts[0] and time.perf_counter() < deadline:
            time.sleep(0.2)
        kept, grown = stored(bus) - first, resident_mb(pid) - before
    for publisher in publishers:
        publisher.close()
    broker.stop()
    figures = f"{kept:,} of {counts[0]:,} good stored beside {counts[1]:,} bad; memory {grown:+.1f} MB"
    row(f"bad payload storm, {seconds:.0f} s", figures, verdict(kept == counts[0] and grown <= STORM_MB, "all good stored, <= +20 MB"))


def stored(bus: Bus) -> int:
    """Readings on the bus."""
    return sum(json.loads(fields[b"h"])["n"] for stream in READINGS for _, fields in bus.client.xrange(bus.key(stream)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--storm-s", type=float, default=60.0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="slg-"))
    folder.chmod(0o755)
    valkey = EmbeddedValkey(home_for(folder / "d"))
    try:
        valkey.start()
        valkey.wait_ready()
        os.environ["BENCH_REDIS_URL"] = valkey.url
        print(f"mqtt_goals: {os.cpu_count()} cores, load average before {os.getloadavg()[0]:.1f}, QoS 1, one reading a message")
        rates(folder, valkey.url, options.readings, options.rounds)
        gaps(folder, options.rounds)
        storm(folder, valkey.url, options.storm_s)
        print(f"mqtt_goals: load average after {os.getloadavg()[0]:.1f}")
    finally:
        valkey.stop()
        remove_home(folder / "d")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
