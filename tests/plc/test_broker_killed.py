"""mosquitto killed -9 with the configuration that we ship, the collector online: at most a hundred readings are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.bus import Bus, now_ms
from realtime.embedded.home import Home
from realtime.embedded.mqtt_broker import EmbeddedBroker, free_port
from realtime.snapshot import Source
from tests.plc.harness import Publisher, Tap, collecting, tag
from tests.plc.mosquitto import SHIPPED, Mosquitto
from tests.waiting import wait_for

pytestmark = [pytest.mark.peer, pytest.mark.owns_services]

SOURCE = Source(id=1, name="broker", kind="mqtt")
TOTAL, KILLS = 3000, (900, 1800)


def test_a_broker_killed_twice_loses_at_most_a_hundred_acknowledged_readings(
    bus: Bus, tap: Tap, plc_environment: dict[str, str], tmp_path: Path
) -> None:
    broker = Mosquitto(tmp_path / "mosquitto").start()
    publisher = Publisher(broker.url, plc_environment["MQTT_PREFIX"])
    publisher.client.reconnect_delay_set(1, 1)
    t0, sent = now_ms(), []
    with collecting({**plc_environment, "MQTT_URL": broker.url}, bus, [SOURCE], [tag(1, "PT-101", "broker")]) as program:
        wait_for(lambda: "subscribed" in program.said, what="the subscription")
        for number in range(TOTAL):
            sent.append(publisher.send("readings/PT-101", {"tag": "PT-101", "timestamp": t0 + number, "value": number, "seq": number}))
            if number in KILLS:
                broker.kill()
                broker.start()
                wait_for(publisher.client.is_connected, timeout_s=20, what="the publisher's new link")
                wait_for(lambda number=number: sent[number].is_published(), timeout_s=20, what="an acknowledgement")
        wait_for(lambda: all(one.is_published() for one in sent), timeout_s=30, what="every acknowledgement")
        publisher.send("readings/PT-101", {"tag": "PT-101", "timestamp": t0 + TOTAL, "value": TOTAL, "seq": TOTAL})
        wait_for(lambda: any(s.seq == TOTAL for s in tap.good(1)), timeout_s=30, what="the last reading")
        kept = {sample.seq for sample in tap.good(1)}
    publisher.close()
    broker.stop()

    lost = set(range(TOTAL)) - kept
    assert len(lost) <= 100, f"{len(lost)} of {TOTAL} lost over {len(KILLS)} kills"


def test_the_embedded_broker_has_the_rules_that_we_ship(services_home: Home) -> None:
    home = Home(data=services_home.data / f"rules-{free_port()}", sockets=services_home.sockets, uid=services_home.uid)
    home.data.mkdir()
    broker = EmbeddedBroker(home, program="mosquitto")
    broker.start()
    broker.wait_ready()
    written = (broker.folder / "mosquitto.conf").read_text("utf-8").splitlines()
    broker.stop()

    shipped = [line for line in SHIPPED.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert len(shipped) >= 8
    assert set(shipped) <= set(written)
