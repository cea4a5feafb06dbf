"""Store and forward: what the spool takes and gives back, what its quota costs, and how exact a gap is.

    .venv/bin/python -m bench.spool

The disk is this machine's; a fsync that the disk does not obey makes `put` look cheap. The gap is that of a simulated PLC read ten times
a second through the real program, killed five times.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from bench.house import house
from plc.connector import KINDS
from plc.runner import SourceRunner
from plc.spool import Spool
from realtime import settings as settings_module
from realtime.bus import Bus, connect, now_ms
from realtime.events import Batch, Quality
from realtime.snapshot import Source
from tests.plc.harness import Plc, Tap, environment_of, tag
from tests.waiting import wait_for

PERIOD_S = 0.1
OUTAGES = 5


def batch(n: int, number: int) -> Batch:
    """n readings of n tags at one time, as a poll gives them."""
    t = 1_800_000_000_000 + number * 1000
    ids = np.arange(1, n + 1, dtype="u4")
    values = np.random.default_rng(number).normal(50, 5, n)
    return Batch(0, now_ms(), "plc", ids, np.full(n, t, "i8"), np.zeros(n, "u1"), np.zeros(n, "u4"), values)


def throughput(folder: Path) -> None:
    """Polls of 100 and 1,000 tags into the spool, one durable write a poll, and out again."""
    for tags, polls in ((100, 500), (1000, 300)):
        spool = Spool(folder / f"{tags}.sqlite")
        polled = [batch(tags, number) for number in range(polls)]
        began = time.perf_counter()
        for one in polled:
            spool.put([one])
        put_s = time.perf_counter() - began
        size = spool.bytes / (tags * polls)
        began = time.perf_counter()
        while spool.waiting:
            spool.remove(spool.oldest(200)[0])
        get_s = time.perf_counter() - began
        spool.close()
        print(
            f"polls of {tags} tags: {polls / put_s:,.0f} polls/s in, {tags * polls / get_s:,.0f} readings/s out, {size:.0f} bytes a reading"
        )


def quota(folder: Path) -> None:
    """Ten minutes of 1,000 tags at 1 Hz into a tenth of what they need."""
    spool = Spool(folder / "quota.sqlite", max_mb=1.5)
    polled = [batch(1000, number) for number in range(600)]
    began = time.perf_counter()
    for one in polled:
        spool.put([one])
    took = time.perf_counter() - began
    status = spool.status()
    spool.close()
    lost = "nothing dropped" if not status["dropped"] else f"{status['dropped']:,} dropped"
    print(f"quota of a tenth: {600_000 / took:,.0f} readings/s in, {status['thinned']:,} of 600,000 thinned away, {lost}")


def gaps() -> None:
    """Outages of a PLC: from the last good read to the time at which the gap begins."""
    with house() as services, tempfile.TemporaryDirectory() as folder:
        bus = Bus(connect(services.redis_url), "bench")
        plc = Plc().start()
        source = Source(
            id=1, name="plc", kind="s7", config={"host": "127.0.0.1", "port": plc.port, "timeout_s": 1.0}, groups={"normal": PERIOD_S}
        )
        settings = settings_module.load(environment_of(DATA_DIR=folder), None)
        runner = SourceRunner(KINDS["s7"], source, [tag(1, "A", "plc", "DB1.DBD0:REAL")], settings, bus)
        runner.start()
        tap = Tap(bus)
        late: list[int] = []
        back: list[float] = []
        for number in range(OUTAGES):
            known = len(tap.good(1))
            wait_for(lambda known=known: len(tap.good(1)) > known + 10, timeout_s=30, what="good readings")
            plc.stop()
            gone = wait_for(lambda number=number: (bad := bad_of(tap)) and len(bad) > number and bad, timeout_s=30, what="a gap")[number]
            late.append(gone - max(t for t in good_of(tap) if t < gone))
            plc = Plc(port=plc.port).start()
            began = time.perf_counter()
            wait_for(lambda gone=gone: max(good_of(tap)) > gone, timeout_s=60, what="good readings again")
            back.append(time.perf_counter() - began)
        runner.stop()
        plc.stop()
    poll = PERIOD_S * 1000
    verdict = "ok" if max(late) <= poll + 1 else "SHORT"
    print(f"gap begins {median(late):.0f} ms (worst {max(late)}) after the last good sample; goal one poll ({poll:.0f}): {verdict}")
    verdict = "ok" if max(back) <= 3 else "SHORT"
    print(f"good again {median(back):.1f} s (worst {max(back):.1f}) after the PLC is back from 2 to 5 s; goal 3 s: {verdict}")


def bad_of(tap: Tap) -> list[int]:
    """Times of the bad samples."""
    return [sample.t for sample in tap.samples(1) if sample.quality & 3 == Quality.BAD]


def good_of(tap: Tap) -> list[int]:
    """Times of the good samples."""
    return [sample.t for sample in tap.good(1)]


def main() -> None:
    """Everything, with the load beside it."""
    print(f"store and forward; load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        throughput(Path(folder))
        quota(Path(folder))
    gaps()


if __name__ == "__main__":
    main()
