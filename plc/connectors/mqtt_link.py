"""One session with an MQTT broker, 3.1.1 or 5: connect, subscribe, move bytes, publish. What the messages mean is not its business.

Used by the connectors `mqtt` and `sparkplug`. `$SYS` counters of the broker never reach the inbox: they are looked at here.
"""

from __future__ import annotations

import logging
import secrets
import select
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from plc.connector import LinkError, Report
from plc.connectors.mqtt_client import LeanClient, refusal
from plc.connectors.mqtt_tls import WARN_DAYS, credentials, utc_now
from realtime.settings import Settings
from realtime.snapshot import Source

log = logging.getLogger("plc.mqtt")

CONNECT_WITHIN_S = 5.0
KEEPALIVE_S = 15  # a half-open link is noticed after at most twice this
BATCH_MESSAGES = 5_000
INBOX_MESSAGES = 1_000_000  # while something is awaited that comes after them
INBOX_BYTES = 64_000_000
MISC_EVERY_S = 1.0
VERSIONS = frozenset({"3", "3.1.1", "4", "5"})  # 4 is what the protocol itself calls 3.1.1
SESSION_S = 7 * 86_400  # MQTT 5 asks how long the broker keeps our session
DROPPED = ("$SYS/broker/publish/messages/dropped", "$SYS/brokers/+/metrics/messages/dropped")  # mosquitto, EMQX


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we are gone: at QoS 1, retained."""

    topic: str
    payload: bytes


class MqttLink:
    """A broker session on one thread. config: url (null = MQTT_URL), user, password, ca, cert, key, version 3|5, keepalive s, probe.

    keep: a session that outlives us, under the fixed client id; `probe` never touches it: a random id and a clean session.
    """

    def __init__(self, source: Source, settings: Settings, report: Report, *, keep: bool = True) -> None:
        self.name = source.name
        self.config = source.config
        self.report = report
        self._wrong = _wrong(source.config)
        self.url = urlsplit("" if self._wrong else str(source.config.get("url") or settings.mqtt_url or ""))
        self.is_probe = bool(source.config.get("probe"))
        self.is_kept = keep and not self.is_probe
        self.version = 5 if str(source.config.get("version")) == "5" else 3
        self.keepalive_s = KEEPALIVE_S if self._wrong else int(source.config.get("keepalive") or KEEPALIVE_S)
        own_id = f"{settings.bus_prefix}-{source.name}"
        self.client_id = f"{own_id}-probe-{secrets.token_hex(4)}" if self.is_probe else own_id
        self.dropped = 0
        self.days: dict[str, int] = {}
        self.client: LeanClient | None = None
        self._connected: str | None = None  # "" = yes, else the broker's refusal
        self._resumed = False  # the broker kept our session: what waits there comes before its word on a subscription
        self._asked: dict[int, list[str]] = {}  # packet id -> filters whose confirmation is to come
        self._refused: list[str] = []  # filters
        self._gone: str | None = None
        self._misc_at = 0.0
        self._drops_seen: dict[str, int] = {}
        self._warned: set[str] = set()

    @property
    def where(self) -> str:
        """host:port, without the credentials."""
        return f"{self.url.hostname}:{self.url.port or (8883 if self.url.scheme == 'mqtts' else 1883)}"

    def connect(self, topics: Sequence[tuple[str, int]], will: Will | None = None) -> None:
        """Connect and subscribe to (filter, QoS) pairs; raises LinkError."""
        if self._wrong:
            raise LinkError("config", f"{self.name}: {self._wrong}", "correct the source")
        if not self.url.hostname:
            raise LinkError("config", f"{self.name}: no broker", "set MQTT_URL or url in the source")
        self._connected = self._gone = None
        self._asked, self._refused = {}, []
        self._drops_seen = {}
        client = self.client = self._made(will)
        self._open(client, self.url.hostname)
        self._until(lambda: self._connected is not None, f"broker {self.where} does not answer")
        if self._connected:
            raise LinkError("login", f"broker {self.where}: {self._connected}", "check user, password and the broker's access list")
        if topics and self._resumed:
            self._ask(topics)
        elif topics:
            self.subscribe(topics)
        if not self.is_probe:  # at QoS 0: a count of a minute ago is worth nothing; many brokers let nobody see it, and that is no fault
            client.follow([(topic, 0) for topic in DROPPED])
        log.info("%s: subscribed at %s as %s", self.name, self.where, self.client_id)

    def _open(self, client: LeanClient, host: str) -> None:
        try:
            client.open_session(host, int(self.where.rpartition(":")[2]), self.keepalive_s, keep_s=self._keep_s())
        except ConnectionRefusedError as error:
            raise LinkError("refused", f"broker {self.where}: connection refused", "check that the broker runs") from error
        except ssl.SSLError as error:
            raise _tls_error(self.where, error) from error
        except OSError as error:
            raise LinkError("no_route", f"broker {self.where}: {error}", "check the address and the network") from error

    def _keep_s(self) -> int:
        return SESSION_S if self.is_kept else 0

    def subscribe(self, topics: Sequence[tuple[str, int]]) -> None:
        """Subscribe to (filter, QoS) pairs and wait for the broker's word; raises LinkError."""
        mid = self._ask(topics)
        self._until(lambda: mid not in self._asked, f"broker {self.where} does not confirm the subscription")

    def _ask(self, topics: Sequence[tuple[str, int]]) -> int:
        """Subscribe; the word of the broker is heeded when it comes."""
        assert self.client is not None
        try:
            mid = self.client.follow(topics)
        except ValueError as error:
            raise LinkError("config", f"{self.name}: {error}", "correct the topics of the source") from error
        self._asked[mid] = [topic for topic, _ in topics]
        return mid

    def _made(self, will: Will | None) -> LeanClient:
        client = LeanClient(self.client_id, version=self.version, keep=self.is_kept)
        client.connect_timeout = CONNECT_WITHIN_S
        user = self.config.get("user") or (unquote(self.url.username) if self.url.username else None)
        if user:
            client.username_pw_set(str(user), str(self.config.get("password") or unquote(self.url.password or "")))
        if self.url.scheme == "mqtts":
            self._secure(client)
        elif self.config.get("ca") or self.config.get("cert"):
            raise LinkError("config", f"{self.name}: ca and cert are of no use on a plain link", "write mqtts:// in the url")
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_sys = self._on_sys
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        return client

    def _secure(self, client: LeanClient) -> None:
        found = credentials(self.name, self.config, utc_now())
        self.days = found.days
        client.tls_set_context(found.context)
        for what, days in found.days.items():
            if days < WARN_DAYS and what not in self._warned:
                self._warned.add(what)
                log.warning("%s: %s expires in %d days; renew it", self.name, what.removesuffix("_days"), days)

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        self._resumed = bool(flags.session_present)
        self._connected = refusal(reason) if reason.is_failure else ""

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, reasons: list[Any], _properties: Any) -> None:
        topics = self._asked.pop(mid, [])
        self._refused += [topic for topic, reason in zip(topics, reasons, strict=False) if reason.is_failure]

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._gone = refusal(reason)

    def _on_sys(self, topic: str, payload: bytes) -> None:
        """The broker's count of what it dropped, for any client: what grows since we look is warned of once and counted."""
        try:
            count = int(payload)
        except ValueError:
            return
        grown = count - self._drops_seen.get(topic, count)
        self._drops_seen[topic] = count  # smaller after the broker's restart
        if grown <= 0:
            return
        if not self.dropped:
            log.warning("%s: broker %s drops messages; raise max_queued_messages (docs/connectors.md)", self.name, self.where)
        self.dropped += grown
        self.report.reject("broker_dropped", grown, topic=topic, sample=payload)

    def _until(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + CONNECT_WITHIN_S
        while not done():
            if time.monotonic() > deadline:
                raise LinkError("timeout", what)
            try:
                self.pump(0.1, most=INBOX_MESSAGES)
            except LinkError:
                if not self._connected:  # a broker that refuses us says why, and hangs up
                    raise

    def pump(self, timeout_s: float, most: int = BATCH_MESSAGES) -> None:
        """Move bytes: wait for the socket, read until it is empty or `most` messages wait, write what waits, keep alive."""
        client = self.client
        sock = client.socket() if client is not None else None
        if client is None or sock is None:
            raise LinkError("protocol", f"broker connection lost ({self._gone or 'closed'})")
        room = client.inbox_bytes < INBOX_BYTES
        pending = room and isinstance(sock, ssl.SSLSocket) and sock.pending() > 0  # decrypted already: select does not see it
        wants = [sock] if client.want_write() else []
        readable, _, _ = select.select([sock] if room else [], wants, [], 0.0 if pending else timeout_s)
        if readable or pending:
            while len(client.inbox) < most and client.loop_read() == 0:
                pass
        if client.want_write():
            client.loop_write()
        if time.monotonic() - self._misc_at > min(MISC_EVERY_S, self.keepalive_s / 4):
            self._misc_at = time.monotonic()
            client.loop_misc()
        if self._gone is not None:
            raise LinkError("protocol", f"broker connection lost ({self._gone})")
        if self._refused:
            topic, self._refused = self._refused[0], []
            raise LinkError("login", f"broker {self.where}: subscription to {topic} refused", "check the broker's access list")

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Say something; what does not go out at once goes with the next `pump`."""
        if self.client is not None:
            self.client.publish(topic, payload, qos=qos, retain=retain)

    def close(self) -> None:
        """Disconnect; the broker keeps a session that is kept, and what we have not acknowledged."""
        client, self.client = self.client, None
        if client is not None:
            client.on_disconnect = None
            client.disconnect()

    def describe(self) -> dict[str, str | int | float]:
        """What /health shows of the session."""
        waiting = len(self.client.inbox) if self.client else 0
        shown: dict[str, str | int | float] = {"client_id": self.client_id, "mqtt": "5" if self.version == 5 else "3.1.1"}
        return {**shown, "waiting": waiting, "broker_dropped": self.dropped, **self.days}


def _wrong(config: Mapping[str, Any]) -> str:
    """What cannot be meant in a source's configuration, "" where nothing is wrong."""
    try:
        parts = urlsplit(str(config.get("url") or "mqtt://x"))
        port = parts.port
    except ValueError as error:
        return f"url: {error}"
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or port == 0:
        return "url: mqtt://host:port or mqtts://host:port"
    if str(config.get("version", 3)) not in VERSIONS:
        return f"version: one of {', '.join(sorted(VERSIONS))}"
    keepalive = config.get("keepalive")
    if keepalive is not None and (isinstance(keepalive, bool) or not isinstance(keepalive, int) or not 1 <= keepalive <= 3600):
        return "keepalive: whole seconds from 1 to 3600"
    return ""


def words(value: Any, default: Sequence[str]) -> list[str]:
    """A list of texts from a configuration: one text alone is a list of one; raises LinkError for anything else."""
    found = [value] if isinstance(value, str) else value
    if found is None or found == []:
        return list(default)
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise LinkError("config", f"{str(value)[:100]} is no list of texts", "correct topics or group_ids of the source")
    return found


def _tls_error(where: str, error: ssl.SSLError) -> LinkError:
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = "give the broker's authority as ca, and the name that stands in its certificate in the url"
        return LinkError("login", f"broker {where}: its certificate is not accepted ({error.verify_message})", remedy)
    return LinkError("login", f"broker {where}: TLS failed ({error.reason or error})", "check port, cert and key")
