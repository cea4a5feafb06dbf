"""The edge's own OPC UA server: what it refuses to start with, and its sample. Devices that write are in tests/peers and tests/contract."""

from __future__ import annotations

from typing import Any

import pytest

from plc.addressing import tagmap
from plc.connector import LinkError
from plc.connectors.opcua import OpcuaConnector
from plc.edge_server import EdgeServer
from realtime.settings import Settings
from realtime.snapshot import Source
from tests.plc.harness import ROOT, free_port
from tests.plc.sparkplug_stage import Notes


def refused(settings: Settings, config: dict[str, Any]) -> LinkError:
    server = EdgeServer(Source(id=1, name="edge", kind="opcua_server", config=config), settings, Notes())
    with pytest.raises(LinkError) as caught:
        server.connect()
    server.close()
    return caught.value


@pytest.mark.parametrize(
    ("config", "detail", "remedy"),
    [
        ({"url": "opc.tcp://0.0.0.0:4841/"}, "anyone could write", "set users or certificates"),
        ({"url": "opc.tcp://0.0.0.0:4841/", "users": {"press-1": {"password": ""}}}, "12 characters or more", "password"),
        ({"url": "opc.tcp://127.0.0.1:4841/", "users": {"press-1": "bare"}}, "users or certificates cannot be read", "password"),
        ({"url": "opc.tcp://127.0.0.1:4841/", "certificates": ["/no/such/file.der"]}, "FileNotFoundError", "PEM or DER"),
        ({}, "no url", "opc.tcp://"),
        ({"url": "opc.tcp://127.0.0.1:port/"}, "url", "opc.tcp://"),
        ({"url": "http://127.0.0.1:80/"}, "opc.tcp", "opc.tcp://"),
    ],
)
def test_a_server_that_anyone_could_write_to_or_that_is_set_wrong_does_not_start(
    plc_settings: Settings, config: dict[str, Any], detail: str, remedy: str
) -> None:
    error = refused(plc_settings, config)

    assert error.reason == "config"
    assert detail in error.detail
    assert remedy in error.remedy


def test_a_port_that_is_taken_is_said(plc_settings: Settings) -> None:
    port = free_port()
    source = Source(id=1, name="edge", kind="opcua_server", config={"url": f"opc.tcp://127.0.0.1:{port}/"})
    first = EdgeServer(source, plc_settings, Notes())
    first.connect()

    error = refused(plc_settings, {"url": f"opc.tcp://127.0.0.1:{port}/"})
    first.close()

    assert error.reason == "refused"
    assert "port is free" in error.remedy


@pytest.mark.parametrize(
    ("config", "detail"),
    [
        ({"url": "opc.tcp://127.0.0.1:1/", "security": "Basic128Rsa15"}, "no security policy"),
        ({"url": "opc.tcp://127.0.0.1:1/", "security": "Basic256Sha256", "mode": "Encrypt"}, "no security mode"),
        ({"url": "opc.tcp://127.0.0.1/"}, "a port"),
    ],
)
def test_a_source_that_is_set_wrong_says_what_to_set(plc_settings: Settings, config: dict[str, Any], detail: str) -> None:
    connector = OpcuaConnector(Source(id=1, name="x", kind="opcua", config=config), plc_settings, Notes())

    with pytest.raises(LinkError, match=detail) as caught:
        connector.connect()

    assert (caught.value.reason, bool(caught.value.remedy)) == ("config", True)


@pytest.mark.parametrize("kind", ["opcua", "opcua_server"])
def test_the_sample_of_each_kind_is_taken_as_it_is(kind: str) -> None:
    read = tagmap.parse((ROOT / "deploy" / "samples" / f"{kind}.yaml").read_text("utf-8"))

    assert (read.kind, read.warnings) == (kind, [])
    assert [tag.kind for tag in read.tags] == ["f64", "frame"]
