"""The outlet of an edge collector: a server's API over HTTPS, with an ingest token. It needs no Redis and no library but the standard one.

A request that may not have arrived is sent again with the same Idempotency-Key. While the server is away or asks for patience
(Retry-After) every call raises BusUnavailable at once; what a runner has read waits in its spool.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import logging
import math
import ssl
import threading
import time
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
import orjson

from realtime.bus import now_ms
from realtime.errors import BusUnavailable, SettingsError
from realtime.events import Batch, Frame, Quality, Reason, Signal
from realtime.settings import Settings
from realtime.snapshot import Snapshot
from realtime.supervise import backoff

log = logging.getLogger("plc.sink")

TIMEOUT_S = 15.0
MOST_READINGS, MOST_BYTES = 10_000, 900_000  # of one request (DESIGN.md 4: 10,000 readings, 1 MB)
LONGEST_WAIT_S = 300.0
REFUSED_KEPT = 200
AWAY = frozenset({401, 403, 404, 408, 409, 425, 429})  # a token or a server that will be mended; 5xx too


class HttpSink:
    """One a process; any thread may call, each has a connection of its own. `configure` says how tags are called."""

    def __init__(self, settings: Settings) -> None:
        self._url = checked_url(settings)
        self._headers = {"Authorization": f"Bearer {settings.sink_token}", "Content-Type": "application/json"}
        self._tls = ssl.create_default_context(cafile=str(settings.sink_ca) if settings.sink_ca else None)
        self._names: dict[int, str] = {}
        self._local = threading.local()
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._why = ""
        self._waits: Iterator[float] = backoff(cap_s=30.0)
        self.drops: Counter[str] = Counter()
        self.sent = 0
        self.refused: deque[dict[str, Any]] = deque(maxlen=REFUSED_KEPT)

    def configure(self, snapshot: Snapshot) -> None:
        """Take the names of a new configuration; those of removed tags stay for what still waits."""
        self._names = self._names | {tag.id: tag.name for tag in snapshot.tags}

    def add_batches(self, batches: Sequence[Batch], *, live: bool = True) -> None:
        """Post readings in order; returns when the server has them. What it refuses is counted and never sent again."""
        groups: dict[tuple[str, frozenset[str]], list[Batch]] = {}
        for batch in batches:
            groups.setdefault((batch.source, frozenset(batch.flags)), []).append(batch)
        for (source, flags), group in groups.items():
            head = orjson.dumps({"source": source, "flags": sorted(flags)})[:-1] + b',"readings":['
            for rows in _pages(self._rows(group)):
                self._post_readings(source, head + b",".join(rows) + b"]}", len(rows))

    def add_signals(self, signals: Iterable[Signal]) -> None:
        """Post signals, in order."""
        listed = [{"name": signal.name, "t": signal.t, "data": signal.data} for signal in signals]
        answer = self._sent("/api/edge/signals", orjson.dumps({"signals": listed}), len(listed))
        for row in answer.get("rejected", []):
            self._count(f"server_signal_{row.get('code')}", 1, "", str(listed[int(row["i"])])[:500])

    def add_refused(self, rows: Iterable[dict[str, Any]]) -> None:
        """Keep for the next status."""
        self.refused.extend(rows)

    def status(self, body: dict[str, Any]) -> dict[str, Any]:
        """Post what this process says of itself, with the samples of what was refused; returns the server's answer."""
        rows = list(self.refused)
        answer = self._sent("/api/edge/status", orjson.dumps({**body, "refused": rows}), 1)
        for row in rows:
            if self.refused and self.refused[0] is row:
                self.refused.popleft()
        return answer

    def config(self, etag: str | None) -> tuple[bytes, str] | None:
        """The configuration and its ETag; None while it is the one of `etag`."""
        headers = {"If-None-Match": etag} if etag else {}
        status, found, body = self._request("GET", "/api/edge/config", None, headers)
        if status == 304:
            return None
        if status != 200:
            raise BusUnavailable(f"{self._url.netloc}: GET /api/edge/config answers {status}")
        return body, found.get("etag", "")

    def _post_readings(self, source: str, body: bytes, count: int) -> None:
        answer = self._sent("/api/readings", body, count)
        self.sent += int(answer.get("accepted", 0))
        rejected = Counter(str(row.get("code")) for row in answer.get("rejected", []))
        for code, number in rejected.items():
            self._count(f"server_{code}", number, source, f"{number} of {count} readings")

    def _sent(self, path: str, body: bytes, count: int) -> dict[str, Any]:
        try:
            status, _, raw = self._request("POST", path, body, {"Idempotency-Key": hashlib.sha256(path.encode() + body).hexdigest()[:40]})
            if status == 200:
                return msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise self._away(f"{path} did not answer with a JSON object: {error}") from error
        said = raw[:300].decode("utf-8", "replace")
        log.error("%s: %s refuses a request of %d for good: %d %s", self._url.netloc, path, count, status, said)
        self._count(f"server_{status}", count, "", said)
        return {}

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """One request on this thread's connection; raises BusUnavailable while the server is away."""
        if time.monotonic() < self._not_before:
            raise BusUnavailable(self._why)
        connection = self._connection()
        was_open = connection.sock is not None
        try:
            connection.request(method, self._url.path.rstrip("/") + path, body, {**self._headers, **headers})
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if was_open:  # the server may have closed a connection that was idle: ask once more on a new one
                return self._request(method, path, body, headers)
            raise self._away(f"{type(error).__name__}: {error}") from error
        found = {name.lower(): value for name, value in answer.getheaders()}
        if answer.status >= 500 or answer.status in AWAY:
            remedy = "; check SINK_TOKEN" if answer.status in {401, 403} else ""
            raise self._away(f"{path} answers {answer.status}{remedy}", found.get("retry-after"))
        self._is_back()
        return answer.status, found, raw

    def close(self) -> None:
        """Let go of this thread's connection; a later call opens a new one."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            host, port = self._url.hostname or "", self._url.port
            if self._url.scheme == "https":
                connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=self._tls)
            else:
                connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
            self._local.connection = connection
        return connection

    def _away(self, why: str, retry_after: str | None = None) -> BusUnavailable:
        """Nobody asks again before the wait is over: the server's own, or one that grows."""
        with self._lock:
            asked = float(retry_after) if retry_after and retry_after.isdigit() else next(self._waits)
            self._not_before = time.monotonic() + min(asked, LONGEST_WAIT_S)
            if not self._why:
                log.warning("%s: %s; keeping what is read", self._url.netloc, why)
            self._why = f"{self._url.netloc}: {why}"
        return BusUnavailable(self._why)

    def _is_back(self) -> None:
        if self._why:
            with self._lock:
                log.info("%s: answers again", self._url.netloc)
                self._why, self._waits = "", backoff(cap_s=30.0)

    def _count(self, reason: str, count: int, source: str, sample: str) -> None:
        self.drops[reason] += count
        self.refused.append({"t": now_ms(), "source": source, "reason": reason, "topic": "", "sample": sample})

    def _rows(self, batches: Sequence[Batch]) -> Iterator[bytes]:
        for batch in batches:
            columns = (batch.ids.tolist(), batch.t.tolist(), batch.quality.tolist(), batch.seq.tolist(), batch.values)
            for i, (tag, t, quality, seq, value) in enumerate(zip(*columns, strict=True)):
                name = self._names.get(tag)
                if name is None:
                    self._count("unnamed_tag", 1, batch.source, f"tag {tag}")
                    continue
                row = {"tag": name, "timestamp": t, **_value(value), **_quality(quality)}
                if seq:
                    row["seq"] = seq
                if batch.kept is not None and not batch.kept[i]:
                    row["kept"] = False
                yield orjson.dumps(row)


