"""What an engineer sees of a broker: a tree of topics, fields of objects, and no more than the access list gives."""

from __future__ import annotations

from plc.connector import Browser
from plc.connectors.mqtt_batch import Message
from plc.connectors.mqtt_browse import branches
from realtime.embedded.home import Home
from realtime.embedded.mqtt_broker import PLANT, STATUS_TOPIC, EmbeddedBroker, free_port
from tests.plc.harness import Publisher
from tests.plc.pushed import Pushed

HEARD = [
    Message("p/line/temp", b"5.5", 0, 0, retain=False),
    Message("p/line/temp", b"6.5", 0, 0, retain=False),
    Message("p/line/press/oil", b'{"value": 7, "unit": "bar", "state": "ok", "deep": {"a": 1}}', 0, 0, retain=False),
    Message("p/line", b"text", 0, 0, retain=False),
    Message("p/odd\x01name", b"\xff", 0, 0, retain=True),
]


def test_topics_are_a_tree_with_the_last_payload() -> None:
    top = branches(HEARD, "p/", "")
    line = branches(HEARD, "p/", "line")

    assert [(b.name, b.path, b.address, b.value) for b in top] == [("line", "line", "", "text"), ("odd\x01name", "", "", "\\xff")]
    assert [(b.name, b.path, b.address, b.kind, b.value) for b in line] == [
        ("press", "line/press", "", "", ""),
        ("temp", "", "line/temp", "f64", "6.5"),
    ]


def test_an_object_is_a_reading_and_a_list_of_fields() -> None:
    oil = branches(HEARD, "p/", "line/press")[0]
    fields = branches(HEARD, "p/", oil.path)

    assert (oil.address, oil.path, oil.kind, oil.unit) == ("line/press/oil", "line/press/oil#", "f64", "bar")
    assert [(b.name, b.address, b.kind) for b in fields] == [
        ("value", "line/press/oil#value", "f64"),
        ("unit", "line/press/oil#unit", "text"),
        ("state", "line/press/oil#state", "text"),
        ("deep", "", ""),
    ]
    assert branches(HEARD, "p/", "line/temp#") == []


def test_where_the_access_list_gives_less_the_topics_of_the_source_are_looked_at(services_home: Home) -> None:
    home = Home(data=services_home.data / f"browse-{free_port()}", sockets=services_home.sockets, uid=services_home.uid)
    home.data.mkdir()
    broker = EmbeddedBroker(home, program="amqtt")
    broker.start()
    broker.wait_ready()
    product = Publisher(broker.url(), "")
    product.send(STATUS_TOPIC, b"5.5", retain=True).wait_for_publish(5)
    with Pushed("mqtt", {"url": broker.url(PLANT), "topics": [STATUS_TOPIC], "probe": True}, []) as ours:
        assert isinstance(ours.connector, Browser)
        found = ours.connector.browse("")
    product.close()
    broker.stop()

    assert [(branch.name, branch.path) for branch in found] == [("sightline", "sightline")]
