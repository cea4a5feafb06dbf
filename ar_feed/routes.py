"""The feed's reading routes under /ar/v1 and `register`, which app.py calls; writing is ops, media and pairing.

Headers and validators of every answer (language, ETag, compression) are `ar_feed.answers`'.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request

from ar_feed import answers, cards, changes, events, evidence, glasses, live, media, ops, pairing, plant, schema, tasks, words
from ar_feed.markers import markers
from ar_feed.operations import MAX_OPS
from ar_feed.push import bound_tags
from realtime import historian
from realtime.bus import now_ms
from server.auth.guard import current_user, public, right
from server.errors import Invalid
from server.flood import refuse_flood
from server.pictures import MAX_BYTES
from server.services import services
from server.store import facts, fault_story
from server.timestamps import rfc3339

feed = Blueprint("ar_feed", __name__, url_prefix="/ar/v1")

OPS_BYTES = 256 * 1024
OPS_PER_MINUTE = 240
MAX_LIMIT, USUAL_LIMIT = 100, 20
LIMITS = {
    "ops": MAX_OPS,
    "ops_bytes": OPS_BYTES,
    "media_bytes": MAX_BYTES,
    "wait_s": changes.LONGEST_WAIT_S,
    "live": cards.MAX_LIVE,
}


@feed.get("")
@public
def root() -> Response:
    """What this server speaks; the first thing a client asks."""
    return jsonify(
        {
            "v": 1,
            "server_time": rfc3339(services().clock()),
            "langs": answers.LANGUAGES,
            "limits": LIMITS,
            "features": ["ops", "media", "pair", "events", "socket.io", "markers", "evidence"],
            "say": words.STANDING["en"],
        }
    )


@feed.get("/schema")
@public
def json_schema() -> Response:
    """JSON Schema of every body of the feed."""
    return Response(schema.DOCUMENT, mimetype="application/schema+json")


@feed.get("/tasks")
@right("ar.read")
def task_list() -> Response:
    """My active tasks, or with `since` what changed; `wait` holds the answer up to 25 s."""
    team = _one_of("scope", "mine", ("mine", "team")) == "team"
    raw = request.args.get("since")
    if raw is not None:
        return jsonify(_changes(raw, _number("wait", 0, changes.LONGEST_WAIT_S), team=team).body())
    person, limit = current_user(), _number("limit", USUAL_LIMIT, MAX_LIMIT, low=1)
    with services().database.transaction() as session:
        seq = facts.newest_seq(session)  # before the rows: what is newer than this comes again, which is harmless
        orders, more = tasks.listed(session, person, team=team, limit=limit)
        if _one_of("full", "0", ("0", "1")) == "1":
            shown = [cards.detail(tasks.with_steps(session, order), answers.language()) for order in orders]
        else:
            shown = [cards.summary(task) for task in tasks.facts_of(session, orders)]
    return jsonify(cards.task_list(shown, changes.cursor(seq), more=more))


def _changes(raw: str, wait_s: int, *, team: bool) -> changes.Delta:
    at, person = services(), current_user()
    with at.database.transaction() as session:
        seq = changes.parse(raw, session)

    def look() -> changes.Delta:
        with at.database.transaction() as session:
            return changes.since(session, person, seq, team=team)

    return changes.wait_for_change(look, changes.Ticker(at.bus), wait_s) if wait_s else look()


@feed.get("/tasks/<id:task>")
@right("ar.read")
def one_task(task: int) -> Response:
    """A task with its steps."""
    with services().database.transaction() as session:
        return jsonify(cards.detail(tasks.with_steps(session, tasks.find(session, current_user(), task)), answers.language()))


@feed.get("/tasks/<id:task>/live")
@right("ar.read")
def task_live(task: int) -> Response:
    """Newest values of the tags bound in a task."""
    at = services()
    with at.database.transaction() as session:
        steps = tasks.steps_of(session, tasks.find(session, current_user(), task))
    tags = bound_tags(steps, plant.snapshot())
    with at.database.raw() as connection:
        rows = historian.latest(connection, [tag.id for _key, tag in tags]) if tags else {}
    return jsonify(live.frame(tags, rows, now_ms()))


@feed.get("/tasks/<id:task>/evidence")
@right("ar.read")
def task_evidence(task: int) -> Response:
    """The alert's signal from before the alert until now, with what happened to the order: the picture of the proof."""
    return jsonify(evidence.of_task(services(), current_user(), task))


@feed.get("/tasks/<id:task>/story")
@right("ar.read")
def task_story(task: int) -> Response:
    """What the alert behind a task looked like when it was raised: signals, states, last works and parts, frozen."""
    with services().database.transaction() as session:
        return jsonify(fault_story.of_order(session, tasks.find(session, current_user(), task)))


@feed.get("/events")
@right("ar.read")
def event_stream() -> Response:
    """Server-sent events: task, live, alarm, ping."""
    return events.stream(services(), current_user())


@feed.post("/ops")
@right("ar.write")
def operations() -> Response:
    """Do 1 to 50 operations, each once."""
    person = current_user()
    refuse_flood("ops", OPS_PER_MINUTE, person.owner)
    request.max_content_length = OPS_BYTES
    results: list[dict[str, Any]] = ops.perform(services(), person, ops.envelope(request.get_json()))
    return jsonify({"results": results})


def _number(name: str, usual: int, high: int, low: int = 0) -> int:
    raw = request.args.get(name)
    if raw is None:
        return usual
    if not (raw.isascii() and raw.isdigit() and low <= int(raw[:9]) <= high):
        raise Invalid(name, "out_of_range", f"{low} to {high}")
    return int(raw)


def _one_of(name: str, usual: str, allowed: tuple[str, ...]) -> str:
    value = request.args.get(name, usual)
    if value not in allowed:
        raise Invalid(name, "unknown", f"one of {', '.join(allowed)}")
    return value


def register(app: Flask) -> None:
    """Put the feed and the client for glasses on an app."""
    for blueprint in (feed, pairing.pairing, media.media, markers):
        app.register_blueprint(blueprint)
    answers.install(app)
    glasses.register(app)
