"""Readings a second from MQTT to stored, judged and shown, beside the broker alone; latency beside a plain program.

One instance as a plant runs it (services, recorder, monitor, worker, web, collector; everything durable), load and viewers in processes
of their own on the same machine.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2

from bench.house import children_of, cpu_s, machine
from bench.instance import Instance, instance, take_on
from bench.publisher import tag_name
from realtime.bus import READINGS
from realtime.embedded.mqtt_broker import free_port

TAGS = 1000
STEP_S = 5.0
SETTLES_WITHIN_S = 2.0  # after the last publish: more means that a backlog had grown
LOST_AFTER_S = 15.0
STEPS = {(0, 1): (10_000, 20_000, 30_000, 40_000), (1, 1): (6_000, 12_000, 18_000, 24_000), (1, 100): (50_000,)}
LATENCY_RATE = 1000
LATENCY_S = 6.0
VIEWERS = 10
REPEATS = 3
TAKEN_ALONE = {0: 150_000, 1: 60_000}  # offered to the broker alone: more than it takes


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one offered rate."""

    offered: int
    sent: int
    seconds: float
    stored: int
    stored_after_s: float
    judged_after_s: float | None
    shown_after_s: float | None
    p99_ms: float
    cpu_us: float

    @property
    def holds(self) -> bool:
        """True when all that was offered could be sent and arrived everywhere with no backlog, the broker's included."""
        ends = (self.stored_after_s, self.judged_after_s, self.shown_after_s)
        whole = self.sent >= 0.97 * self.offered and self.stored == self.sent
        return whole and all(end is not None and end <= SETTLES_WITHIN_S for end in ends)


def main() -> None:
    """Print throughput, then latency."""
    tags = [tag_name(i) for i in range(TAGS)]
    with instance(tags) as running:
        throughput(running, tags)
        latency(running, tags)


@contextmanager
def program(module: str, *arguments: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A bench program of ours that has said "ready"; killed at the end if it still runs."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{module} did not get ready")
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def publish(url: str, **options: Any) -> dict[str, Any]:
    """Run the publisher to its end."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    done = subprocess.run([sys.executable, "-m", "bench.publisher", url, *flags], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def viewers(running: Instance, count: int, wanted: dict[str, Any]) -> Any:
    """Viewers of the product."""
    arguments = (str(running.port), f"--count={count}", "--subscribe", json.dumps(wanted))
    return program("bench.viewers", *arguments, env={"BENCH_TOKEN": running.token})


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a program says when it is asked to end."""
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    return json.loads(said)


def throughput(running: Instance, tags: list[str]) -> None:
    """The highest offered rate that is stored, judged and shown without a backlog."""
    print(f"pipeline: sustained readings/s, {TAGS} tags, 1 viewer of all, {STEP_S:.0f} s a step; held = all stored, judged and shown")
    print(f"  within {SETTLES_WITHIN_S:.0f} s after the last publish; judged = taken by the monitor; 'after the last' in seconds")
    print("  CPU = every process and service of the instance, broker included; load and viewer apart")
    conn = psycopg2.connect(running.endpoints["database_url"])
    conn.autocommit = True
    alone = {qos: broker_alone(running, qos) for qos in (0, 1)}
    seq, now_at = offered(running, conn, 2_000, 1, 1, 0).sent, 1  # warm
    for (qos, per_message), rates in STEPS.items():
        if qos != now_at:
            take_on(running, tags, qos)
            now_at = qos
        held = 0.0
        for rate in rates:
            step = offered(running, conn, rate, qos, per_message, seq)
            seq += step.sent
            show(qos, per_message, rate, step)
            if not step.holds:
                break
            held = step.sent / step.seconds
        ratio = f", {held / per_message / alone[qos]:.2f} of the broker's messages alone" if per_message == 1 else ""
        print(f"  QoS {qos}, {per_message} a message: holds {held:,.0f} readings/s; broker alone {alone[qos]:,.0f} messages/s{ratio}")
    conn.close()
    print(f"  {machine()}\n")


def show(qos: int, per_message: int, rate: int, step: Step) -> None:
    """One line a step."""
    ends = {"stored": step.stored_after_s, "judged": step.judged_after_s, "shown": step.shown_after_s}
    verdict = "held" if step.holds else "NOT held"
    after = ", ".join(f"{name} {'never' if end is None else f'{end:.1f} s'}" for name, end in ends.items())
    print(
        f"    QoS {qos} x {per_message:<3} offered {rate:>6,}/s: sent {step.sent:>7,}, stored {step.stored:>7,}; after the last: {after}; "
        f"live p99 {step.p99_ms:.0f} ms; {step.cpu_us:.0f} us/reading; load {os.getloadavg()[0]:.1f}; {verdict}",
        flush=True,
    )


def broker_alone(running: Instance, qos: int) -> float:
    """Messages a second that the broker brings to a plain subscriber, nobody else listening to that topic."""
    url = running.endpoints["mqtt_url"]
    with program("bench.subscriber", url, "alone/#", f"--qos={qos}") as subscriber:
        publish(url, rate=TAKEN_ALONE[qos], seconds=3.0, qos=qos, root="alone", tags=TAGS)
        said, _ = subscriber.communicate(timeout=60)
    counted = json.loads(said)
    return counted["count"] / counted["seconds"]


