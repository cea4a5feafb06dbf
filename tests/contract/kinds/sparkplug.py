"""Sparkplug B: a broker of the test's own, because it is stopped, and a node that says its value to whoever listens."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.embedded.home import Home
from realtime.embedded.mqtt_broker import EmbeddedBroker, find_mosquitto, free_port
from realtime.snapshot import Source
from tests.contract.device import Around, Case, Device
from tests.plc.edge_node import EdgeNode, metric
from tests.plc.harness import tag


@contextmanager
def device(around: Around) -> Iterator[Device]:
    home = Home(data=around.home.data / f"contract-{free_port()}", sockets=around.home.sockets, uid=around.home.uid)
    home.data.mkdir()
    broker = EmbeddedBroker(home, program="mosquitto" if find_mosquitto() else "amqtt")
    broker.start()
    broker.wait_ready()
    node = EdgeNode(broker.url(), "Plant", "Edge", {"Press": [metric("A", 6.25)]})

    def say(value: float) -> None:
        node.births["Press"] = [metric("A", value)]
        node.say("DDATA", node.births["Press"], "Press")

    def stop() -> None:
        """kill -9: a clean stop says the node's will first, and that is a bad sample of its own."""
        assert broker.process is not None
        broker.process.kill()
        broker.process.wait()

    def start() -> None:
        broker.start()
        broker.wait_ready()

    yield Device(
        Source(id=1, name="x", kind="sparkplug", config={"url": broker.url()}),
        tag(1, "A", "x", "Plant/Edge/Press:A"),
        say,
        stop,
        start,
    )
    node.close()
    broker.stop()
    shutil.rmtree(home.data, ignore_errors=True)


CASE = Case(wrong="Plant/Edge", right="Plant/Edge:A", dead=lambda port: {"url": f"mqtt://127.0.0.1:{port}"}, device=device)
