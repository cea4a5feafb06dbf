"""Approving a device by its code, with the wrong tries of a person counted: what `POST /api/pair/approve` and `/pair` call.

The rows are `server.store.pairing`'s; the count lives on the bus, because a refused request leaves no row.
"""

from __future__ import annotations

from enum import StrEnum

import redis

from realtime.bus import Bus
from realtime.errors import BusUnavailable
from server import audit
from server.auth.principal import Principal
from server.errors import Invalid, NotFound
from server.models.feed import Pairing
from server.problems import too_many
from server.services import Services
from server.store import pairing

WRONG_TRIES = 5
LOCKED_S = 600


class Decision(StrEnum):
    """What the person says to the device."""

    LOOK = "look"
    APPROVE = "approve"
    DENY = "deny"


_ACTS = {Decision.LOOK: pairing.look_up, Decision.APPROVE: pairing.approve, Decision.DENY: pairing.deny}


def decide(at: Services, user_code: str, person: Principal, decision: Decision) -> Pairing:
    """The pairing of a code after the decision.

    Raises Problem 429 while the person is locked after WRONG_TRIES wrong codes, Invalid, NotFound, Forbidden, BusUnavailable.
    """
    key = at.bus.key(f"pair.wrong.{person.id}")
    _refuse_locked(at.bus, key)
    try:
        with at.database.transaction() as session:
            row = _ACTS[decision](session, user_code, person, at.clock())
            if decision is not Decision.LOOK:
                change = audit.Change(f"device.{decision}", "pairing", row.id, person.site_id, None, {"name": row.name, "kind": row.kind})
                audit.record(session, change, person, at.clock())
            return row
    except (NotFound, Invalid):
        _count(at.bus, key)
        raise


def _refuse_locked(bus: Bus, key: str) -> None:
    try:
        tries = int(bus.client.get(key) or 0)
        wait_s = int(bus.client.ttl(key))
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    if tries >= WRONG_TRIES:
        raise too_many("locked", f"{WRONG_TRIES} wrong codes; wait before the next try", wait_s)


def _count(bus: Bus, key: str) -> None:
    try:
        pipe = bus.client.pipeline(transaction=True)
        pipe.incr(key)
        pipe.expire(key, LOCKED_S)
        pipe.execute()
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
