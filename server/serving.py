"""Serving one web process: eventlet's WSGI server or threads, on a listening socket that several processes may share."""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from realtime.errors import SettingsError
from realtime.push import Push
from realtime.settings import Settings
from realtime.supervise import Heartbeat, stop_event
from server import tls
from server.metrics import RequestCounts
from server.services import Services

log = logging.getLogger("web")

IDLE_S = 60  # a connection that says nothing for so long is closed: slow bodies hold no worker for ever
BACKLOG = 512


def listen(host: str, port: int, processes: int) -> socket.socket:
    """A listening socket; with SO_REUSEPORT where several processes share the port. Raises SettingsError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if processes > 1:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise SettingsError("PORT", f"{host}:{port} cannot be bound: {error.strerror}; set another PORT or HOST") from error
    listener.listen(BACKLOG)
    return listener


class _QuietHandler(WSGIRequestHandler):
    """Requests are counted, not logged; idle connections end."""

    timeout = IDLE_S

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: /metrics counts requests."""


class _TlsHandler(_QuietHandler):
    """The handshake is part of the first read, in the connection's own thread: who says nothing keeps nobody else waiting."""

    def setup(self) -> None:
        """Wrap the connection before anything is read."""
        assert self.server.ssl_context is not None
        self.request = self.server.ssl_context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
        super().setup()

    def finish(self) -> None:
        """Wrapping took the connection over: nobody else closes it."""
        try:
            super().finish()
        finally:
            self.request.close()

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """What clients break off or send in the clear is traffic, not a warning."""
        log.debug(f"{type}: {message}", *args)  # noqa: G004 - werkzeug's own format


def _serve_threads(listener: socket.socket, app: Flask, context: ssl.SSLContext | None) -> Callable[[], None]:
    host, port = listener.getsockname()[:2]
    handler = _QuietHandler if context is None else _TlsHandler
    server: BaseWSGIServer = make_server(host, port, app, threaded=True, request_handler=handler, fd=listener.fileno())
    server.ssl_context = context
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="http", daemon=True)
    thread.start()
    return server.shutdown


def _serve_eventlet(listener: socket.socket, app: Flask, context: ssl.SSLContext | None) -> Callable[[], None]:
    import eventlet  # noqa: PLC0415 - only this mode needs it
    from eventlet import wsgi  # noqa: PLC0415

    if context is not None:  # eventlet shakes hands at the first read, not while it accepts
        listener = context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)
    green = eventlet.spawn(wsgi.server, listener, app, log_output=False, socket_timeout=IDLE_S, max_size=4096, debug=False)
    kill: Callable[[], None] = green.kill
    return kill


def serve(app: Flask, push: Push, at: Services, counts: RequestCounts) -> None:
    """Serve until SIGTERM or SIGINT; tells its port in DATA_DIR/run/web.json and lives on the bus as `web`."""
    stop = stop_event()
    settings = at.settings
    context = tls.context(settings)
    listener = listen(settings.host, settings.port, settings.web_processes)
    port = int(listener.getsockname()[1])
    push.start()
    end = (_serve_eventlet if settings.async_mode == "eventlet" else _serve_threads)(listener, app, context)
    scheme = "http" if context is None else "https"
    _tell(settings, scheme, port)
    log.info("serving %s://%s:%s (%s)", scheme, settings.host, port, settings.async_mode)
    heartbeat = Heartbeat(at.bus, "web")
    while not stop.wait(0.5):
        heartbeat.beat(**_counters(push, counts))
    push.stop()
    end()
    log.info("stopped")


def _counters(push: Push, counts: RequestCounts) -> dict[str, Any]:
    return {**push.counters(), **counts.counters(), "config_version": push.plant.snapshot.version}


def _tell(settings: Settings, scheme: str, port: int) -> None:
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 - compared, not bound
    path = settings.run_dir / "web.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"web.json.{os.getpid()}")
    draft.write_text(json.dumps({"pid": os.getpid(), "host": settings.host, "port": port, "url": f"{scheme}://{host}:{port}"}), "utf-8")
    draft.replace(path)
