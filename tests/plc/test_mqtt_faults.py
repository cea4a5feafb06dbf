"""MQTT and Sparkplug through a network that fails: nothing acknowledged is lost, and what is half-open is noticed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from plc.connector import KINDS
from plc.runner import SourceRunner
from realtime.bus import Bus, now_ms
from realtime.events import Quality, SignalName
from realtime.settings import Settings
from realtime.snapshot import Source
from tests.plc.edge_node import EdgeNode, metric
from tests.plc.harness import Publisher, Tap, tag
from tests.plc.proxy import FaultProxy
from tests.waiting import wait_for

KEEPALIVE_S = 2
TAG = tag(1, "PT-101", "s")


@pytest.fixture
def proxy(mqtt_url: str) -> Iterator[FaultProxy]:
    parts = urlsplit(mqtt_url)
    with FaultProxy(parts.hostname or "", parts.port or 1883) as between:
        yield between


def through(proxy: FaultProxy, mqtt_url: str) -> str:
    """The broker's URL by way of the proxy."""
    parts = urlsplit(mqtt_url)
    credentials = f"{parts.username}:{parts.password}@" if parts.username else ""
    return f"mqtt://{credentials}127.0.0.1:{proxy.port}"


class Load(threading.Thread):
    """Publishes numbered readings, 200 a second, until told to end."""

    def __init__(self, publisher: Publisher) -> None:
        super().__init__(daemon=True)
        self.publisher = publisher
        self.sent = 0
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.005):
            body = {"tag": "PT-101", "timestamp": now_ms(), "value": float(self.sent), "seq": self.sent}
            self.publisher.send("readings/PT-101", body).wait_for_publish(30)
            self.sent += 1

    def more(self, count: int) -> None:
        """Wait for so many more."""
        until = self.sent + count
        wait_for(lambda: self.sent >= until, timeout_s=30, what="the load")

    def end(self) -> int:
        """How many were sent and acknowledged."""
        self._end.set()
        self.join(60)
        return self.sent


def lasting(runner: SourceRunner) -> None:
    """A fault lasts until it was noticed."""
    wait_for(lambda: runner.state != "live", timeout_s=30, what="the loss")


def cut(proxy: FaultProxy, runner: SourceRunner, load: Load) -> None:
    proxy.cut()
    lasting(runner)
    load.more(100)
    proxy.restore()


def reset(proxy: FaultProxy, runner: SourceRunner, load: Load) -> None:
    for _ in range(3):
        proxy.reset()
        load.more(50)


def delay(proxy: FaultProxy, runner: SourceRunner, load: Load) -> None:
    proxy.delay(0.3)
    load.more(100)
    proxy.delay(0.0)


def stall(proxy: FaultProxy, runner: SourceRunner, load: Load) -> None:
    proxy.stall()
    load.more(100)
    proxy.resume()


def long_stall(proxy: FaultProxy, runner: SourceRunner, load: Load) -> None:
    proxy.stall()
    lasting(runner)
    proxy.resume()


def half_open(proxy: FaultProxy, runner: SourceRunner, load: Load) -> None:
    proxy.half_open()
    since = proxy.accepted
    wait_for(lambda: proxy.accepted > since, timeout_s=30, what="a new link by keepalive")


@pytest.mark.parametrize("fault", [cut, reset, delay, stall, long_stall, half_open], ids=lambda fault: fault.__name__)
def test_nothing_is_lost_and_the_order_is_kept(
    fault: Callable[[FaultProxy, SourceRunner, Load], None],
    proxy: FaultProxy,
    mqtt_url: str,
    publisher: Publisher,
    plc_settings: Settings,
    bus: Bus,
    tap: Tap,
) -> None:
    source = Source(id=1, name="s", kind="mqtt", config={"url": through(proxy, mqtt_url), "keepalive": KEEPALIVE_S})
    runner = SourceRunner(KINDS["mqtt"], source, [TAG], plc_settings, bus)
    runner.start()
    wait_for(lambda: runner.state == "live", what="the link")
    load = Load(publisher)
    load.start()
    load.more(50)

    fault(proxy, runner, load)
    load.more(50)
    sent = load.end()
    good = wait_for(lambda: len({s.seq for s in tap.good(1)}) == sent and tap.good(1), timeout_s=30, what=f"all {sent} readings")
    runner.stop(10)

    first = list(dict.fromkeys(sample.seq for sample in good))
    assert first == list(range(sent))


def test_a_half_open_sparkplug_link_is_noticed_and_its_nodes_are_good_again(
    proxy: FaultProxy, mqtt_url: str, plc_settings: Settings, bus: Bus, tap: Tap, bus_prefix: str
) -> None:
    node = EdgeNode(mqtt_url, bus_prefix, "Edge", {"Press": [metric("A", 1.0)]})
    source = Source(id=1, name="s", kind="sparkplug", config={"url": through(proxy, mqtt_url), "keepalive": KEEPALIVE_S})
    runner = SourceRunner(KINDS["sparkplug"], source, [tag(1, "A", "s", f"{bus_prefix}/Edge/Press:A")], plc_settings, bus)
    runner.start()
    wait_for(lambda: tap.good(1), what="the birth")
    for fault in (proxy.half_open, proxy.reset):
        since, asked = proxy.accepted, node.rebirths
        fault()
        node.births["Press"] = [metric("A", time.monotonic())]
        node.say("DDATA", node.births["Press"], "Press")  # nobody hears it: QoS 0
        wait_for(lambda since=since: proxy.accepted > since, timeout_s=30, what="a new link")
        wait_for(lambda asked=asked: node.rebirths > asked, timeout_s=30, what="the request for a birth")
        newest = node.births["Press"][0]["value"]
        wait_for(lambda newest=newest: [s for s in tap.good(1) if s.value == newest], what="the value of the birth")
    runner.stop(10)
    node.close()

    assert all(signal.name in {SignalName.SOURCE_LOST, SignalName.SOURCE_RECOVERED} for signal in tap.signals())
    assert tap.samples(1)[-1].quality == Quality.GOOD


def test_a_cut_sparkplug_link_is_bad_until_the_birth(
    proxy: FaultProxy, mqtt_url: str, plc_settings: Settings, bus: Bus, tap: Tap, bus_prefix: str
) -> None:
    node = EdgeNode(mqtt_url, bus_prefix, "Edge", {"Press": [metric("A", 1.0)]})
    source = Source(id=1, name="s", kind="sparkplug", config={"url": through(proxy, mqtt_url)})
    runner = SourceRunner(KINDS["sparkplug"], source, [tag(1, "A", "s", f"{bus_prefix}/Edge/Press:A")], plc_settings, bus)
    runner.start()
    wait_for(lambda: tap.good(1), what="the birth")

    proxy.cut()
    wait_for(lambda: tap.signals(SignalName.SOURCE_LOST), timeout_s=30, what="source.lost")
    node.births["Press"] = [metric("A", 2.0)]
    node.say("DDATA", node.births["Press"], "Press")
    proxy.restore()
    wait_for(lambda: [s for s in tap.good(1) if s.value == 2.0], timeout_s=30, what="the value of the birth")
    runner.stop(10)
    node.close()

    values = [(s.value, s.quality & 3) for s in tap.samples(1)]
    bad = [place for place, (_, quality) in enumerate(values) if quality == Quality.BAD]
    assert values[bad[-1] + 1 :]
    assert {value for value, _ in values[bad[-1] + 1 :]} == {2.0}
