"""Whether one step of a procedure has the shape of AR_FEED.md 1. Where steps lead is in server/rules/procedure.py."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from server.rules.priorities import parse
from server.rules.safety import SEVERITIES

KINDS = ("info", "confirm", "check", "measure", "choice", "photo", "scan", "part", "text", "timer", "sign")
KEYS = frozenset(
    {"id", "n", "k", "t", "b", "warn", "must", "media", "live", "in", "opt", "part", "at", "say", "next", "on_fail"},
)
TITLE_MAX, BODY_MAX, TAG_MAX, CODE_MAX = 120, 400, 200, 64
MEDIA_MAX, LIVE_MAX, OPTIONS_MAX = 20, 8, 12
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SAY_MAX, _SAY_WORDS = 24, range(2, 5)

Step = Mapping[str, Any]
Found = Iterator[tuple[str, str, str]]  # field, code, detail


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a step (None = with the whole procedure)."""

    step: str | None
    field: str
    code: str
    detail: str


def step_faults(step: Any) -> list[Fault]:
    """Everything wrong with a step by itself."""
    if not isinstance(step, dict):
        return [Fault(None, "steps", "not_an_object", "each step is an object")]
    name = step.get("id") if isinstance(step.get("id"), str) else None
    return [Fault(name, *found) for check in _CHECKS for found in check(step)]


def is_number(value: Any) -> bool:
    """A finite number; true is none."""
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)


def is_text(value: Any, longest: int) -> bool:
    """Words of 1 to `longest` characters."""
    return isinstance(value, str) and bool(value.strip()) and len(value) <= longest and "\x00" not in value


def _keys(step: Step) -> Found:
    for key in sorted(set(step) - KEYS):
        yield str(key)[:CODE_MAX], "unknown", "a step has no such key"
    if not isinstance(step.get("id"), str) or not _ID.fullmatch(step["id"]) or step["id"] == "end":
        yield "id", "wrong", "1 to 64 letters, digits, - or _; not `end`"
    if step.get("k") not in KINDS:
        yield "k", "unknown", f"one of {', '.join(KINDS)}"
    if not isinstance(step.get("must", False), bool):
        yield "must", "not_a_flag", "true or false"


def _words(step: Step) -> Found:
    if not is_text(step.get("t"), TITLE_MAX):
        yield "t", "length", f"1 to {TITLE_MAX} characters"
    if step.get("b") is not None and not is_text(step["b"], BODY_MAX):
        yield "b", "length", f"1 to {BODY_MAX} characters"
    if step.get("say") is not None and not _is_said(step["say"]):
        yield "say", "wrong", "2 to 4 words in capitals, 24 characters at most"


def _is_said(words: Any) -> bool:
    return isinstance(words, str) and len(words) <= _SAY_MAX and words == words.upper() and len(words.split()) in _SAY_WORDS


def _warning(step: Step) -> Found:
    warn = step.get("warn")
    if warn is not None:
        yield from danger_faults(warn, "warn")


def danger_faults(danger: Any, field: str) -> Found:
    """What is wrong with a danger: `{id?, sev, t, b?, icon?}`."""
    if not isinstance(danger, dict) or danger.get("sev") not in SEVERITIES:
        yield field, "severity", f"sev is one of {', '.join(SEVERITIES)}"
    elif not is_text(danger.get("t"), TITLE_MAX) or any(not isinstance(text, str) or len(text) > BODY_MAX for text in danger.values()):
        yield field, "length", f"t has 1 to {TITLE_MAX} characters"


def _media(step: Step) -> Found:
    media = step.get("media", [])
    if not isinstance(media, list) or len(media) > MEDIA_MAX:
        yield "media", "not_a_list", f"a list of at most {MEDIA_MAX} pictures"
    elif any(not isinstance(row, dict) or not isinstance(row.get("id"), int | str) for row in media):
        yield "media", "wrong", "each has an id"
    live = step.get("live", [])
    if not isinstance(live, list) or len(live) > LIVE_MAX or not all(is_text(tag, TAG_MAX) for tag in live):
        yield "live", "wrong", f"at most {LIVE_MAX} names of tags; {{asset}} stands for the order's asset"


def _input(step: Step) -> Found:
    asked = step.get("in", {})
    if not isinstance(asked, dict):
        yield "in", "not_an_object", "an object"
    elif step.get("k") == "measure":
        yield from _measured(asked)
    elif step.get("k") == "scan" and not is_text(asked.get("code"), TAG_MAX):
        yield "in.code", "required", "the code that must be read"
    elif step.get("k") == "timer" and not (is_number(asked.get("seconds")) and 0 < asked["seconds"] <= 86_400):
        yield "in.seconds", "out_of_range", "1 to 86400 seconds"


def _measured(asked: Mapping[str, Any]) -> Found:
    for side in ("lo", "hi"):
        if asked.get(side) is not None and not is_number(asked[side]):
            yield f"in.{side}", "not_a_number", "a finite number"
    if is_number(asked.get("lo")) and is_number(asked.get("hi")) and asked["lo"] > asked["hi"]:
        yield "in.lo", "above_hi", "lo is above hi"
    decimals = asked.get("dec", 0)
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= 6:
        yield "in.dec", "out_of_range", "0 to 6"
    for name, longest in (("unit", 32), ("tag", TAG_MAX)):
        if asked.get(name) is not None and not (isinstance(asked[name], str) and len(asked[name]) <= longest):
            yield f"in.{name}", "length", f"at most {longest} characters"


def _options(step: Step) -> Found:
    options = step.get("opt", [])
    if step.get("k") != "choice":
        return
    if not isinstance(options, list) or not 2 <= len(options) <= OPTIONS_MAX or not all(isinstance(row, dict) for row in options):
        yield "opt", "wrong", f"2 to {OPTIONS_MAX} options"
        return
    if any(not is_text(row.get("k"), CODE_MAX) or not is_text(row.get("t"), TITLE_MAX) for row in options):
        yield "opt", "wrong", "each option has k and t"
    if len({str(row.get("k")) for row in options}) < len(options):
        yield "opt", "twice", "two options have the same k"
    if any(row.get("say") is not None and not _is_said(row["say"]) for row in options):
        yield "opt", "say", "say: 2 to 4 words in capitals, 24 characters at most"


def _part(step: Step) -> Found:
    part = step.get("part")
    if part is None:
        return
    if not isinstance(part, dict) or not is_text(part.get("sku"), CODE_MAX):
        yield "part", "sku", "a part has a sku"
    elif not (is_number(part.get("qty", 1)) and part.get("qty", 1) >= 0):
        yield "part", "qty", "a quantity is not negative"


def _on_fail(step: Step) -> Found:
    wanted = step.get("on_fail")
    if wanted is None:
        return
    order = wanted.get("follow_up") if isinstance(wanted, dict) else None
    if not isinstance(order, dict) or not is_text(order.get("title"), 200) or set(order) - {"title", "priority", "procedure"}:
        yield "on_fail", "wrong", "{follow_up: {title, priority?, procedure?}}"
        return
    if order.get("priority") is not None and not (isinstance(order["priority"], str) and parse(order["priority"])):
        yield "on_fail", "priority", "there is no such priority"
    if order.get("procedure") is not None and not is_text(order["procedure"], CODE_MAX):
        yield "on_fail", "procedure", "the code of a procedure"


_CHECKS: tuple[Callable[[Step], Found], ...] = (_keys, _words, _warning, _media, _input, _options, _part, _on_fail)
