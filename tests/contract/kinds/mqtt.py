"""MQTT: a broker of the test's own, because it is stopped; the value is retained, so that a new link hears it too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.bus import now_ms
from realtime.embedded.home import Home
from realtime.embedded.mqtt_broker import EmbeddedBroker, find_mosquitto, free_port
from realtime.snapshot import Source
from tests.contract.device import Around, Case, Device
from tests.plc.harness import Publisher, tag


@contextmanager
def device(around: Around) -> Iterator[Device]:
    home = Home(data=around.home.data / f"contract-{free_port()}", sockets=around.home.sockets, uid=around.home.uid)
    home.data.mkdir()
    broker = EmbeddedBroker(home, program="mosquitto" if find_mosquitto() else "amqtt")

    def start() -> None:
        broker.start()
        broker.wait_ready()

    def say(value: float) -> None:
        publisher = Publisher(broker.url(), around.mqtt_prefix)
        publisher.send("readings/A", {"tag": "A", "timestamp": now_ms(), "value": value}, retain=True).wait_for_publish(5)
        publisher.close()

    start()
    say(6.25)
    yield Device(Source(id=1, name="x", kind="mqtt", config={"url": broker.url()}), tag(1, "A", "x"), say, broker.stop, start)
    broker.stop()
    shutil.rmtree(home.data, ignore_errors=True)


CASE = Case(wrong="plant/+", right="", dead=lambda port: {"url": f"mqtt://127.0.0.1:{port}"}, device=device)