def checked_url(settings: Settings) -> Any:
    """SINK split; raises SettingsError where it would send the token in the clear, or without one."""
    url = urlsplit(settings.sink or "")
    if not url.hostname:
        raise SettingsError("SINK", "must be an address such as https://sightline.example")
    if not settings.sink_token:
        raise SettingsError("SINK_TOKEN", "not set; make an ingest token on the server (POST /api/tokens) and put it here")
    if url.scheme == "http" and not settings.sink_plain and not _is_loopback(url.hostname):
        raise SettingsError("SINK", "http:// sends the token in the clear; use https://, or set SINK_PLAIN=1 where the network is trusted")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pages(rows: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Rows of one request each."""
    page: list[bytes] = []
    size = 0
    for row in rows:
        if page and (len(page) >= MOST_READINGS or size + len(row) > MOST_BYTES):
            yield page
            page, size = [], 0
        page.append(row)
        size += len(row) + 1
    if page:
        yield page


def _value(value: float | str | Frame) -> dict[str, Any]:
    if isinstance(value, Frame):
        picture = {name: getattr(value, name) for name in ("shape", "dtype", "scale", "offset", "unit")}
        return {"frame": {**picture, "data": b64encode(value.data).decode()}}
    if isinstance(value, str):
        return {"value": value}
    return {"value": float(value) if math.isfinite(value) else None}


def _quality(byte: int) -> dict[str, Any]:
    """quality and reason; nothing where the sample is good."""
    if byte == Quality.GOOD:
        return {}
    return {"quality": byte & 3, "reason": Reason(byte >> 2).name.lower()}
