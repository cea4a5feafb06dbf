"""The plain program to compare with: paho to `socketio.emit`, one emit a message, nothing stored, nothing judged. A program of its own."""

from __future__ import annotations

import sys
import warnings

warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
import eventlet  # noqa: E402

eventlet.monkey_patch()
import json  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import unquote, urlsplit  # noqa: E402

import paho.mqtt.client as mqtt  # noqa: E402
from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402


def main() -> None:
    """Serve on a port: python -m bench.plain PORT MQTT_URL QOS."""
    port, url, qos = int(sys.argv[1]), urlsplit(sys.argv[2]), int(sys.argv[3])
    app = Flask(__name__)
    socketio = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "bench-plain")
    client.username_pw_set(unquote(url.username or ""), unquote(url.password or ""))

    def on_connect(*_: Any) -> None:
        client.subscribe("readings/#", qos)

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        socketio.emit("reading", json.loads(message.payload))

    client.on_connect, client.on_message = on_connect, on_message
    client.connect(str(url.hostname), int(url.port or 1883))
    client.loop_start()
    socketio.run(app, host="127.0.0.1", port=port, log_output=False)


if __name__ == "__main__":
    main()
