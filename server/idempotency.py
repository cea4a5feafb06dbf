"""The same request twice does the same thing once: `Idempotency-Key` on creating requests.

The answer is stored in the transaction of what it answers, so it is there exactly when the deed is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from server.auth.guard import current_user
from server.problems import bad_request
from server.services import services
from server.store import operation_keys

LONGEST_KEY = 200
Deed = Callable[[Session], tuple[dict[str, Any], int]]


def once(scope: str, deed: Deed, fingerprint: bytes | None = None) -> Response:
    """Run `deed` in a transaction and answer what it returns; with a key seen before, answer what it returned then.

    fingerprint: what tells one upload from another, where the body was a form and has been read; else the body itself does.
    Raises Invalid (422) when the key came with another body, Conflict (409) while it is running, Problem 400 when it is no key.
    """
    key = _checked(request.headers.get("Idempotency-Key"))
    at = services()
    with at.database.transaction() as session:
        if key is None:
            return _answer(*deed(session))
        owner = current_user().owner
        body = request.get_data() if fingerprint is None else fingerprint
        body_hash = hashlib.sha256(f"{request.method} {request.path}\n".encode() + body).hexdigest()
        earlier = operation_keys.earlier_answer(session, scope, owner, key, body_hash)
        if earlier is not None:
            answer = _answer(earlier.answer, earlier.status or 200)
            answer.headers["Idempotency-Replayed"] = "true"
            return answer
        answered, status = deed(session)
        operation_keys.remember(session, scope, owner, key, body_hash, status=status, answer=answered, now=at.clock())
        return _answer(answered, status)


def _checked(key: str | None) -> str | None:
    if key is not None and not (1 <= len(key) <= LONGEST_KEY and key.isprintable()):
        raise bad_request("idempotency_key", f"Idempotency-Key must be 1 to {LONGEST_KEY} printable characters")
    return key


def _answer(body: Any, status: int) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    return answer
