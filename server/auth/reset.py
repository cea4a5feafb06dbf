"""The two steps of a forgotten password: asking for the mail, and setting the new one. The answer never tells who exists."""

from __future__ import annotations

import hashlib
import logging
import secrets

import redis

from realtime.bus import Bus
from realtime.errors import BusUnavailable
from server import audit
from server.auth import passwords, throttle
from server.auth.session import cut_sockets
from server.errors import Invalid
from server.problems import too_many
from server.services import services
from server.store import resets

log = logging.getLogger("server.auth")

WINDOW_S = 3600
PER_PERSON = 3  # requests for one name in WINDOW_S
PER_ADDRESS = 20  # requests and tries from one address in WINDOW_S


def ask(who: str, address: str) -> None:
    """Mail a token where the name is a person's with an address; the same answer, work and limit where it is not. Raises Problem 429."""
    at = services()
    _count(at.bus, "name", who.strip().lower(), PER_PERSON)
    _count(at.bus, "from", address, PER_ADDRESS)
    token = secrets.token_urlsafe(32)
    with at.database.transaction() as session:
        user = resets.find(session, who.strip())
        if user is not None:
            resets.open_reset(session, user, token, at.settings.public_url, at.clock())
    log.info("password reset asked for %.64r from %s", who, address)


def is_open(token: str) -> bool:
    """True while the token would be taken."""
    at = services()
    with at.database.transaction() as session:
        return resets.holder(session, token, at.clock()) is not None


def finish(token: str, password: str, address: str) -> None:
    """Set the new password; every login of the person ends. Raises Invalid, Problem 429."""
    at = services()
    _count(at.bus, "from", address, PER_ADDRESS)
    with at.database.transaction() as session:
        found = resets.holder(session, token, at.clock())
    if found is None:
        raise Invalid("token", "ended", "is not valid any more; ask for a new mail")
    _reset, user = found
    passwords.check_strength(password, user.employee_number, user.name)
    hashed = passwords.hash_password(password)
    with at.database.transaction() as session:
        again = resets.holder(session, token, at.clock(), lock=True)  # of two at once, one is late
        if again is None:
            raise Invalid("token", "ended", "is not valid any more; ask for a new mail")
        row, person = again
        row.used_at = at.clock()
        person.password_hash, person.must_change_password = hashed, False
        person.session_epoch += 1
        audit.record(session, audit.Change("reset_password", "user", person.id, person.site_id), person, at.clock())
    throttle.succeeded(at.bus, user.employee_number, address)
    cut_sockets(at.bus, user.id)


def _count(bus: Bus, kind: str, word: str, limit: int) -> None:
    key = bus.key(f"reset.{kind}.{hashlib.sha256(word.encode()).hexdigest()[:32]}")
    try:
        pipe = bus.client.pipeline(transaction=True)
        pipe.incr(key)
        pipe.expire(key, WINDOW_S, nx=True)
        pipe.ttl(key)
        count, _set, left = pipe.execute()
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    if int(count) > limit:
        raise too_many("too_many_resets", "too many password mails were asked for; wait", float(left))
