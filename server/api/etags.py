"""Entity tags of single things: `ETag: "<rev>-<hash>"` on what is read, `If-None-Match` -> 304, `If-Match` -> 412 (RFC 9110).

A change is refused by the revision alone: what else stands in a body (names of others, live figures) may move without it.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

from flask import Response, jsonify, request

from server.problems import Problem


def tagged(body: dict[str, Any], status: int = 200) -> Response:
    """The body with its tag; 304 without a body where the caller has just this one."""
    answer = jsonify(body)
    answer.status_code = status
    answer.set_etag(f"{body['rev']}-{hashlib.sha256(answer.get_data()).hexdigest()[:12]}")
    if request.method not in {"GET", "HEAD"}:
        return answer
    return cast("Response", answer.make_conditional(request))


def check_match(rev: int) -> None:
    """Raise Problem 412 when the caller changes something that has moved on; without If-Match nothing is checked."""
    if not request.if_match or request.if_match.star_tag:
        return
    if not any(tag.partition("-")[0] == str(rev) for tag in request.if_match.as_set(include_weak=True)):
        raise Problem(412, "changed", "somebody else changed it meanwhile; read it again")
