"""What the socket server may ask of the maintenance system: who connects, what they see, what they missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from realtime import historian
from realtime.doors import FactsPage
from realtime.events import Fact, FactName
from realtime.snapshot import Asset
from server.auth import identity
from server.auth.principal import Principal
from server.auth.session import cookie_principal
from server.problems import Problem
from server.services import Services
from server.store import facts as facts_store

# What a socket may ask: any of the rights is enough; `connect` and `disconnect` are for whoever `authenticate` lets in.
CONNECTED = "connected"
SOCKET_RIGHTS: dict[str, frozenset[str]] = {
    "connect": frozenset({CONNECTED}),
    "disconnect": frozenset({CONNECTED}),
    "subscribe": frozenset({"readings.read", "ar.read"}),
    "resume": frozenset({"overview.read", "ar.read"}),
}
SOCKET_KINDS = frozenset({"user", "api", "paired"})  # devices that only post and contractors have no socket

# By the first word of a fact's name; a headset gets the feed's bodies of its own tasks instead.
FACT_RIGHTS = {
    "alert": "alerts.read",
    "work_order": "orders.read",
    "notification": "notifications.read",
    "asset": "assets.read",
    "source": "assets.read",
    "config": "assets.read",
}


class SocketDoors:
    """The server's half of `realtime.doors.Doors`; methods run inside the app's context."""

    def __init__(self, at: Services, key: bytes) -> None:
        self._at = at
        self._key = key

    def authenticate(self, _environ: Mapping[str, Any], auth: object) -> Principal | None:
        """By `auth={"token": ...}` when there is one, else by the handshake's cookie; who has no business here is refused."""
        token = auth.get("token") if isinstance(auth, dict) else None
        if token is None:
            found = cookie_principal()
            return None if found is not None and found.is_held_back(by_cookie=True) else found
        if not isinstance(token, str):
            return None
        try:
            with self._at.database.transaction() as session:
                principal = identity.by_bearer(session, token, self._key, self._at.clock())
        except Problem:
            return None
        return principal if principal.kind in SOCKET_KINDS and not principal.is_held_back(by_cookie=False) else None

    def may_ask(self, principal: Principal, event: str) -> bool:
        """Whether the rights cover an event that a socket sends; an event that nobody declared is refused."""
        needed = SOCKET_RIGHTS.get(event, frozenset())
        return CONNECTED in needed or bool(needed & principal.rights)

    def still_valid(self, principal: Principal) -> bool:
        """True while the login or token of an open socket counts."""
        with self._at.database.transaction() as session:
            return identity.still_valid(session, principal, self._at.clock())

    def sees_asset(self, principal: Principal, asset: Asset) -> bool:
        """People see everything of their own site."""
        return asset.site == principal.site_id

    def sees_fact(self, principal: Principal, fact: Fact) -> bool:
        """Facts of the own site that the rights cover; notifications only to their reader."""
        if principal.kind != "paired" and not principal.may(FACT_RIGHTS[fact.name.split(".")[0]]):
            return False
        if fact.name == FactName.NOTIFICATION_CREATED:
            return bool(fact.data.get("user_id", fact.data.get("user")) == principal.id)
        site = fact.data.get("site_id", fact.data.get("site"))
        return site is None or site == principal.site_id

    def facts_since(self, seq: int | None, limit: int) -> FactsPage | None:
        """Facts after a number, from the outbox; None when a fresh start is cheaper or the number is not of this database."""
        with self._at.database.transaction() as session:
            newest = facts_store.newest_seq(session)
            if seq is None:
                return FactsPage(newest, [])
            found = facts_store.since(session, seq, limit + 1)
        if seq > newest or len(found) > limit:
            return None
        return FactsPage(found[-1].seq if found else newest, found)

    def latest(self, tag_ids: Sequence[int]) -> Mapping[int, tuple[int, float, int]]:
        """Newest values from the history; NaN where the sample has none."""
        with self._at.database.raw() as connection:
            rows = historian.latest(connection, tag_ids)
        return {tag: (t, float("nan") if v is None else v, q) for tag, (t, v, q) in rows.items()}

    def last_good(self, tag_ids: Sequence[int]) -> Mapping[int, tuple[int, float]]:
        """Newest good values from the history, of the tags that have one."""
        with self._at.database.raw() as connection:
            return historian.last_good(connection, tag_ids)
