"""Access tokens: JWT, HS256 only, one shift long. What they prove is looked up in the database again at each request."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from server.auth.principal import Login
from server.problems import unauthorized

AUDIENCE = "sightline"
TYPE = "at+jwt"
LEEWAY_S = 30
# exp and iat are judged below: PyJWT asks a clock of its own
_OPTIONS: Any = {"require": ["exp", "iat", "sub", "aud", "jti"], "verify_exp": False, "verify_iat": False}
_FORBIDDEN_HEADERS = {"kid", "jwk", "jku", "x5u", "x5c", "crit"}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says: whose it is, and which login it stands for."""

    user_id: int
    login: Login


def encode(user_id: int, epoch: int, key: bytes, now: datetime, lifetime: timedelta) -> str:
    """A new token of the user; `epoch` is the user's session epoch of now."""
    body = {
        "sub": str(user_id),
        "aud": AUDIENCE,
        "typ": "access",
        "jti": secrets.token_urlsafe(16),
        "epoch": epoch,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    return jwt.encode(body, key, algorithm="HS256", headers={"typ": TYPE})


def decode(token: str, key: bytes, now: datetime) -> Claims:
    """The claims; raises Problem 401 unless everything about the token is ours and in time by the server's own clock."""
    try:
        header = jwt.get_unverified_header(token)
        if header.get("typ") != TYPE or header.get("alg") != "HS256" or _FORBIDDEN_HEADERS & header.keys():
            raise unauthorized("the token is not one of ours")
        body = jwt.decode(token, key, algorithms=["HS256"], audience=AUDIENCE, leeway=LEEWAY_S, options=_OPTIONS)
        if body.get("typ") != "access":
            raise unauthorized("the token is not an access token")
        at = now.timestamp()
        if int(body["exp"]) + LEEWAY_S < at or int(body["iat"]) - LEEWAY_S > at:
            raise unauthorized("the token is not valid or has expired")
        return Claims(int(body["sub"]), Login(str(body["jti"]), int(body["epoch"]), int(body["exp"])))
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise unauthorized("the token is not valid or has expired") from error
