"""Access tokens: only ours, only HS256, only in time."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.auth import jwt_tokens
from server.problems import Problem

KEY = b"k" * 32
NOW = datetime.now(UTC)
SHIFT = timedelta(hours=8)
BODY: dict[str, Any] = {
    "sub": "7",
    "aud": "sightline",
    "typ": "access",
    "jti": "x",
    "epoch": 0,
    "iat": int(NOW.timestamp()),
    "exp": int((NOW + SHIFT).timestamp()),
}
HEADER = {"typ": "at+jwt"}


def part(value: dict[str, Any]) -> str:
    """One part of a token, unsigned."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged() -> dict[str, str]:
    """Tokens that must not pass."""
    tokens = {
        "alg none": f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{part(BODY)}.",
        "alg NONE": f"{part({'alg': 'NONE', 'typ': 'at+jwt'})}.{part(BODY)}.x",
        "no signature": ".".join(jwt.encode(BODY, KEY, "HS256", headers=HEADER).split(".")[:2]) + ".",
        "HS384": jwt.encode(BODY, KEY * 2, "HS384", headers=HEADER),
        "HS512": jwt.encode(BODY, KEY * 2, "HS512", headers=HEADER),
        "another type": jwt.encode(BODY, KEY, "HS256", headers={"typ": "JWT"}),
        "changed body": ".".join((jwt.encode(BODY, KEY, "HS256", headers=HEADER).split(".")[0], part({**BODY, "sub": "1"}), "x")),
    }
    for name, value in (("kid", "../../dev/null"), ("jwk", {"kty": "oct", "k": "AAAA"}), ("jku", "http://evil"), ("x5u", "http://evil")):
        tokens[f"header {name}"] = jwt.encode(BODY, KEY, "HS256", headers={**HEADER, name: value})
    for weak in ("secret", "changeme", "password", "jwt-secret-key", "your-256-bit-secret", "frangoteam751", "k", "k" * 31, "k" * 33):
        tokens[f"key {weak}"] = jwt.encode(BODY, weak.ljust(32, "\0"), "HS256", headers=HEADER)
    for name in BODY:
        tokens[f"without {name}"] = jwt.encode({k: v for k, v in BODY.items() if k != name}, KEY, "HS256", headers=HEADER)
    changes: tuple[dict[str, Any], ...] = (
        {"aud": "other"},
        {"aud": ["other"]},
        {"typ": "refresh"},
        {"exp": int((NOW - timedelta(minutes=2)).timestamp())},
        {"exp": "soon"},
        {"iat": int((NOW + timedelta(hours=1)).timestamp())},
        {"nbf": int((NOW + timedelta(hours=1)).timestamp())},
        {"sub": "admin"},
        {"sub": ""},
        {"epoch": "zero"},
    )
    for number, change in enumerate(changes):  # names without times: every test worker must find the same tests
        tokens[f"change {number} of {', '.join(change)}"] = jwt.encode({**BODY, **change}, KEY, "HS256", headers=HEADER)
    return tokens


@pytest.mark.parametrize("name", forged())
def test_a_forged_token_is_refused(name: str) -> None:
    with pytest.raises(Problem) as raised:
        jwt_tokens.decode(forged()[name], KEY, datetime.now(UTC))

    assert raised.value.status == 401


def test_a_token_of_ours_is_read() -> None:
    claims = jwt_tokens.decode(jwt_tokens.encode(7, 3, KEY, datetime.now(UTC), SHIFT), KEY, datetime.now(UTC))

    assert (claims.user_id, claims.login.epoch) == (7, 3)


def test_two_tokens_of_one_person_are_two_logins() -> None:
    one, two = (jwt_tokens.decode(jwt_tokens.encode(7, 0, KEY, datetime.now(UTC), SHIFT), KEY, datetime.now(UTC)) for _ in range(2))

    assert one.login.id != two.login.id


@given(st.text(max_size=200))
def test_no_text_is_a_token(text: str) -> None:
    with pytest.raises(Problem):
        jwt_tokens.decode(text, KEY, datetime.now(UTC))
