"""Who acts: a signed-in person, a paired device's user, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from server.errors import Forbidden
from server.rules.roles import Role, may


class Person(Protocol):
    """What the stores ask of whoever acts; `server.auth.principal.Principal` and `User` fit."""

    @property
    def id(self) -> int | None: ...

    @property
    def name(self) -> str: ...

    @property
    def role(self) -> str | None: ...

    @property
    def site_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """A plain Person."""

    id: int | None
    name: str
    role: str | None
    site_id: int | None


SYSTEM = Actor(None, "system", Role.ADMIN, None)
SIGNAL = Actor(None, "signal", Role.ADMIN, None)  # the proof of repair


def sees_site(person: Person, site_id: int | None) -> bool:
    """The system sees everything, a person the own site and what belongs to none."""
    return person.site_id is None or site_id is None or person.site_id == site_id


def has(person: Person, right: str) -> bool:
    """Whether the person's role has the right, and the API key they came with too."""
    scope: frozenset[str] | None = getattr(person, "scope", None)  # server/auth/principal.py
    return person.role is not None and may(Role(person.role), right) and (scope is None or right in scope)


def need(person: Person, right: str) -> None:
    """Raise Forbidden where the person lacks the right."""
    if not has(person, right):
        raise Forbidden("no_right", f"{person.name} may not do this ({right})")
