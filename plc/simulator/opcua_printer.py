"""The metal printer as an OPC UA server: a 100 x 100 Float plate, power and vibration, once a second, on loopback.

asyncio lives in a thread of its own here; the program around it stays synchronous.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future, wait
from datetime import UTC

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds

from plc.simulator.noise import Floats
from plc.simulator.plant import Plant
from plc.simulator.plate import SIZE
from plc.simulator.signals import PLATE, PRINTER

log = logging.getLogger("simulator.opcua")

NAMESPACE = "urn:sightline:demo:dmls"
EVERY_MS = 1_000
STOP_WITHIN_S = 4.0


class Printer:
    """Serves the plant's printer; a stopped printer really closes its port."""

    source = "dmls-opcua"

    def __init__(self, plant: Plant, port: int) -> None:
        self.plant = plant
        self.port = port
        self._server: Server | None = None
        self._nodes: dict[str, Node] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="opcua", daemon=True)
        self._thread.start()
        self._second = 0
        self._opening: Future[Server] | None = None
        self._writing: Future[None] | None = None

    @property
    def is_running(self) -> bool:
        """True while the port is open."""
        return self._server is not None

    def start(self, now: int) -> None:
        """Begin to open the port, which takes seconds; call it until `is_running`. Raises OSError when it could not."""
        if self._opening is None:
            self._opening = asyncio.run_coroutine_threadsafe(self._open(now), self._loop)
        if not self._opening.done():
            return
        opening, self._opening = self._opening, None
        self._server = opening.result()
        log.info("dmls-opcua: OPC UA server on opc.tcp://127.0.0.1:%d/", self.port)

    def stop(self) -> None:
        """Close the port and every session."""
        if self._opening is not None:
            opening, self._opening = self._opening, None
            try:
                self._server = opening.result(STOP_WITHIN_S)
            except TimeoutError:
                opening.cancel()
                log.warning("dmls-opcua: OPC UA server was still opening after %d s and is given up", STOP_WITHIN_S)
        if self._server is not None:
            server, self._server = self._server, None
            asyncio.run_coroutine_threadsafe(_ended(server), self._loop).result(STOP_WITHIN_S)
            log.info("dmls-opcua: OPC UA server stopped")

    def close(self) -> None:
        """Stop for good, the thread too."""
        if self._opening is not None:
            wait([self._opening], STOP_WITHIN_S)
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_WITHIN_S)
        if not self._loop.is_running():
            self._loop.close()

    def tick(self, now: int) -> None:
        """Write the values of a new second; one that is still being written is not overtaken."""
        if self._server is None or now // EVERY_MS == self._second or (self._writing and not self._writing.done()):
            return
        self._second = now // EVERY_MS
        self._writing = asyncio.run_coroutine_threadsafe(self._write(self._second * EVERY_MS), self._loop)

    async def _open(self, now: int) -> Server:
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/")
        server.set_server_name("DMLS-1 metal printer (simulated)")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await server.register_namespace(NAMESPACE)
        machine = await server.nodes.objects.add_object(node_id(index, "DMLS-1"), ua.QualifiedName("DMLS-1", index))
        plate = await machine.add_variable(
            node_id(index, PLATE), ua.QualifiedName("plate", index), matrix(self.plant.plate(now)), varianttype=ua.VariantType.Float
        )
        await plate.write_value_rank(ua.ValueRank.TwoDimensions)
        dimensions = ua.DataValue(ua.Variant([SIZE, SIZE], ua.VariantType.UInt32))
        await plate.write_attribute(AttributeIds.ArrayDimensions, dimensions)
        self._nodes = {PLATE: plate}
        for signal in PRINTER:
            name = ua.QualifiedName(signal.name.partition(".")[2], index)
            node = await machine.add_variable(node_id(index, signal.name), name, signal.level, varianttype=ua.VariantType.Double)
            self._nodes[signal.name] = node
        await server.start()
        return server

    async def _write(self, at: int) -> None:
        when = ua.DateTime.fromtimestamp(at / 1000, UTC)
        for name, node in self._nodes.items():
            if name == PLATE:
                picture = self.plant.plate(at)
                value = (
                    None
                    if picture is None
                    else ua.Variant(matrix(picture), ua.VariantType.Float, Dimensions=[ua.Int32(SIZE), ua.Int32(SIZE)])
                )
            else:
                number = self.plant.value(name, at)
                value = None if number is None else ua.Variant(number, ua.VariantType.Double)
            if value is not None:
                await node.write_value(ua.DataValue(value, SourceTimestamp=when, ServerTimestamp=when))


async def _ended(server: Server) -> None:
    """Stop a server, and what it leaves running: asyncua forgets the loops of sessions that were still open."""
    await server.stop()
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def node_id(index: int, name: str) -> ua.NodeId:
    """String node id of a tag in the printer's namespace."""
    return ua.NodeId.from_string(f"ns={index};s={name}")


def matrix(picture: Floats | None) -> list[list[float]]:
    """Rows of the plate as asyncua wants them; a plate that never spoke is cold."""
    return [[0.0] * SIZE] * SIZE if picture is None else picture.tolist()
