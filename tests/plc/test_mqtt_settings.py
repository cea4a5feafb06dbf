"""A source whose configuration cannot be meant says so when it connects; the program goes on."""

from __future__ import annotations

from typing import Any

import pytest

from plc.connector import LinkError
from tests.plc.harness import free_port
from tests.plc.pushed import Pushed

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"url": "mqtt://[::1"}, "url"),
    ({"url": "mqtt://host:port"}, "url"),
    ({"url": "mqtt://host:0"}, "url"),
    ({"url": "http://host"}, "mqtt://host:port"),
    ({"url": "mqtt://"}, "mqtt://host:port"),
    ({"url": 5}, "mqtt://host:port"),
    ({"version": 6}, "version"),
    ({"version": [5]}, "version"),
    ({"keepalive": "soon"}, "keepalive"),
    ({"keepalive": 0}, "keepalive"),
    ({"keepalive": True}, "keepalive"),
    ({"url": None}, "no broker"),
]


@pytest.mark.parametrize("kind", ["mqtt", "sparkplug"])
@pytest.mark.parametrize(("config", "said"), WRONG)
def test_what_cannot_be_meant_is_said_with_a_remedy(kind: str, config: dict[str, Any], said: str) -> None:
    with pytest.raises(LinkError, match=said) as caught, Pushed(kind, config, []):
        pass

    assert caught.value.reason == "config"
    assert caught.value.remedy


@pytest.mark.parametrize(("kind", "name"), [("mqtt", "topics"), ("sparkplug", "group_ids")])
@pytest.mark.parametrize("value", [5, {"a": 1}, [1], [""]])
def test_a_list_that_is_none_is_refused(kind: str, name: str, value: Any) -> None:
    with pytest.raises(LinkError, match="no list of texts"), Pushed(kind, {"url": f"mqtt://127.0.0.1:{free_port()}", name: value}, []):
        pass
