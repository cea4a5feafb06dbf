"""Who asks: a person by cookie, JWT or API key, a device that posts readings, a paired headset, or a contractor by link. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.rules.roles import CONTRACT

FIRST_ADMIN = "admin"  # employee number of whom set-up makes

Kind = Literal["user", "api", "paired", "ingest", "contractor"]

# What a token may do at most, whoever stands behind it; None = everything its user may.
SCOPES: dict[Kind, frozenset[str] | None] = {
    "user": None,
    "api": None,
    "paired": frozenset({"ar.read", "ar.write"}),
    "ingest": frozenset({"readings.write"}),
    "contractor": CONTRACT,
}


@dataclass(frozen=True, slots=True)
class Login:
    """One way in: a JWT or a cookie. It ends with its time, its revocation, the user's epoch or the user's account."""

    id: str
    epoch: int
    expires_at: int  # seconds, UTC


@dataclass(frozen=True, slots=True)
class Principal:
    """Judged once a request. id: the user's, for kind ingest the token's own.

    scope: what an API key was made for, None = everything its user may; the stores ask it too. order_id: a contractor's one order.
    printed_password: the first admin's, as set-up printed it; it is to be changed at the first login of the pages.
    """

    id: int
    name: str
    role: str | None
    rights: frozenset[str]
    site_id: int
    kind: Kind
    employee_number: str = ""
    language: str = "en"
    token_id: int | None = None
    login: Login | None = None
    must_change_password: bool = False
    printed_password: bool = False
    scope: frozenset[str] | None = None
    order_id: int | None = None

    def may(self, right: str) -> bool:
        """True when this principal has the right."""
        return right in self.rights

    def is_held_back(self, *, by_cookie: bool) -> bool:
        """True while a login of this person reaches the own account only: somebody else knows the password."""
        return self.kind == "user" and self.must_change_password and (by_cookie or not self.printed_password)

    @property
    def owner(self) -> str:
        """Key under which idempotency keys are kept."""
        return f"{'token' if self.kind == 'ingest' else 'user'}:{self.id}"


def narrowed(kind: Kind, role_rights: frozenset[str]) -> frozenset[str]:
    """What is left of a role's rights through a token of this kind; an ingest token and a contractor have rights of their own."""
    scope = SCOPES[kind]
    if scope is None:
        return role_rights
    return scope if kind in {"ingest", "contractor"} else scope & role_rights
