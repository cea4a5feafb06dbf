"""Runs amqtt with the YAML configuration given: the broker of a machine without mosquitto. Speaks MQTT 3.1.1 only."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import yaml
from amqtt.broker import Broker


async def serve(config_path: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    broker = Broker(yaml.safe_load(config_path.read_text("utf-8")))
    await broker.start()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    asyncio.run(serve(Path(sys.argv[1])))
