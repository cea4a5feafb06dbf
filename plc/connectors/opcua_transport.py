"""The client's end of one OPC UA connection, bounded: an answer that is too large is thrown away and only its request fails.

asyncua by itself takes what the server's Acknowledge allows, which may be everything, and copies an endless chunk for ever.
It knows no tags. Pinned to asyncua 2.1: the classes it replaces are checked by tests/plc/test_opcua_bad_input.py.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.client.ua_session import SessionState, UaSession
from asyncua.common.connection import MessageChunk, SecureConnection, TransportLimits
from asyncua.common.shortcuts import Shortcuts
from asyncua.crypto.security_policies import SecurityPolicy
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import BadNoSubscription, BadTooManyPublishRequests, UaError, UaStatusCodeError

from plc.connectors.opcua_wire import published

for _chatty in ("asyncua.client.ua_client.UASocketProtocol", "asyncua.client.client", "asyncua.common.subscription", "asyncua"):
    logging.getLogger(_chatty).setLevel(logging.CRITICAL)  # it reports each lost server with a traceback; we say it in one line

MESSAGE_MOST = 16 * 2**20  # bytes; a 1000 x 1000 picture of doubles takes 8 MB
CHUNK_MOST = 2**20
PUBLISHING = 4  # publish requests at the server at once
PAUSE_S = 0.1
NO_PROBE_S = 3600.0  # plc.connectors.opcua_session asks for signs of life itself

T = TypeVar("T")


class _Connection(SecureConnection):
    """Skips the chunks of a message that has grown over MESSAGE_MOST, and tells whose answer it was."""

    def __init__(self, policy: SecurityPolicy, limits: TransportLimits, on_skipped: Callable[[int], None]) -> None:
        super().__init__(policy, limits)
        self._on_skipped = on_skipped
        self._skipping = False

    def _receive(self, msg: MessageChunk) -> ua.Message | None:
        if not self._skipping and self._incoming_size + len(msg.Body) <= MESSAGE_MOST:
            return super()._receive(msg)
        self._check_incoming_chunk(msg)
        self._drop_incoming_parts()
        self._skipping = msg.MessageHeader.ChunkType == ua.ChunkType.Intermediate  # type: ignore[comparison-overlap]
        if not self._skipping:
            self._on_skipped(msg.SequenceHeader.RequestId)
        return None


class _Protocol(UASocketProtocol):
    """One socket; `heard` is the monotonic time of the last byte."""

    def __init__(self, timeout: float, policy: SecurityPolicy) -> None:
        super().__init__(timeout, security_policy=policy)
        self._connection = _Connection(policy, TransportLimits(65535, 65535, 0, 0), self._skipped)
        self.heard = time.monotonic()

    def data_received(self, data: bytes) -> None:
        """A chunk that never ends is no chunk."""
        self.heard = time.monotonic()
        if self.receive_buffer is not None and len(self.receive_buffer) > CHUNK_MOST:
            self.receive_buffer = None
            self._fail_all_pending(UaStatusCodeError(StatusCodes.BadTcpMessageTooLarge))  # type: ignore[no-untyped-call]
            self.disconnect_socket()
            return
        super().data_received(data)

    def _process_received_message(self, msg: ua.Message | ua.Acknowledge | ua.ErrorMessage | None) -> None:
        """A server that refuses the channel says why in a fault, which asyncua takes for a cut-off answer."""
        if isinstance(msg, ua.Message) and not self._connection.is_open():
            self.check_answer(msg.body(), "")  # type: ignore[no-untyped-call]
        super()._process_received_message(msg)

    def _skipped(self, request_id: int) -> None:
        waiting = self._callbackmap.pop(request_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(UaStatusCodeError(StatusCodes.BadResponseTooLarge))  # type: ignore[no-untyped-call]


class _Session(UaSession):
    """Keeps several publish requests at the server: with asyncua's one, each notification waits for a round trip."""

    def __init__(self, client: UaClient) -> None:
        super().__init__(client)
        self._publishing: set[asyncio.Task[None]] = set()

    def ensure_publish_loop(self) -> None:
        """As many as there should be, once there is a subscription."""
        while self._subscription_callbacks and len(self._publishing) < PUBLISHING:
            task = asyncio.create_task(self._publish_loop())
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)

    async def _publish_loop(self) -> None:
        """Ask, hand over, acknowledge with the next request, until the session closes. A lost message is seen by its number."""
        acknowledged: list[ua.SubscriptionAcknowledgement] = []
        while self.state not in {SessionState.CLOSING, SessionState.CLOSED}:
            try:
                request = ua.PublishRequest()
                request.Parameters.SubscriptionAcknowledgements = acknowledged
                answer = published(await self._send_request(request, timeout=0))
            except (BadTooManyPublishRequests, BadNoSubscription, OSError):
                return  # the others go on; a session that is lost has none
            except UaError:
                acknowledged = []
                await asyncio.sleep(PAUSE_S)
                continue
            acknowledged = []
            take = self._subscription_callbacks.get(answer.subscription)
            if take is not None:
                take(answer)
            if not answer.is_keep_alive:
                acknowledged = [ua.SubscriptionAcknowledgement(answer.subscription, answer.sequence)]

    async def close_session(self, delete_subscriptions: bool) -> None:
        """Take the waiting requests back first."""
        for task in list(self._publishing):
            task.cancel()
        await super().close_session(delete_subscriptions)


class _Transport(UaClient):
    """UaClient with our protocol and session."""

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)
        self.session = _Session(self)

    def _make_protocol(self) -> UASocketProtocol:
        made = self.protocol = _Protocol(self._timeout, self.security_policy)
        made.pre_request_hook = self._pre_request_hook
        made.on_connection_lost = self._on_transport_lost
        made.is_session_closing = self._is_session_closing
        return made


class BoundedClient(Client):
    """asyncua's client over the bounded transport; never resumes by itself: the runner connects anew."""

    def __init__(self, url: str, timeout_s: float) -> None:
        super().__init__(url, timeout=timeout_s, watchdog_intervall=NO_PROBE_S)
        self.uaclient = _Transport(timeout_s)
        self.uaclient.pre_request_hook = self._wait_until_ready
        self.nodes = Shortcuts(self.uaclient.session)

    def quiet_s(self) -> float:
        """Seconds since the server last said anything on a socket that is open."""
        protocol = self.uaclient.protocol
        return time.monotonic() - protocol.heard if isinstance(protocol, _Protocol) else 0.0


class Loop:
    """One asyncio loop in a thread of its own, shared by the sources of the process."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="asyncio", daemon=True).start()

    def run(self, what: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Run to the end; raises TimeoutError, after which the coroutine is cancelled."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(what, timeout_s), self.loop).result()


_loops: list[Loop] = []
_loops_lock = threading.Lock()


def shared_loop() -> Loop:
    """The process's loop, started when first needed."""
    with _loops_lock:
        if not _loops:
            _loops.append(Loop())
        return _loops[0]
