"""Bodies of the feed from what an order and its steps are: pure, sized by the caps of AR_FEED.md 4.

Nothing here reads a table or a clock; `ar_feed.tasks` loads, this shapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ar_feed import words
from server.rules.safety import dangers

TITLE, STEP_TITLE, STEP_BODY, WARNING, LINE = 60, 120, 400, 120, 60
STATES = {
    "requested": "assigned",
    "open": "assigned",
    "assigned": "assigned",
    "reopened": "assigned",
    "in_progress": "in_progress",
    "on_hold": "paused",
    "completed": "done",
    "verified": "done",
    "cancelled": "cancelled",
}
PRIORITIES = {"urgent": 1, "high": 2, "normal": 3, "low": 4}
KINDS = ("info", "confirm", "check", "measure", "choice", "photo", "scan", "part", "text", "timer", "sign")
MAX_LIVE = 50  # tags of one task (PERFORMANCE.md 5, rule 13)

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TagFacts:
    """What the feed says of a tag that a step shows."""

    id: int
    name: str
    label: str
    unit: str
    low: float | None = None
    high: float | None = None
    decimals: int = 2


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step as the procedure has it, its place (1..), and what was answered."""

    body: Mapping[str, Any]
    n: int
    done: bool = False
    ok: bool | None = None
    value: Any = None
    goes_to: str | None = None


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """An order as the feed needs it."""

    id: int
    rev: int
    number: str
    title: str
    state: str
    has_problem: bool
    priority: str
    asset_id: int
    asset_name: str
    asset_code: str
    location: str
    due: datetime | None = None
    estimated_min: int | None = None
    who: str | None = None
    hazards: Sequence[str] = ()
    lock_out: bool = False
    n_steps: int = 0
    n_done: int = 0
    why: str = ""
    verdict_needed: bool = False
    reopened: str | None = None
    proof: Mapping[str, Any] | None = None
    procedure: tuple[int, int] | None = None
    safety: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[StepFacts] = field(default=())
    tags: Mapping[str, TagFacts] = field(default_factory=dict)


def clip(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def stamp(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, whole seconds."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def state_of(order_state: str, has_problem: bool) -> str:
    """The feed's word for an order's state: blocked = on hold with an open problem."""
    return "blocked" if order_state == "on_hold" and has_problem else STATES[order_state]


def summary(task: TaskFacts) -> Body:
    """One row of the task list; what is empty is left out, the contract's fields are always there."""
    body: Body = {
        "id": task.id,
        "rev": task.rev,
        "title": clip(task.title, TITLE),
        "asset": {
            "id": task.asset_id,
            "name": clip(task.asset_name, 40),
            "loc": clip(task.location, 30),
            "code": clip(task.asset_code, 24),
        },
        "pri": PRIORITIES.get(task.priority, 3),
        "state": state_of(task.state, task.has_problem),
        "due": stamp(task.due),
        "est_min": task.estimated_min,
        "who": None if task.who is None else clip(task.who, 24),
        "haz": [clip(hazard, 20) for hazard in list(task.hazards)[:3]],
        "loto": task.lock_out,
        "n_steps": task.n_steps,
        "n_done": task.n_done,
    }
    if task.why:
        body["why"] = clip(task.why, LINE)
    return body


def outcome(task: TaskFacts) -> Body:
    """What became of a finished task: the proof while it runs and how it ended, or why it came back."""
    body: Body = {"number": task.number}
    if task.proof:
        body["proof"] = dict(task.proof)
    if task.reopened:
        body["reopened"] = clip(task.reopened, STEP_TITLE)
    return body


def keys_of(steps: Iterable[StepFacts]) -> dict[str, str]:
    """Short key (t1, t2, ...) of every tag name that a step shows or asks for, in order of appearance."""
    keys: dict[str, str] = {}
    for step in steps:
        asked = (step.body.get("in") or {}).get("tag")
        for name in [*(step.body.get("live") or []), *([asked] if asked else [])]:
            if name not in keys and len(keys) < MAX_LIVE:
                keys[name] = f"t{len(keys) + 1}"
    return keys


def detail(task: TaskFacts, language: str) -> Body:
    """Summary with steps, safety and tags: what `GET /tasks/{id}` answers."""
    keys = keys_of(task.steps)
    return {
        **summary(task),
        **outcome(task),
        "verdict": task.verdict_needed,
        "lang": language,
        "proc": None if task.procedure is None else {"id": task.procedure[0], "ver": task.procedure[1]},
        "safety": safety(task),
        "tags": {keys[name]: _tag(task.tags[name]) for name in keys if name in task.tags},
        "steps": [step_body(step, keys, task) for step in task.steps],
    }


def _tag(tag: TagFacts) -> Body:
    body = {"label": clip(tag.label or tag.name, 40), "unit": tag.unit, "lo": tag.low, "hi": tag.high, "dec": tag.decimals}
    return {key: value for key, value in body.items() if value is not None}


def safety(task: TaskFacts) -> list[Body]:
    """Every danger of the procedure and of its steps, each once, the gravest first."""
    rows = dangers(task.safety, [step.body for step in task.steps])
    return [{**row, **{name: clip(str(row[name]), WARNING) for name in ("t", "b") if name in row}} for row in rows]


def step_body(step: StepFacts, keys: Mapping[str, str], task: TaskFacts) -> Body:
    """One step; fields that a step does not have are left out."""
    source = step.body
    body: Body = {
        "id": source["id"],
        "n": step.n,
        "k": source.get("k", "info"),
        "t": clip(str(source.get("t", "")), STEP_TITLE),
        "say": source.get("say") or words.main_act(str(source.get("k", "info"))),
        "done": step.done,
    }
    if source.get("b"):
        body["b"] = clip(str(source["b"]), STEP_BODY)
    if source.get("warn"):
        body["warn"] = {"sev": source["warn"].get("sev", "warning"), "t": clip(str(source["warn"].get("t", "")), WARNING)}
    for name in ("must", "media", "opt", "part", "at", "next"):
        if source.get(name):
            body[name] = source[name]
    if live := [keys[name] for name in source.get("live") or [] if name in keys]:
        body["live"] = live
    if source.get("in"):
        body["in"] = _wanted(source["in"], keys, task.tags)
    if step.done:
        answered = (("ok", step.ok), ("value", step.value), ("next", step.goes_to))
        body |= {key: value for key, value in answered if value is not None}
    return body


def _wanted(wanted: Mapping[str, Any], keys: Mapping[str, str], tags: Mapping[str, TagFacts]) -> Body:
    """`in` of a step: the tag as its key; unit, range and decimals from the tag where the procedure says nothing."""
    tag = tags.get(wanted.get("tag", ""))
    default = {} if tag is None else {"unit": tag.unit, "lo": tag.low, "hi": tag.high, "dec": tag.decimals}
    body = {**default, **wanted}
    if "tag" in wanted:
        body["tag"] = keys.get(wanted["tag"])
    return {key: value for key, value in body.items() if value is not None}


def task_list(tasks: Sequence[Body], cursor: str, *, more: bool = False, gone: Sequence[int] = ()) -> Body:
    """The answer of `GET /tasks`, whole or changes."""
    return {"v": 1, "cursor": cursor, "more": more, "tasks": list(tasks), "gone": list(gone)}
