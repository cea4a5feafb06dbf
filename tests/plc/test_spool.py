"""The spool: durable, bounded, thinned and not silent about it, and alive through damage."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from plc.spool import Spool, SpoolUnwritable
from plc.spool_thinning import thinned
from realtime.bus import now_ms
from realtime.events import Batch, Frame, Quality, Reason, quality_byte
from tests.plc.harness import ROOT

MINUTE = 1_800_000_000_000 // 60_000 * 60_000
COMM = quality_byte(Quality.BAD, Reason.COMM)


def batch(
    values: list[float] | list[str] | list[Frame],
    *,
    tag: int = 1,
    t: int | None = None,
    step: int = 1000,
    quality: list[int] | None = None,
    kind: str = "f64",
) -> Batch:
    """Readings of one tag, `step` ms apart."""
    n = len(values)
    first = MINUTE if t is None else t
    return Batch(
        shard=tag % 8,
        received_ms=now_ms(),
        source="plc",
        ids=np.full(n, tag, "u4"),
        t=np.arange(first, first + n * step, step, dtype="i8"),
        quality=np.array(quality or [0] * n, "u1"),
        seq=np.zeros(n, "u4"),
        values=np.array(values, "f8") if kind == "f64" else values,
        kind=kind,  # type: ignore[arg-type]
    )


def test_what_was_put_comes_back_in_order_after_it_was_opened_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.sqlite")
    for number in range(5):
        spool.put([batch([float(number)], t=MINUTE + number)])
    spool.close()
    again = Spool(tmp_path / "s.sqlite")

    mark, first = again.oldest(3)
    again.remove(mark)
    _, rest = again.oldest()

    assert [float(b.numbers()[0]) for b in first + rest] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert (again.waiting, again.readings, again.status()["state"]) == (2, 2, "ok")
    again.close()


def test_thinning_keeps_first_last_lowest_and_highest_of_each_minute_and_every_turn_of_quality() -> None:
    values = [5.0, 6.0, 9.0, 1.0, 5.5, float("nan"), 5.5, 5.6, 5.7]
    one = batch(values, quality=[0, 0, 0, 0, 0, COMM, 0, 0, 0])
    two = batch([float(n) for n in range(60)], tag=9, t=MINUTE + 30_000)

    kept = thinned([one, two])

    (joined,) = kept  # both tags are of one shard
    of_one = [(int(t - MINUTE) // 1000, q) for i, t, q in zip(joined.ids, joined.t, joined.quality, strict=True) if i == 1]
    assert of_one == [(0, 0), (2, 0), (3, 0), (5, COMM), (6, 0), (8, 0)]
    assert [int(v) for i, v in zip(joined.ids, joined.numbers(), strict=True) if i == 9] == [0, 29, 30, 59]


def test_of_texts_every_change_stays_and_of_pictures_one_a_minute() -> None:
    picture = Frame((1, 2), "i2", 1.0, 0.0, "", bytes(4))

    (words,) = thinned([batch(["a", "a", "a", "b", "b", "b"], kind="text")])
    (pictures,) = thinned([batch([picture] * 90, kind="frame")])

    assert words.texts() == ["a", "b", "b"]
    assert [int(t - MINUTE) for t in pictures.t] == [0, 60_000]


def test_over_the_quota_the_oldest_are_thinned_counted_and_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.sqlite", max_mb=0.1)
    total = 0
    for minute in range(60):
        spool.put([batch([float(n % 7) for n in range(600)], t=MINUTE + minute * 60_000, step=100)])
        total += 600
    status = spool.status()
    kept = spool.oldest(1000)[1]

    assert status["state"] == "thinning"
    assert status["fill"] <= 1.0
    assert status["dropped"] == 0
    assert status["readings"] + status["thinned"] == total == sum(map(len, kept)) + status["thinned"]
    assert {int(t) // 60_000 for b in kept for t in b.t} == {(MINUTE // 60_000) + minute for minute in range(60)}  # no minute without data
    assert len(kept[-1]) == 600  # the newest stay in full

    while spool.waiting:
        spool.remove(spool.oldest()[0])
    assert spool.status()["state"] == "ok"
    spool.close()


def test_what_is_thin_is_thinned_again_before_anything_is_dropped(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.sqlite", max_mb=0.05)
    for second in range(1800):
        spool.put([batch([50 + (second * 7919 + n) % 13 for n in range(10)], t=MINUTE + second * 1000, step=10)])
    minutes = {int(t - MINUTE) // 600_000 for one in spool.oldest(10_000)[1] for t in one.t}

    assert (spool.dropped, spool.state) == (0, "thinning")
    assert spool.bytes <= spool.max_bytes
    assert minutes == {0, 1, 2}
    spool.close()


def test_where_nothing_can_be_thinned_any_more_the_oldest_are_dropped_and_that_is_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.sqlite", max_mb=0.002)
    for number in range(300):
        spool.put([batch([float(number)], t=MINUTE + number * 3_600_000)])

    assert spool.state == "dropping"
    assert spool.dropped + spool.readings + spool.thinned == 300
    assert spool.dropped > 0
    assert float(spool.oldest(1000)[1][-1].numbers()[-1]) == 299.0
    spool.close()


def test_readings_older_than_the_days_allowed_are_thinned(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.sqlite", max_days=1.0)
    old = batch([float(n) for n in range(50)])
    spool.put([Batch(**{name: getattr(old, name) for name in Batch.__dataclass_fields__} | {"received_ms": now_ms() - 2 * 86_400_000})])

    assert (spool.state, spool.thinned, spool.readings) == ("thinning", 48, 2)
    spool.close()


def test_a_damaged_file_is_set_aside_and_the_spool_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"this is no database at all, and longer than a header of one hundred bytes must be " * 4)

    spool = Spool(path)
    spool.put([batch([1.0])])

    assert (spool.damaged, spool.waiting) == (1, 1)
    assert [p for p in tmp_path.iterdir() if ".damaged-" in p.name]
    spool.close()


def test_pages_damaged_while_it_runs_are_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    spool = Spool(path)
    for number in range(200):
        spool.put([batch([float(number)] * 50)])
    spool.close()
    raw = bytearray(path.read_bytes())
    raw[4096:] = os.urandom(len(raw) - 4096)
    path.write_bytes(raw)

    again = Spool(path)
    again.put([batch([1.0])])

    assert again.damaged == 1
    assert [len(b) for b in again.oldest()[1]] == [1]
    again.close()


def test_a_disk_that_takes_nothing_is_an_error_of_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.sqlite")
    spool._db.execute("PRAGMA max_page_count=4")

    with pytest.raises(SpoolUnwritable, match="full"):
        spool.put([batch([1.0] * 500)] * 100)

    assert spool.waiting == len(spool.oldest(1000)[1])
    spool.close()


WRITER = """
import sys
from pathlib import Path
from tests.plc.test_spool import batch
from plc.spool import Spool
spool = Spool(Path(sys.argv[1]))
number = spool.readings
while True:
    spool.put([batch([float(number)], t=1_800_000_000_000 + number)])
    number += 1
    print(number, flush=True)
"""


def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_put(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(40):
            told = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0]
        told = max([told, *(int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n"))])

    spool = Spool(path)
    values = [float(b.numbers()[0]) for b in spool.oldest(10_000)[1]]
    spool.close()

    assert spool.damaged == 0
    assert values[:told] == [float(n) for n in range(told)]
    assert len(values) <= told + 1


def test_a_spool_that_was_left_full_tells_its_end_to_whoever_heard_of_it(tmp_path: Path) -> None:
    first = Spool(tmp_path / "s.sqlite")
    first.put([batch([1.0])])
    first.close()

    again = Spool(tmp_path / "s.sqlite")
    again.remove(again.oldest()[0])

    assert (again.turns, again.waiting) == (["ok"], 0)
    again.close()
