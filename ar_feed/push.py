"""What push asks of the feed, handed to it by app.py: live values of a task, and facts in the feed's words."""

from __future__ import annotations

from typing import Any

from ar_feed import cards, changes, live, tasks
from realtime.bus import now_ms
from realtime.events import Fact, FactName
from realtime.live import Columns
from realtime.snapshot import Snapshot, Tag
from realtime.views import TaskView
from server.auth.principal import Principal
from server.errors import NotFound
from server.services import services

ALARMS = {FactName.ALERT_RAISED, FactName.ALERT_RETURNED, FactName.ALERT_RESOLVED}


def bound_tags(steps: list[cards.StepFacts], snapshot: Snapshot) -> list[tuple[str, Tag]]:
    """(key, tag) of every live value bound in a task."""
    known = snapshot.tag_by_name()
    return [(key, known[name]) for name, key in cards.keys_of(steps).items() if name in known]


def task_view(principal: Principal, order_id: int, snapshot: Snapshot) -> TaskView | None:
    """Live values of a task for a socket; None where the person sees no such task."""
    with services().database.transaction() as session:
        try:
            order = tasks.find(session, principal, order_id)
        except NotFound:
            return None
        tags = bound_tags(tasks.steps_of(session, order), snapshot)

    def render(columns: Columns) -> dict[str, Any]:
        rows = {int(i): (int(t), float(v), int(q)) for i, t, v, q in zip(columns.id, columns.t, columns.v, columns.q, strict=True)}
        return live.frame([(key, tag) for key, tag in tags if tag.id in rows], rows, now_ms())

    return TaskView(tuple(tag.id for _key, tag in tags), render)


def ar_events(principal: Principal, fact: Fact) -> list[tuple[str, dict[str, Any]]]:
    """The events that a fact means to a headset: a task that changed or went, an alarm on the person's site."""
    if fact.name.startswith("work_order."):
        return _task_event(principal, fact)
    if fact.name in ALARMS:
        return [("ar.alarm", alarm(fact))]
    return []


def _task_event(principal: Principal, fact: Fact) -> list[tuple[str, dict[str, Any]]]:
    with services().database.transaction() as session:
        orders = tasks.some(session, principal, [fact.id])
        if not orders:
            return []
        if orders[0].assignee_id != principal.id:
            return [("ar.task", changes.Delta(fact.seq, [], [fact.id]).body())]
        task = tasks.facts_of(session, orders)[0]
        return [("ar.task", changes.Delta(fact.seq, [{**cards.summary(task), **cards.outcome(task)}], []).body())]


def alarm(fact: Fact) -> dict[str, Any]:
    """`ar.alarm`: what is wrong where, short enough for a band on a glass."""
    asset = fact.data.get("asset") or {}
    return {
        "id": fact.id,
        "state": fact.name.split(".")[1],
        "sev": fact.data.get("severity"),
        "asset": {"id": asset.get("id"), "code": asset.get("code"), "name": asset.get("name")},
        "t": cards.clip(str(fact.data.get("title") or ""), cards.WARNING),
        "order": fact.data.get("order"),
        "at": fact.at,
    }
