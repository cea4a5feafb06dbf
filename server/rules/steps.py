"""Answers to the typed steps of a procedure (AR_FEED.md 1): which are well-formed, whether they are good, and what comes next.

A measure outside lo..hi is a valid answer: it is kept, marked not OK and may lead elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realtime.errors import SightlineError

END = "end"
TEXT_MAX = 500
CHECKS = ("pass", "fail", "na")

Step = Mapping[str, Any]


class BadAnswer(SightlineError):
    """The answer does not fit the step: `field` names what, `code` why."""

    def __init__(self, field: str, code: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What a person gave; only the fields of the step's kind are looked at."""

    value: Any = None
    unit: str | None = None
    option: str | None = None
    code: str | None = None
    media: tuple[str | int, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether the answer is good, and the step it leads to by itself; None = the following one."""

    ok: bool
    goes_to: str | None = None


def judge(step: Step, answer: StepAnswer) -> Judged:
    """Raise BadAnswer when the answer does not fit the step's kind; an unknown kind is a confirm."""
    if answer.note is not None and len(answer.note) > TEXT_MAX:
        raise BadAnswer("note", "too_long", f"at most {TEXT_MAX} characters")
    judges = {"measure": _measure, "check": _check, "choice": _choice, "photo": _photo, "scan": _scan, "text": _text, "part": _part}
    by_kind = judges.get(str(step.get("k")))
    return by_kind(step, answer) if by_kind else Judged(ok=True)


def _number(raw: Any, field: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        raise BadAnswer(field, "not_a_number", "a finite number is wanted")
    return float(raw)


def _measure(step: Step, answer: StepAnswer) -> Judged:
    wanted = step.get("in") or {}
    value = _number(answer.value, "value")
    if answer.unit is not None and wanted.get("unit") and answer.unit != wanted["unit"]:
        raise BadAnswer("unit", "unit_mismatch", f"the step wants {wanted['unit']}, not {answer.unit}")
    if wanted.get("lo") is not None and value < wanted["lo"]:
        return Judged(ok=False, goes_to=wanted.get("on_lo"))
    if wanted.get("hi") is not None and value > wanted["hi"]:
        return Judged(ok=False, goes_to=wanted.get("on_hi"))
    return Judged(ok=True)


def _check(_step: Step, answer: StepAnswer) -> Judged:
    if answer.option not in CHECKS:
        raise BadAnswer("option", "unknown_option", f"one of {', '.join(CHECKS)}")
    return Judged(ok=answer.option != "fail")


def _choice(step: Step, answer: StepAnswer) -> Judged:
    for option in step.get("opt") or []:
        if option["k"] == answer.option:
            return Judged(ok=True, goes_to=option.get("go"))
    raise BadAnswer("option", "unknown_option", f"{answer.option} is not one of the step's options")


def _photo(_step: Step, answer: StepAnswer) -> Judged:
    if not answer.media:
        raise BadAnswer("media", "required", "a photo is wanted")
    return Judged(ok=True)


def _scan(step: Step, answer: StepAnswer) -> Judged:
    wanted = str((step.get("in") or {}).get("code", ""))
    if not answer.code or answer.code.upper() != wanted.upper():
        raise BadAnswer("code", "wrong_code", f"this is not {wanted}")
    return Judged(ok=True)


def _text(_step: Step, answer: StepAnswer) -> Judged:
    if not isinstance(answer.value, str) or not answer.value.strip():
        raise BadAnswer("value", "required", "a text is wanted")
    if len(answer.value) > TEXT_MAX:
        raise BadAnswer("value", "too_long", f"at most {TEXT_MAX} characters")
    return Judged(ok=True)


def _part(_step: Step, answer: StepAnswer) -> Judged:
    if answer.value is not None and _number(answer.value, "value") < 0:
        raise BadAnswer("value", "out_of_range", "a quantity cannot be negative")
    return Judged(ok=True)


def following(steps: Sequence[Step], step: Step, goes_to: str | None) -> str:
    """Id of the step after this one: where the answer leads, else the step's own `next`, else the next in order, else `end`."""
    ids = [str(other["id"]) for other in steps]
    wanted = goes_to or step.get("next")
    if wanted == END or wanted in ids:
        return str(wanted)
    at = ids.index(str(step["id"])) + 1
    return ids[at] if at < len(ids) else END


def reachable(steps: Sequence[Step], answered: Mapping[str, str]) -> tuple[list[str], str | None]:
    """Ids along the path that the answers take, and the step that is still wanted on it (None = free to the end).

    answered: id -> id of the step the answer led to. Steps without `must` may be passed over.
    """
    path: list[str] = []
    by_id = {str(step["id"]): step for step in steps}
    at = str(steps[0]["id"]) if steps else END
    while at != END:
        if at in path:
            return path, at  # an answer led back: the work is done again from there
        path.append(at)
        if at in answered:
            at = answered[at]
        elif by_id[at].get("must"):
            return path, at
        else:
            at = following(steps, by_id[at], None)
    return path, None
