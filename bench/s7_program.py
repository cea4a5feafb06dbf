"""The rows of `bench.s7` that need the real program: 32 PLCs at once, a PLC that hangs, a PLC that is away for a while."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.collectors import cpu_of
from bench.mqtt_goals import row, verdict
from realtime.bus import READINGS, Bus, connect, now_ms
from realtime.codec import decode_batch
from realtime.embedded.home import home_for, remove_home
from realtime.embedded.valkey import EmbeddedValkey
from realtime.snapshot import Snapshot, Source, Tag
from tests.plc.harness import Program, Tap, environment_of
from tests.plc.proxy import FaultProxy

PLCS, TAGS_EACH = 32, 1000
PERIOD_S = 1.0
BACK_S = {5.0: 3.0, 600.0: 16.0}  # away for so long -> good again within; the longer the slower we retry
PATIENCE_S = 40.0


def run(ports: list[int], seconds: int, away_s: float) -> None:
    """Rows of 32 PLCs, one a port, and of one more behind a proxy, which is away for 5 s and then for away_s."""
    folder = Path(tempfile.mkdtemp(prefix="slb-"))
    folder.chmod(0o755)
    valkey = EmbeddedValkey(home_for(folder / "d"))
    valkey.start()
    valkey.wait_ready()
    bus = Bus(connect(valkey.url), "bench", 4096)
    try:
        environment = environment_of(REDIS_URL=valkey.url, BUS_PREFIX="bench", DATA_DIR=str(folder / "var"), BUS_MAX_MB="4096")
        _load(ports[:PLCS], bus, environment, seconds)
        bus.client.flushdb()
        with FaultProxy("127.0.0.1", ports[PLCS]) as proxy:
            _faults(proxy, bus, environment | {"DATA_DIR": str(folder / "var2")}, away_s)
    finally:
        bus.client.close()
        valkey.stop()
        remove_home(folder / "d")
        shutil.rmtree(folder, ignore_errors=True)


def source(number: int, port: int) -> Source:
    """One PLC polled each second, all else as shipped."""
    return Source(id=number, name=f"plc{number}", kind="s7", config={"host": "127.0.0.1", "port": port}, groups={"normal": PERIOD_S})


def _load(ports: list[int], bus: Bus, environment: dict[str, str], seconds: int) -> None:
    tags = [
        Tag(
            id=1 + TAGS_EACH * plc + n,
            name=f"P{plc}.{n}",
            asset=plc,
            shard=plc % 8,
            unit="",
            source=f"plc{plc}",
            address=f"DB1.DBD{4 * n}:REAL",
        )
        for plc in range(len(ports))
        for n in range(TAGS_EACH)
    ]
    bus.publish_config(Snapshot(version=1, sources=[source(n, port) for n, port in enumerate(ports)], tags=tags))
    program = Program(environment, "--kind", "s7")
    _until(lambda: program.said.count(": live") == len(ports), "every PLC to be live", program)
    time.sleep(2 * PERIOD_S)
    since, used, started = now_ms(), cpu_of(program.process.pid), time.perf_counter()
    time.sleep(seconds)
    passed, used, until = time.perf_counter() - started, cpu_of(program.process.pid) - used, now_ms()
    time.sleep(PERIOD_S)
    polls: dict[str, set[int]] = {}
    readings = 0
    for stream in READINGS:
        for _, fields in bus.client.xrange(bus.key(stream)):
            batch = decode_batch(fields)
            inside = (batch.t >= since) & (batch.t < until) & (batch.quality == 0)
            readings += int(inside.sum())
            if inside.any():
                polls.setdefault(batch.source, set()).add(int(batch.t[inside].min()))
    program.stop()
    steps = np.concatenate([np.diff(sorted(times)) for times in polls.values()])
    jitter = float(np.percentile(np.abs(steps - PERIOD_S * 1000), 99))
    rate, core = readings / passed, used / passed * 100
    is_met = rate >= 0.99 * PLCS * TAGS_EACH / PERIOD_S and core <= 35 and jitter <= 50
    figures = f"{rate:,.0f} tags/s on the bus, {core:.0f} % of a core, p99 jitter {jitter:.0f} ms"
    row(f"{PLCS} PLCs x {TAGS_EACH} tags, 5 ms jobs, 1 Hz", figures, verdict(is_met, "32 k tags/s, <= 35 %, <= 50 ms"))


def _faults(proxy: FaultProxy, bus: Bus, environment: dict[str, str], away_s: float) -> None:
    tag = Tag(id=1, name="T", asset=1, shard=1, unit="", source="plc1", address="DB1.DBD4:REAL")
    bus.publish_config(Snapshot(version=now_ms(), sources=[source(1, proxy.port)], tags=[tag]))
    program = Program(environment, "--kind", "s7")
    tap = Tap(bus)
    _until(lambda: len(tap.good(1)) >= 3, "good readings", program)

    proxy.stall()
    hung = time.monotonic()
    _until(lambda: any(sample.quality for sample in tap.samples(1)), "the tag to be good no more")
    uncertain = time.monotonic() - hung
    _until(lambda: any(sample.quality & 3 == 2 for sample in tap.samples(1)), "the tag to be bad")
    bad = time.monotonic() - hung
    proxy.resume()
    _back(tap, now_ms())
    figures = f"uncertain after {uncertain:.1f} s, bad after {bad:.1f} s"
    row(
        "hung PLC, polled each second, timeout 1.5 s as shipped",
        figures,
        verdict(uncertain <= 3 * PERIOD_S and bad <= 5.0, "<= 3 polls, <= 5 s"),
    )

    for gone in (5.0, away_s):
        cut = now_ms()
        proxy.cut()
        time.sleep(gone)
        proxy.restore()
        back = _back(tap, now_ms())
        goal = next(within for away, within in BACK_S.items() if gone <= away)
        short = "" if gone in BACK_S else " in a short run, the goal is 10 minutes"
        row(f"PLC back after {gone:.0f} s", f"good after {back:.1f} s", verdict(back <= goal, f"<= {goal:.0f} s") + short)
        begun = min(sample.t for sample in tap.samples(1) if sample.quality and sample.t >= cut - PERIOD_S * 1000)
        late = (begun - cut) / 1000
        row(f"gap of an outage of {gone:.0f} s", f"begins {late:+.2f} s from the cut", verdict(abs(late) <= PERIOD_S, "1 poll: 1 s"))
    program.stop()


def _back(tap: Tap, since: int) -> float:
    """Seconds until a good reading that was taken after `since`."""
    started = time.monotonic()
    _until(lambda: any(sample.t >= since for sample in tap.good(1)), "a good reading")
    return time.monotonic() - started


def _until(is_so: Callable[[], bool], what: str, program: Program | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE_S} s for {what}\n{program.said[-2000:] if program else ''}")
        time.sleep(0.02)
