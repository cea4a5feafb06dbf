"""The edge's own OPC UA server: asyncua's client is the device, which writes its value ten times a second."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

from plc.edge_server import NAMESPACE
from realtime.snapshot import Source
from tests.contract.device import Around, Case, Device
from tests.plc.harness import free_port, tag


class Writer:
    """A device that writes whenever the server is there."""

    def __init__(self, port: int) -> None:
        self.url = f"opc.tcp://127.0.0.1:{port}/"
        self.value = 6.25
        self._on = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._on.set()
        if not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        """Fall silent."""
        self._on.clear()

    def close(self) -> None:
        """End for good."""
        self._end.set()
        self._thread.join(10)

    def say(self, value: float) -> None:
        """Write this from now on."""
        self.value = value

    async def _run(self) -> None:
        while not self._end.is_set():
            with suppress(OSError, TimeoutError, UaError):
                await self._live()
            await asyncio.sleep(0.1)

    async def _live(self) -> None:
        async with Client(self.url, timeout=4) as client:
            index = await client.get_namespace_index(NAMESPACE)
            node = client.get_node(f"ns={index};s=A")
            while not self._end.is_set():
                if self._on.is_set():
                    await node.write_value(ua.DataValue(ua.Variant(self.value, ua.VariantType.Double)))
                await asyncio.sleep(0.1)


@contextmanager
def device(_around: Around) -> Iterator[Device]:
    port = free_port()
    writer = Writer(port)
    writer.start()
    source = Source(id=4, name="edge", kind="opcua_server", config={"url": writer.url})
    yield Device(source, tag(1, "A", "edge", "A", period_s=0.5), writer.say, writer.stop, writer.start)
    writer.close()


CASE = Case(
    wrong="ns=2;s=A",
    right="A",
    dead=lambda port: {"url": f"opc.tcp://192.0.2.1:{port}/", "users": {"x": {"password": "not this machine's address"}}},
    device=device,
)
