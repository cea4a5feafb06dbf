"""One look at a device that is not configured yet, in a process of its own: connect, browse, or read one tag. JSON in, JSON out.

It never touches what the collectors hold: a random client id, a link of its own, nothing written, nothing stored. `plc.probe_desk`
starts it, bounds its time and its number; a device that hangs or floods takes nothing with it.
"""

from __future__ import annotations

import ipaddress
import json
import math
import socket
import sys
import time
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec
import numpy as np

from plc.addressing.errors import AddressError
from plc.connector import KINDS, Branch, Browser, Connector, Diagnoser, Greeter, LinkError, LinkReason, Readings
from plc.interpretations import interpretations, word_addresses
from plc.scaling import TagColumns
from realtime import settings as settings_module
from realtime.bus import now_ms
from realtime.errors import SettingsError
from realtime.events import split_quality
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

MOST_BRANCHES = 1000
LISTEN_S = 7.0  # a pushed value may be some seconds away
READ_S = 0.25
GROUP = "probe"
MAX_TEXT = 500

Answer = dict[str, Any]


class Witness:
    """A connector's report, kept in memory: what it refused and what it found."""

    def __init__(self) -> None:
        self.refused: dict[str, int] = {}
        self.found: dict[str, float | str] = {}

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        """Count."""
        del topic, sample
        self.refused[reason] = self.refused.get(reason, 0) + count

    def discovered(self, tag: str, value: float | str) -> None:
        """Keep the first hundred."""
        if tag in self.found or len(self.found) < 100:
            self.found[tag[:200]] = value[:MAX_TEXT] if isinstance(value, str) else value


def probe(request: dict[str, Any], settings: Settings) -> Answer:
    """Do what is asked; what goes wrong with the device is an answer with reason, detail and remedy."""
    kind = KINDS.get(str(request.get("kind")))
    if kind is None:
        return _no("config", f"{request.get('kind')!r} is no protocol here", f"one of {', '.join(KINDS)}")
    source = Source(
        id=1,
        name=str(request.get("name") or "probe"),
        kind=kind.name,
        config={**request.get("config", {}), "probe": True},
        groups={GROUP: 1.0},
    )
    witness = Witness()
    connector: Connector | None = None
    try:
        check_target(source, settings)
        connector = kind.load()(source, settings, witness)
        action = {"test": _test, "browse": _browse, "preview": _preview}[str(request["action"])]
        return action(connector, source, request, witness)
    except LinkError as error:
        return _no(error.reason, error.detail, error.remedy)
    finally:
        if connector is not None:
            connector.close()


def _no(reason: str, detail: str, remedy: str = "") -> Answer:
    return {"ok": False, "reason": reason, "detail": detail[:MAX_TEXT], "remedy": remedy[:MAX_TEXT]}


