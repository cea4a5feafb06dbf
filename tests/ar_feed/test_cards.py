"""Sizes and shapes of the feed's bodies: the byte caps of AR_FEED.md 4 on realistic, varied text."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ar_feed import cards, changes, live
from ar_feed.cards import StepFacts, TagFacts, TaskFacts
from realtime.snapshot import Limit, Tag

WORDS = [
    "bearing",
    "coupling",
    "housing",
    "pump",
    "valve",
    "filter",
    "oil",
    "level",
    "guard",
    "bolt",
    "sensor",
    "drive",
    "belt",
    "cabinet",
    "spindle",
    "manifold",
    "pressure",
    "vibration",
    "temperature",
    "remove",
]
VERBS = ("Remove", "Fit", "Tighten", "Measure", "Inspect", "Clean", "Replace", "Check", "Drain", "Align")


def sentence(rng: random.Random, words: int) -> str:
    return f"{rng.choice(VERBS)} {' '.join(rng.choice(WORDS) for _ in range(words))}."


def step(rng: random.Random, n: int, kind: str) -> StepFacts:
    body: dict[str, Any] = {"id": f"s{n}", "k": kind, "t": sentence(rng, 7), "b": sentence(rng, 14), "say": "NEXT STEP", "must": True}
    if n % 3 == 0:
        body["warn"] = {"sev": "warning", "t": sentence(rng, 5)}
    if kind == "measure":
        body |= {
            "live": ["M2.vibration"],
            "in": {"unit": "mm/s", "lo": 0.0, "hi": 4.5, "dec": 2, "tag": "M2.vibration", "on_hi": "s2"},
        }
    if kind == "choice":
        body["opt"] = [{"k": f"o{i}", "t": sentence(rng, 2), "say": f"OPTION NUMBER {i}", "go": "end"} for i in range(3)]
    return StepFacts(body, n)


def task(seed: int, steps: int = 12) -> TaskFacts:
    rng = random.Random(seed)
    kinds = [cards.KINDS[(seed + n) % len(cards.KINDS)] for n in range(steps)]
    return TaskFacts(
        id=1000 + seed,
        rev=rng.randint(1, 60),
        number=f"WO-{1000 + seed}",
        title=sentence(rng, 4)[:60],
        state="assigned",
        has_problem=False,
        priority=rng.choice(["urgent", "high", "normal", "low"]),
        asset_id=rng.randint(1, 500),
        asset_name="Booster pump",
        asset_code=f"M{seed}",
        location="Utilities, hall 2",
        due=datetime(2026, 11, 20, 16, tzinfo=UTC) + timedelta(hours=seed),
        estimated_min=45,
        who="A. Benali",
        hazards=("rotating", "hot"),
        lock_out=True,
        n_steps=steps,
        n_done=rng.randint(0, steps),
        procedure=(seed, 3),
        safety=[{"id": "d1", "sev": "danger", "t": "Rotating parts", "b": "Guard stays on until it stands still", "icon": "rotate"}],
        steps=[step(rng, n + 1, kind) for n, kind in enumerate(kinds)],
        tags={"M2.vibration": TagFacts(7, "M2.vibration", "Vibration", "mm/s", 0.0, 4.5, 2)},
    )


def size(body: object) -> int:
    return len(orjson.dumps(body))


def test_summary_fits_400_bytes() -> None:
    assert max(size(cards.summary(task(seed))) for seed in range(50)) <= 400


def test_task_of_12_steps_fits_5000_bytes() -> None:
    assert max(size(cards.detail(task(seed), "en")) for seed in range(50)) <= 5000


def test_20_summaries_fit_8000_bytes() -> None:
    body = cards.task_list([cards.summary(task(seed)) for seed in range(20)], changes.cursor(123456))

    assert size(body) <= 8000


def test_20_full_tasks_fit_100_kb_and_15_kb_packed() -> None:
    body = cards.task_list([cards.detail(task(seed), "en") for seed in range(20)], changes.cursor(123456))

    assert size(body) <= 100_000
    assert len(gzip.compress(orjson.dumps(body), 6)) <= 15_000


def test_delta_fits_80_and_480_bytes() -> None:
    nothing = changes.Delta(123456, [], []).body()
    one = changes.Delta(123456, [{**cards.summary(task(3)), **cards.outcome(task(3))}], []).body()

    assert size(nothing) <= 80
    assert size(one) <= 480


def live_tag(n: int) -> Tag:
    return Tag(
        id=n,
        name=f"M2.tag{n}",
        asset=1,
        shard=1,
        unit="mm/s",
        low=0.0,
        high=4.5,
        limits=[Limit(side="high", value=7.1, severity="critical")],
    )


@pytest.mark.parametrize(("tags", "cap"), [(1, 60), (20, 600)])
def test_live_frame_fits(tags: int, cap: int) -> None:
    rows = {n: (1_767_600_000_000 - n * 100, 2.05 + n, 0) for n in range(1, tags + 1)}

    body = live.frame([(f"t{n}", live_tag(n)) for n in range(1, tags + 1)], rows, 1_767_600_000_500)

    assert size(body) <= cap


@pytest.mark.parametrize(
    ("value", "alarm"), [(2.0, 0), (4.6, 1), (7.2, 2), (-0.1, -1)]
)  # fmt: skip
def test_alarm_says_how_far_outside(value: float, alarm: int) -> None:
    assert live.alarm_of(live_tag(1), value) == alarm


def test_old_and_missing_values_do_not_look_good() -> None:
    tag = live_tag(1)

    assert live.entry(tag, 0, 2.0, 0, 1900)[1] == 0
    assert live.entry(tag, 0, 2.0, 0, 2100)[1] == 1
    assert live.entry(tag, 0, float("nan"), 0, 100)[:2] == [None, 2]
    assert live.entry(tag, 0, 2.0, 2 + 4, 100)[1] == 2


def test_states_are_the_feeds_words() -> None:
    assert cards.state_of("on_hold", has_problem=False) == "paused"
    assert cards.state_of("on_hold", has_problem=True) == "blocked"
    assert cards.state_of("verified", has_problem=False) == "done"
    assert cards.state_of("reopened", has_problem=False) == "assigned"


def test_every_danger_stands_once_on_the_start_screen_gravest_first() -> None:
    rng = random.Random(1)
    grave = {"warn": {"sev": "danger", "t": "It may start."}}
    steps = [StepFacts({**step(rng, n, "confirm").body, **grave}, n) for n in (1, 2)]

    rows = cards.safety(replace(task(1), steps=steps, safety=[{"id": "d9", "sev": "notice", "t": "Wet floor"}]))

    assert [(row["sev"], row["t"]) for row in rows] == [("danger", "It may start."), ("notice", "Wet floor")]


def test_unknown_kind_is_shown_as_text_to_confirm() -> None:
    body = cards.step_body(StepFacts({"id": "s1", "k": "hologram", "t": "Look."}, 1), {}, task(1))

    assert (body["t"], body["say"]) == ("Look.", "CONFIRM STEP")


@given(st.text(max_size=300), st.integers(1, 120))
def test_clipped_text_never_exceeds_its_length(text: str, length: int) -> None:
    clipped = cards.clip(text, length)

    assert len(clipped) <= length
    assert clipped == text or clipped.endswith("…")