def offered(running: Instance, conn: Any, rate: int, qos: int, per_message: int, seq: int) -> Step:
    """Publish at a rate for a while, then watch everything arrive."""
    family = children_of(running.pid)
    spent = cpu_s(family)
    before = stored(conn)
    with viewers(running, 1, {"tags": [tag_name(i) for i in range(TAGS)]}) as viewer:
        sent = publish(running.endpoints["mqtt_url"], rate=rate, seconds=STEP_S, qos=qos, per_message=per_message, tags=TAGS, first_seq=seq)
        ended_at = sent["last_at"]  # CLOCK_MONOTONIC is the same in every process
        stored_after = until(lambda: stored(conn) - before >= sent["sent"], ended_at)
        judged_after = until(lambda: waiting(running, "monitor") == 0, ended_at)
        shown_after = judged_after if judged_after is not None else stored_after  # the viewer is asked below what it saw last
        seen = ended(viewer)
    cpu = (cpu_s(children_of(running.pid) | family) - spent) / sent["sent"] * 1e6
    arrived = stored(conn) - before
    return Step(
        int(rate * STEP_S),
        sent["sent"],
        sent["seconds"],
        arrived,
        LOST_AFTER_S if stored_after is None else stored_after,
        judged_after,
        shown_after if newest_shown(conn, seen["newest"]) else None,
        seen["p99"],
        cpu,
    )


def stored(conn: Any) -> int:
    """Readings in the history."""
    with conn.cursor() as cur:
        cur.execute("SELECT coalesce(sum(n), 0) FROM rollup_1h")  # kept in the same transaction as the rows, and quick to read
        return int(cur.fetchone()[0])


def waiting(running: Instance, group: str) -> int:
    """Entries that a group has not taken yet; one for a group that is not there."""
    client = running.bus.client
    total = 0
    for stream in (running.bus.key(name) for name in READINGS):
        groups = {g["name"].decode(): g for g in client.xinfo_groups(stream)} if client.exists(stream) else {}
        total += int(groups[group]["lag"] or 0) if group in groups else 1
    return total


def until(reached: Callable[[], bool], since: float) -> float | None:
    """Seconds since a moment until something is so; None when it is not within LOST_AFTER_S."""
    while not reached():
        if time.monotonic() - since > LOST_AFTER_S:
            return None
        time.sleep(0.05)
    return time.monotonic() - since


def newest_shown(conn: Any, newest: dict[str, float]) -> bool:
    """True when the viewer's last value of every tag is the newest stored one."""
    with conn.cursor() as cur:
        cur.execute("SELECT max(v) FROM raw_readings WHERE t > (SELECT max(t) - 1000 FROM rollup_1m) GROUP BY tag")
        last = sorted(round(row[0], 6) for row in cur.fetchall())
    return len(newest) == TAGS and last == sorted(round(value, 6) for value in newest.values())


def latency(running: Instance, tags: list[str]) -> None:
    """Publish -> viewer at LATENCY_RATE, ours and the plain program in turn."""
    print(
        f"pipeline: latency ms publish -> Socket.IO client at {LATENCY_RATE:,}/s, QoS 1, 1 reading a message, {VIEWERS} clients of all tags"
    )
    url = running.endpoints["mqtt_url"]
    ours: list[dict[str, Any]] = []
    plain: list[dict[str, Any]] = []
    seq = 1 << 30
    for _ in range(REPEATS):
        with viewers(running, VIEWERS, {"tags": tags}) as watching:
            ours.append(watched(watching, url, seq))
        seq += 100_000
        with plain_program(url) as port, program("bench.viewers", str(port), f"--count={VIEWERS}") as watching:
            plain.append(watched(watching, url, seq))
        seq += 100_000
    for name, runs in (("sightline", ours), ("paho -> socketio.emit", plain)):
        p50, p99 = (statistics.median(run[key] for run in runs) for key in ("p50", "p99"))
        cells = ", ".join(f"{run['p50']:.1f}/{run['p99']:.1f}" for run in runs)
        seen = f"{runs[0]['values']:,} values in {runs[0]['frames']:,} frames"
        print(f"  {name:>22}: p50 {p50:.1f}, p99 {p99:.1f} (runs p50/p99: {cells}); {seen}")
    between = statistics.median(a["p99"] - b["p99"] for a, b in zip(ours, plain, strict=True))
    print(f"  p99 of ours - plain, median of {REPEATS} interleaved: {between:+.1f} ms; {machine()}")


def watched(watching: subprocess.Popen[str], url: str, seq: int) -> dict[str, Any]:
    """A second to warm up, then what the viewers saw of the load."""
    publish(url, rate=LATENCY_RATE, seconds=1.0, qos=1, tags=TAGS, first_seq=seq)
    watching.send_signal(signal.SIGUSR1)
    publish(url, rate=LATENCY_RATE, seconds=LATENCY_S, qos=1, tags=TAGS, first_seq=seq + 50_000)
    return ended(watching)


@contextmanager
def plain_program(url: str) -> Iterator[int]:
    """The program to compare with, on a port of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.plain", str(port), url, "1"])
    try:
        deadline = time.monotonic() + 20
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the plain program did not start")
            time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    """True when something listens."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