def check_target(source: Source, settings: Settings) -> None:
    """Refuse this machine itself and link-local addresses, unless DEMO or PROBE_LOCAL says otherwise; raises LinkError.

    A plant's devices are elsewhere: what listens here is ours, and a cloud machine's credentials are at a link-local address.
    """
    url = source.config.get("url")
    host = urlsplit(str(url)).hostname if url else source.config.get("host")
    if settings.demo or settings.probe_local or not host:
        return
    try:
        found = socket.getaddrinfo(str(host), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise LinkError("no_route", f"{host}: the name is not known", "check the spelling, or give the number") from error
    for *_, address in found:
        number = ipaddress.ip_address(str(address[0]).partition("%")[0])
        plain = getattr(number, "ipv4_mapped", None) or number
        if plain.is_loopback or plain.is_link_local or plain.is_multicast or plain.is_unspecified:
            raise LinkError(
                "config", f"{host} is {plain}: this machine or its own link is not tried", "PROBE_LOCAL=1 allows it (docs/settings.md)"
            )


def _connect(connector: Connector) -> float:
    """Milliseconds that the link took."""
    started = time.perf_counter()
    connector.connect()
    return round((time.perf_counter() - started) * 1000, 1)


def _test(connector: Connector, _source: Source, _request: dict[str, Any], witness: Witness) -> Answer:
    connector.plan([])
    took = _connect(connector)
    if isinstance(connector, Greeter):
        connector.greet()
    limits = {key: value for key, value in connector.describe().items() if isinstance(value, str | int | float)}
    return {"ok": True, "connect_ms": took, "limits": limits, "browsable": isinstance(connector, Browser), "refused": witness.refused}


def _browse(connector: Connector, source: Source, request: dict[str, Any], _witness: Witness) -> Answer:
    if not isinstance(connector, Browser):
        return _no("config", f"{source.kind} cannot be browsed", "give the addresses, or import a list")
    connector.plan([])
    _connect(connector)
    branches = connector.browse(str(request.get("path") or ""))
    shown = [_branch(one) for one in branches[:MOST_BRANCHES]]
    return {"ok": True, "branches": shown, "more": max(len(branches) - MOST_BRANCHES, 0)}


def _branch(one: Branch) -> dict[str, str]:
    return {
        "name": one.name[:MAX_TEXT],
        "path": one.path[:2000],
        "address": one.address[:2000],
        "kind": one.kind,
        "unit": one.unit[:64],
        "value": one.value[:MAX_TEXT],
        "detail": one.detail[:MAX_TEXT],
    }


def _preview(connector: Connector, source: Source, request: dict[str, Any], witness: Witness) -> Answer:
    tag = msgspec.convert({**request["tag"], "id": 1, "asset": 0, "shard": 0, "source": source.name, "group": GROUP}, Tag)
    words = [] if tag.kind != "f64" else word_addresses(source.kind, tag.address)
    asides = [
        Tag(id=2 + n, name=f"word {n}", asset=0, shard=0, unit="", source=source.name, group=GROUP, address=a) for n, a in enumerate(words)
    ]
    connector.plan([])
    _connect(connector)
    unusable = connector.plan([tag])
    if unusable:
        return _no("config", f"{tag.address}: {unusable[0][1]}", "correct the address")
    readings, took = _read(connector, KINDS[source.kind].is_polled)
    if readings is None:
        told = ", ".join(f"{reason} {count}" for reason, count in witness.refused.items())
        return _no(
            "silent", f"connected, but no value came within {LISTEN_S:g} s" + (f"; refused: {told}" if told else ""), "check the address"
        )
    trouble = connector.troubles().get(tag.name) if isinstance(connector, Diagnoser) else None
    if trouble:
        reason, _, detail = trouble.partition(": ")
        return _no(reason, detail) if reason in get_args(LinkReason) else _no("config", trouble)
    return {"ok": True, "round_trip_ms": took, **_shown(tag, readings, source), "interpretations": _meanings(connector, asides)}


def _read(connector: Connector, is_polled: bool) -> tuple[Readings | None, float | None]:
    """The first readings of the tag, and what a read of it takes (polled kinds: the second one, the first plans)."""
    until = time.monotonic() + LISTEN_S
    while time.monotonic() < until:
        parts = [part for part in connector.read(GROUP if is_polled else "", READ_S) if (part.ids == 1).any()]
        if not parts:
            continue
        if not is_polled:
            return parts[-1], None
        started = time.perf_counter()
        again = [part for part in connector.read(GROUP, READ_S) if (part.ids == 1).any()]
        return (again or parts)[-1], round((time.perf_counter() - started) * 1000, 2)
    return None, None


def _shown(tag: Tag, part: Readings, source: Source) -> Answer:
    place = int((part.ids == 1).nonzero()[0][-1])
    quality = int(part.quality[place])
    answer: Answer = {"address": tag.address, "unit": tag.unit, "t": int(part.t[place]), "age_ms": max(now_ms() - int(part.t[place]), 0)}
    raw: Any = part.values[place]
    value: Any = raw
    if part.kind == "f64":
        columns = TagColumns([tag], is_namur=bool(source.config.get("namur")))
        only = slice(place, place + 1)
        values, bytes_ = columns.scale(columns.places(part.ids[only]), np.asarray(part.values, "f8")[only], part.quality[only])
        value, raw, quality = float(values[0]), float(raw), int(bytes_[0])
    elif part.kind == "frame":
        value = raw = f"frame {'x'.join(str(n) for n in getattr(raw, 'shape', ()))}"
    word, reason = split_quality(quality)
    return {**answer, "raw": _finite(raw), "value": _finite(value), "quality": word.name.lower(), "reason": reason.name.lower()}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)[:MAX_TEXT]


def _meanings(connector: Connector, asides: list[Tag]) -> list[dict[str, Any]]:
    """The registers there under every type and order, as many as can be read."""
    if not asides:
        return []
    try:
        connector.plan(asides)
        parts = connector.read(GROUP, READ_S)
    except LinkError:
        return []
    values = {int(i): float(v) for part in parts for i, v, q in zip(part.ids, part.values, part.quality, strict=True) if q & 3 == 0}
    words: list[int] = []
    for tag in asides:
        if tag.id not in values or not 0 <= values[tag.id] <= 65535:
            break
        words.append(int(values[tag.id]))
    return interpretations(words)


def main(_arguments: list[str]) -> int:
    """Read one request from stdin, write one answer to stdout; 0 whatever the device says."""
    try:
        settings = settings_module.load()
        answer = probe(json.load(sys.stdin), settings)
    except (SettingsError, AddressError, msgspec.MsgspecError, KeyError, ValueError) as error:
        answer = _no("config", f"the request cannot be read: {error}")
    json.dump(answer, sys.stdout)
    return 0
