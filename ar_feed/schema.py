"""JSON Schema of the feed's bodies, published at /ar/v1/schema and held against every answer in the tests.

Clients ignore unknown fields, so nothing here forbids them; operations are judged field by field in `ar_feed.operations`.
"""

from __future__ import annotations

from typing import Any

import orjson

from ar_feed import cards, operations, words
from server.rules.safety import SEVERITIES

Schema = dict[str, Any]


def text(longest: int) -> Schema:
    """Text of at most so many characters."""
    return {"type": "string", "maxLength": longest}


def thing(required: str, **properties: Schema) -> Schema:
    """An object; `required` names the fields that are always there."""
    return {"type": "object", "required": required.split(), "properties": properties}


def listed(item: Schema, longest: int | None = None) -> Schema:
    """A list of one kind."""
    return {"type": "array", "items": item, **({} if longest is None else {"maxItems": longest})}


def nullable(schema: Schema) -> Schema:
    """The schema or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    """A definition below."""
    return {"$ref": f"#/$defs/{name}"}


WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
SAY: Schema = {"type": "string", "maxLength": words.MAX_LENGTH, "pattern": "^[^a-z]+$"}
SEVERITY: Schema = {"enum": list(SEVERITIES)}
STATE: Schema = {"enum": ["assigned", "in_progress", "paused", "blocked", "done", "cancelled"]}

_SUMMARY: dict[str, Schema] = {
    "id": WHOLE,
    "rev": WHOLE,
    "title": text(cards.TITLE),
    "asset": thing("id name loc code", id=WHOLE, name=text(40), loc=text(30), code=text(24)),
    "pri": {"type": "integer", "minimum": 1, "maximum": 4},
    "state": STATE,
    "due": nullable(TIME),
    "est_min": nullable(WHOLE),
    "who": nullable(text(24)),
    "haz": listed(text(20), 3),
    "loto": FLAG,
    "n_steps": WHOLE,
    "n_done": WHOLE,
    "why": text(cards.LINE),
    "number": text(64),
    "proof": thing("state", state=text(20), good_s=NUMBER, required_s=NUMBER, reason={"type": "string"}),
    "reopened": text(cards.STEP_TITLE),
}
_SUMMARY_ALWAYS = "id rev title asset pri state due est_min who haz loto n_steps n_done"

_WANTED = thing(
    "",
    unit={"type": "string"},
    lo=NUMBER,
    hi=NUMBER,
    dec=WHOLE,
    tag={"type": "string"},
    on_lo={"type": "string"},
    on_hi={"type": "string"},
    code={"type": "string"},
    seconds=NUMBER,
)
_STEP = thing(
    "id n k t say done",
    id={"type": "string"},
    n=WHOLE,
    k={"enum": list(cards.KINDS)},
    t=text(cards.STEP_TITLE),
    b=text(cards.STEP_BODY),
    warn=thing("sev t", sev=SEVERITY, t=text(cards.WARNING)),
    must=FLAG,
    media=listed(
        thing("id", id=WHOLE, type={"type": "string"}, w=WHOLE, h=WHOLE, bytes=WHOLE, alt={"type": "string"}, href={"type": "string"})
    ),
    live=listed({"type": "string"}),
    opt=listed(thing("k t", k={"type": "string"}, t={"type": "string"}, say=SAY, go={"type": "string"})),
    part=thing("sku qty", sku={"type": "string"}, qty=NUMBER),
    at=thing("marker xyz r", marker={"type": "string"}, xyz=listed(NUMBER, 3), r=NUMBER),
    say=SAY,
    next={"type": "string"},
    done=FLAG,
    ok=FLAG,
)
_STEP["properties"]["in"] = _WANTED

_OP = thing(
    "key task k at by",
    key={"type": "string", "format": "uuid"},
    task=WHOLE,
    step=text(64),
    k={"enum": list(operations.KINDS)},
    value={"type": ["number", "string", "null"]},
    unit=text(20),
    opt=text(64),
    code=text(200),
    media=listed(WHOLE, operations.MAX_MEDIA),
    note=text(operations.MAX_NOTE),
    at=TIME,
    by={"enum": list(operations.BY)},
    rev=WHOLE,
)

DEFINITIONS: dict[str, Schema] = {
    "summary": thing(_SUMMARY_ALWAYS, **_SUMMARY),
    "step": _STEP,
    "danger": thing("id sev t", id={"type": "string"}, sev=SEVERITY, t=text(cards.WARNING), b=text(cards.WARNING)),
    "tag": thing("label unit", label=text(40), unit={"type": "string"}, lo=NUMBER, hi=NUMBER, dec=WHOLE),
    "task": thing(
        f"{_SUMMARY_ALWAYS} lang proc safety tags steps",
        **_SUMMARY,
        lang={"type": "string"},
        proc=nullable(thing("id ver", id=WHOLE, ver=WHOLE)),
        safety=listed(ref("danger")),
        tags={"type": "object", "additionalProperties": ref("tag")},
        steps=listed(ref("step")),
    ),
    "tasks": thing(
        "v cursor more tasks gone",
        v={"const": 1},
        cursor={"type": "string"},
        more=FLAG,
        tasks=listed({"anyOf": [ref("task"), ref("summary")]}),
        gone=listed(WHOLE),
    ),
    "live": thing("t v", t=TIME, v={"type": "object", "additionalProperties": {"type": "array", "minItems": 3}}),
    "op": _OP,
    "ops": thing("ops", ops={**listed(ref("op"), operations.MAX_OPS), "minItems": 1}),
    "result": thing("status replayed", key=nullable(text(64)), status=WHOLE, replayed=FLAG, rev=WHOLE, next=nullable({"type": "string"})),
    "results": thing("results", results=listed(ref("result"))),
    "problem": thing(
        "type title status detail", type={"type": "string"}, title={"type": "string"}, status=WHOLE, detail={"type": "string"}
    ),
    "pairing": thing(
        "device_code user_code verify expires_in interval",
        device_code={"type": "string"},
        user_code={"type": "string", "pattern": "^[BCDFGHJ-NP-TV-XZ]{4}-[BCDFGHJ-NP-TV-XZ]{4}$"},
        verify={"type": "string"},
        expires_in=WHOLE,
        interval=WHOLE,
    ),
    "token": thing("token expires_in user device lang", token={"type": "string"}, expires_in=WHOLE, lang={"type": "string"}),
}

DOCUMENT = orjson.dumps(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "/ar/v1/schema",
        "title": "Sightline AR feed, version 1",
        "$defs": DEFINITIONS,
    },
    option=orjson.OPT_INDENT_2,
)
