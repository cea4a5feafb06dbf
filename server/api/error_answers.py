"""What every operation of the document has in common: its refusals as problem+json, and the headers that make it conditional or once only.

It documents; server/problems.py, etags.py and server/idempotency.py do it.
"""

from __future__ import annotations

from typing import Any

from apispec import APISpec, BasePlugin

from server.api.schemas import ProblemBody

_MEANING = {
    "400": "the request cannot be read",
    "401": "nobody is logged in, or the token does not count",
    "403": "visible, but not permitted",
    "404": "not there, or of another site",
    "405": "the address does not take this method",
    "409": "the state of the thing does not allow it; nothing was changed",
    "412": "it was changed since it was read (If-Match)",
    "413": "the body is too large",
    "415": "the body is not of the media type that is taken",
    "422": "a value is wrong; `errors` says which",
    "429": "too many requests; Retry-After says how long to wait",
    "503": "something the server depends on is away; nothing was stored",
}
_BODIES = frozenset({"409", "412", "413", "415"})
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": '^"[0-9]+-[0-9a-f]+"$'},
    "description": "ETag of what was read; 412 when it has moved on",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,200}$"},
    "description": "the same key with the same body is done once and answered twice",
}


class ErrorAnswers(BasePlugin):
    """Adds them to each operation that flask-smorest hands over."""

    def init_spec(self, spec: APISpec) -> None:
        """One shared answer a status."""
        for status, meaning in _MEANING.items():
            spec.components.response(
                f"Problem{status}", {"description": meaning, "content": {"application/problem+json": {"schema": ProblemBody}}}
            )
        spec.components.response(
            "ProblemDefault",
            {"description": "any other refusal", "content": {"application/problem+json": {"schema": ProblemBody}}},
        )

    def operation_helper(self, path: str | None = None, operations: dict[str, Any] | None = None, **_kwargs: Any) -> None:
        """Document the refusals of every method of a path."""
        del path
        for method, operation in (operations or {}).items():
            answers = operation["responses"] = _merged(operation.get("responses", {}))
            wanted = _MEANING if method in {"post", "put", "patch", "delete"} else _MEANING.keys() - _BODIES
            answers.update({status: f"Problem{status}" for status in wanted})
            answers["default"] = "ProblemDefault"
            if method == "patch":
                operation.setdefault("parameters", []).append(dict(_IF_MATCH))
            if method == "post" and "201" in {str(status) for status in answers}:
                operation.setdefault("parameters", []).append(dict(_IDEMPOTENCY_KEY))


def _merged(answers: dict[Any, Any]) -> dict[str, Any]:
    """One entry a status: what a route adds by hand (files beside JSON) joins what its schema says."""
    found: dict[str, Any] = {}
    for status, answer in answers.items():
        known = found.setdefault(str(status), answer)
        if known is not answer and isinstance(known, dict) and isinstance(answer, dict):
            content = {**known.get("content", {}), **answer.get("content", {})}
            found[str(status)] = {**known, **answer, "content": content}
    return found
