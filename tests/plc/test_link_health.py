"""What is told of a link that breaks, when clocks differ and when another collector takes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from plc.connector import LinkError, numbers
from plc.courier import Courier
from plc.delivery import Delivery
from plc.ledger import Ledger
from plc.link_health import LinkHealth
from plc.link_record import LinkRecord
from realtime.bus import Bus, now_ms
from realtime.events import Quality, Reason, split_quality
from realtime.snapshot import Source
from tests.plc.harness import Tap, tag

SOURCE = Source(id=1, name="plc", kind="opcua", groups={"normal": 1.0})
TAGS = [tag(1, "A", "plc"), tag(2, "B", "plc")]


@pytest.fixture
def link(bus: Bus, tmp_path: Path) -> LinkHealth:
    delivery = Delivery(bus, SOURCE, Ledger(bus, "plc"), None)
    delivery.configure(SOURCE, TAGS)
    made = LinkHealth(SOURCE, delivery, Courier(bus, "plc"), LinkRecord(tmp_path / "plc.link"))
    made.configure(SOURCE, TAGS)
    return made


@pytest.mark.parametrize("ahead_ms", [0, 10_000, 250_000])
def test_a_lost_device_whose_clock_is_ahead_does_not_go_on_looking_live(link: LinkHealth, tap: Tap, ahead_ms: int) -> None:
    now = now_ms()
    link.delivery.deliver(link.delivery.batches([numbers([1], [now + ahead_ms], [5.0]), numbers([2], [now - 500], [6.0])]))
    link.good(now)

    link.failed(LinkError("timeout", "no answer"), now)
    link.announce(LinkError("timeout", "no answer"))

    for number in (1, 2):
        samples = [s for s in tap.samples() if s.tag == number]
        newest = max(samples, key=lambda s: s.t)
        assert [s.t for s in samples] == sorted({s.t for s in samples})
        assert split_quality(newest.quality) == (Quality.BAD, Reason.COMM)
        assert [split_quality(s.quality)[0] for s in samples] == [Quality.GOOD, Quality.UNCERTAIN, Quality.BAD]
