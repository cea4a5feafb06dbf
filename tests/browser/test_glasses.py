"""The client for glasses in a real browser: a task walked to its end by visible buttons, and again by keys only."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ar_feed.words import screen_faults
from realtime.bus import now_ms
from realtime.events import Batch
from realtime.history_writer import write_batches
from server.auth.principal import Principal
from server.judging import judge_window
from server.models.alerts import AlertRecord
from server.models.people import User
from server.models.work import ProofWindow, StepEvent, WorkOrder
from server.pairing import Decision, decide
from server.rules.proof import ProofState
from tests.ar_feed.plant import order
from tests.browser.glasses_plant import Instance, Programs
from tests.waiting import wait_for

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PICTURES = os.environ.get("GLASSES_PICTURES")


@pytest.fixture(scope="module")
def programs(postgres_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    folder = tmp_path_factory.mktemp("glasses")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "SIGHTLINE_ENV_FILE": "none",
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "BUS_PREFIX": f"t{secrets.token_hex(5)}",
        "DATA_DIR": str(folder / "var"),
        "PORT": "0",
    }
    found = Programs(environment, folder)
    yield found
    found.stop()


@pytest.fixture
def instance(programs: Programs) -> Iterator[Instance]:
    found = Instance(programs)
    yield found
    found.values.stop()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, headless=True)
        yield found
        found.close()


class Glasses:
    """A headset's page: acts by visible words or by keys, and judges every screen it is shown."""

    def __init__(self, browser: Browser, instance: Instance, width: int = 854, height: int = 480) -> None:
        self.instance = instance
        self.context = browser.new_context(viewport={"width": width, "height": height})
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2] if "//" in request.url else ""))
        self.page.goto(f"{instance.url}/glasses")

    def pair(self) -> None:
        """Approve the code that the screen shows, as the technician."""
        code = self.page.locator(".code")
        expect(code).to_have_text(re.compile(r"[B-Z]{4}-[B-Z]{4}"))
        with self.instance.services.database.transaction() as session:
            user = session.get_one(User, self.instance.plant.technician)
            person = Principal(user.id, user.name, user.role, frozenset(), user.site_id, "user")
        decide(self.instance.services, code.inner_text(), person, Decision.APPROVE)
        expect(self.page.get_by_role("heading", name=re.compile("My tasks"))).to_be_visible(timeout=15_000)

    def say(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()

    def sees(self, text: str) -> None:
        expect(self.page.locator("#screen")).to_contain_text(text, timeout=20_000)

    def shot(self, name: str) -> None:
        if PICTURES:
            size = self.page.viewport_size or {}
            self.page.screenshot(path=f"{PICTURES}/{name}-{size.get('width')}.png")

    def judged(self, name: str) -> None:
        """The screen fits, can be spoken, and has no accessibility violation."""
        self.shot(name)
        self.page.evaluate(AXE.read_text("utf-8"))
        found: dict[str, Any] = self.page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
        assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == [], name
        size = self.page.viewport_size
        assert size
        overflow = self.page.evaluate("() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert overflow[0] <= size["width"], name
        if size["width"] > size["height"]:
            assert overflow[1] <= size["height"], f"{name} is {overflow[1]} high"
        commands = self.page.locator(".commands button").all_inner_texts()
        assert len(commands) <= 4
        assert screen_faults(commands) == [], name


@pytest.fixture
def glasses(browser: Browser, instance: Instance) -> Iterator[Callable[..., Glasses]]:
    made: list[Glasses] = []

    def make(width: int = 854, height: int = 480) -> Glasses:
        made.append(Glasses(browser, instance, width, height))
        return made[-1]

    yield make
    for one in made:
        one.context.close()


Make = Callable[..., Glasses]


def answers(instance: Instance, task: int) -> dict[str, Any]:
    with instance.services.database.transaction() as session:
        rows = session.query(StepEvent).filter_by(order_id=task, kind="answer").order_by(StepEvent.id)
        return {row.step_id: row.value if row.value is not None else row.option for row in rows}


def state(instance: Instance, task: int) -> str:
    with instance.services.database.transaction() as session:
        return session.get_one(WorkOrder, task).state


@pytest.mark.parametrize(("width", "height"), [(854, 480), (640, 360)])
def test_task_is_walked_to_its_end_by_visible_buttons(glasses: Make, instance: Instance, width: int, height: int) -> None:
    one = glasses(width, height)
    one.sees("Connect this device")
    one.page.wait_for_function("() => document.querySelector('img')?.naturalWidth > 0")
    one.judged("1-pair")
    one.pair()
    one.sees("No tasks for you now")
    task = order(instance.services, instance.plant)
    one.sees("Find and remove vibration")
    for title in ("Grease bearings, 500 h", "Check oil level and leaks", "Inspect foundation bolts"):
        order(instance.services, instance.plant, title, priority="low")
    one.sees("1 – 4 of 4")
    one.judged("2-tasks")

    one.say("OPEN TASK")
    one.sees("confirm each one before you start")
    one.say("CONFIRM DANGER")
    one.judged("3-safety")
    for _ in range(3):
        one.say("CONFIRM DANGER")
    one.judged("3-safety-done")
    one.say("START TASK")

    one.sees(f"Stop {instance.plant.asset_code} and lock out its drive.")
    one.judged("4-confirm")
    one.say("DRIVE IS LOCKED")
    one.sees("bolts tight?")
    one.judged("4-check")
    one.say("BOLTS ARE TIGHT")
    one.sees("What do you find")
    one.judged("4-choice")
    one.page.get_by_role("button", name=re.compile("ALL LOOKS GOOD")).click()
    one.sees("Measure vibration at bearing B.")
    one.sees("2.05")
    one.sees("in range")
    one.judged("4-measure")
    one.say("USE READING")

    one.sees("All steps are done")
    one.judged("8-finish")
    one.say("FINISH TASK")
    one.sees("Done")
    one.judged("9-done")
    one.say("NEXT TASK")
    one.sees("1 – 3 of 3")

    assert state(instance, task) == "completed"
    assert answers(instance, task) == {"s1": None, "s2": "pass", "s3": "none", "s5": 2.05}
    assert one.errors == []
    assert one.hosts == {instance.url.split("/")[2]}


def test_task_is_walked_to_its_end_by_keys_only(glasses: Make, instance: Instance) -> None:
    task = order(instance.services, instance.plant)
    one = glasses()
    one.pair()
    one.page.mouse.move(0, 0)
    press = one.page.keyboard.press
    one.sees("Find and remove vibration")

    press("1")  # the row's number opens it
    for _ in range(4):
        one.sees("CONFIRM DANGER")
        press("Enter")
    one.sees("START TASK")
    press("Enter")
    one.sees("lock out its drive")
    press("Enter")
    one.sees("bolts tight?")
    press("ArrowRight")
    press("Escape")  # back
    one.sees("lock out its drive")
    press("Enter")
    one.sees("bolts tight?")
    press("1")  # the first command
    one.sees("What do you find")
    press("ArrowDown")
    press("ArrowUp")
    press("1")  # worn: leads over the part step
    one.sees("Replace the bearing.")
    press("Enter")
    one.sees("Measure vibration")
    one.sees("2.05")
    press("ArrowRight")
    expect(one.page.get_by_role("button", name="ENTER VALUE")).to_be_focused()
    press("Enter")
    one.sees("Enter the value")
    for key in ("3", ".", "1", "9"):
        press(key)
    one.sees("3.19")
    press("Backspace")
    expect(one.page.get_by_role("button", name="SEND VALUE")).to_be_focused()
    press("Enter")
    one.sees("All steps are done")
    press("Enter")
    one.sees("Done")

    assert state(instance, task) == "completed"
    assert answers(instance, task) == {"s1": None, "s2": "pass", "s3": "worn", "s4": 1.0, "s5": 3.1}
    assert one.errors == []


def test_value_outside_its_range_is_said_and_recorded_as_not_ok(glasses: Make, instance: Instance) -> None:
    instance.values.vibration = 9.42
    task = order(instance.services, instance.plant)
    one = glasses()
    one.pair()
    reach_measure(one, task)

    one.sees("above range")
    one.judged("4-measure-above")
    one.say("ENTER VALUE")
    for key in ("9", ".", "4"):
        one.page.keyboard.press(key)
    one.sees("recorded as not OK")
    one.judged("6-pad")
    one.say("SEND VALUE")
    one.sees("All steps are done")

    with instance.services.database.transaction() as session:
        assert session.query(StepEvent).filter_by(order_id=task, step_id="s5").one().ok is False


def reach_measure(one: Glasses, _task: int) -> None:
    one.sees("Find and remove vibration")
    one.say("OPEN TASK")
    for _ in range(4):
        one.say("CONFIRM DANGER")
    for words in ("START TASK", "DRIVE IS LOCKED", "BOLTS ARE TIGHT"):
        one.say(words)
    one.page.get_by_role("button", name=re.compile("ALL LOOKS GOOD")).click()
    one.sees("Measure vibration")


def test_problem_holds_the_task_until_work_resumes(glasses: Make, instance: Instance) -> None:
    task = order(instance.services, instance.plant)
    one = glasses()
    one.pair()
    reach_measure(one, task)

    one.say("REPORT PROBLEM")
    one.judged("7-problem")
    one.page.get_by_role("button", name=re.compile("A part is missing")).click()
    one.sees("on hold until somebody helps")
    one.judged("7-held")
    wait_for(lambda: state(instance, task) == "on_hold", what="the order to be on hold")
    one.say("RESUME WORK")
    one.sees("Measure vibration")
    assert state(instance, task) == "in_progress"


def test_lost_link_is_seen_and_what_was_answered_meanwhile_is_sent(glasses: Make, instance: Instance) -> None:
    task = order(instance.services, instance.plant)
    one = glasses()
    one.pair()
    reach_measure(one, task)
    one.sees("2.05")

    one.context.set_offline(True)
    one.sees("No connection")
    expect(one.page.locator(".live").first).to_have_class(re.compile("stale"), timeout=10_000)
    one.shot("8-lost")
    expect(one.page.get_by_role("button", name="USE READING")).to_be_disabled()
    one.say("ENTER VALUE")
    one.page.keyboard.press("2")
    one.say("SEND VALUE")
    one.sees("All steps are done")
    one.sees("1 unsent")
    one.context.set_offline(False)

    wait_for(lambda: answers(instance, task).get("s5") == 2.0, 30, "the kept answer to arrive")
    expect(one.page.locator("#screen")).not_to_contain_text("unsent", timeout=10_000)


def test_reload_comes_back_to_the_tasks_without_pairing(glasses: Make, instance: Instance) -> None:
    order(instance.services, instance.plant)
    one = glasses()
    one.pair()
    one.sees("Find and remove vibration")

    one.page.reload()

    one.sees("Find and remove vibration")


@pytest.mark.parametrize(("width", "height"), [(360, 800), (1280, 800)])
def test_other_sizes_hold(glasses: Make, instance: Instance, width: int, height: int) -> None:
    task = order(instance.services, instance.plant)
    one = glasses(width, height)
    one.judged("1-pair")
    one.pair()
    one.judged("2-tasks")
    reach_measure(one, task)
    one.sees("2.05")
    one.judged("4-measure")


def alert_born(instance: Instance) -> int:
    """An order of an alert three minutes old, with the history of the fault and of two good minutes."""
    now = datetime.now(UTC)
    ms = now_ms()
    t = np.arange(ms - 300_000, ms, 1000, dtype=np.int64)
    age_s = (ms - t) / 1000
    values = np.where(age_s > 120, np.clip(2.0 + (300 - age_s) * 0.042, 2, 9.42), 2.05 + 0.05 * np.sin(age_s))
    n = len(t)
    readings = Batch(instance.plant.asset % 8, ms, "test", np.full(n, instance.plant.vibration, np.uint32), t, np.zeros(n, np.uint8),
                     np.zeros(n, np.uint32), values)  # fmt: skip
    with psycopg2.connect(instance.services.database.url) as connection:
        write_batches(connection, [readings])
    connection.close()
    name = f"{instance.plant.asset_code}.vibration"
    with instance.services.database.transaction() as session:
        alert = AlertRecord(
            number=f"ALERT_{secrets.token_hex(3)}", site_id=instance.plant.site, asset_id=instance.plant.asset, tag=name,
            tag_id=instance.plant.vibration, type="rule_violation", severity="critical", detector="limits", origin="rule", unit="mm/s",
            message="Vibration 9.42 mm/s, limit 7.10", condition="returned", value=9.42, limit=7.1, because=[{"tag": name, "share": 1.0}],
            raised_at=now - timedelta(minutes=3), last_at=now, returned_at=now - timedelta(minutes=2),
        )  # fmt: skip
        session.add(alert)
        session.flush()
        alert_id = alert.id
    return order(instance.services, instance.plant, alert_id=alert_id, proof_s=30.0)


def test_proof_arrives_on_the_end_card(glasses: Make, instance: Instance) -> None:
    task = alert_born(instance)
    one = glasses()
    one.pair()
    one.sees("9.42 mm/s, limit 7.10")
    one.shot("2-alert-born")
    reach_measure(one, task)
    one.sees("2.05")
    one.say("USE READING")
    one.sees("Was there really a fault?")
    one.judged("8-verdict")
    one.page.get_by_role("button", name=re.compile("FAULT CONFIRMED")).click()
    one.sees("The proof starts when the machine has settled.")
    one.judged("9-settling")

    with instance.services.database.transaction() as session:
        now = datetime.now(UTC)
        session.get_one(WorkOrder, task).completed_at = now - timedelta(seconds=110)
        window = session.query(ProofWindow).filter_by(order_id=task).one()
        window.settle_until = now - timedelta(seconds=90)  # time flies: the rule itself judges
        session.flush()
        assert judge_window(session, window.id, now, monitor_lives=True) == ProofState.PROVED

    one.sees("Proved")
    one.sees("9.42 → 2.05 mm/s")
    one.judged("9-proved")
    assert one.errors == []
