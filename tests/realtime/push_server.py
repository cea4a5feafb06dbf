"""A socket server with made-up rights, for the tests of push: python -m tests.realtime.push_server PORT_FILE.

It is the real Push on a real Flask app; only who may see what is a table here.
"""

from __future__ import annotations

import os

from realtime import asyncmode

if __name__ == "__main__":
    asyncmode.patch(os.environ["ASYNC_MODE"])

import json
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from realtime.bus import Bus, connect
from realtime.doors import Doors, FactsPage
from realtime.events import Fact, FactName
from realtime.push import Push
from realtime.settings import Settings, load
from realtime.snapshot import Snapshot
from realtime.views import TaskView

HISTORY = 7.5
FACTS = [Fact(seq, "2026-01-05T08:00:00Z", FactName.ALERT_RAISED, seq, 1, "system", {"site": 1}) for seq in (5, 6, 7)]


@dataclass(frozen=True)
class Person:
    """A principal of these tests."""

    id: int
    kind: str
    site: int


PEOPLE = {"anna": Person(1, "user", 1), "bert": Person(2, "user", 2), "headset": Person(3, "paired", 1)}


def authenticate(_environ: Mapping[str, Any], auth: object) -> Person | None:
    return PEOPLE.get(str(auth.get("token"))) if isinstance(auth, dict) else None


def facts_since(since: int | None, _limit: int) -> FactsPage | None:
    if since is not None and since < FACTS[0].seq - 1:
        return None
    return FactsPage(FACTS[-1].seq, [fact for fact in FACTS if since is not None and fact.seq > since])


def task_view(_person: Person, order: int, _snapshot: Snapshot) -> TaskView | None:
    if order != 9:
        return None
    return TaskView((1,), lambda columns: {"t": "now", "v": {"t1": [float(columns.v[0]), int(columns.q[0]), 0]}})


def doors(gone: Path) -> Doors:
    return Doors(
        authenticate=authenticate,
        still_valid=lambda person: not (gone.exists() and str(person.id) in gone.read_text()),
        may_ask=lambda _person, _event: True,
        sees_asset=lambda person, asset: asset.site == person.site,
        sees_fact=lambda person, fact: fact.data.get("site") == person.site,
        facts_since=facts_since,
        latest=lambda ids: dict.fromkeys(ids, (1000, HISTORY, 0)),
        last_good=lambda ids: dict.fromkeys(ids, (900, HISTORY)),
        task_view=task_view,
        ar_events=lambda _person, fact: [("ar.task", {"id": fact.id})],
    )


def make(settings: Settings) -> tuple[Flask, Push]:
    """The app and its Push, not started."""
    assert settings.redis_url
    app = Flask("push_server")
    push = Push(settings, Bus(connect(settings.redis_url), settings.bus_prefix), doors(settings.data_dir / "gone"))
    push.init_app(app)
    app.add_url_rule("/counters", "counters", lambda: json.dumps({**push.counters(), "ready": push.ready()}))
    return app, push


def main() -> None:
    app, push = make(load())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    push.start()
    Path(sys.argv[1]).write_text(str(port))
    push.socketio.run(app, host="127.0.0.1", port=port, allow_unsafe_werkzeug=True)


if __name__ == "__main__":
    main()
