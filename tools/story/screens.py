"""Three kinds of screen in headless Chromium: manager 1280, phone 360, glasses 854; each notes by itself when it first showed something.

The times are taken in the pages by a MutationObserver, so that waiting here for one page does not blur another's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page

from tools.story.instance import Instance

PHONE_STEPS_AT_MOST = 20
# %s holds a key and a condition in JavaScript
WATCH = """() => {
  const key = %s;
  const holds = () => { if (!window.__seen[key] && (%s)) { window.__seen[key] = Date.now(); watcher.disconnect(); } };
  window.__seen = {...window.__seen, [key]: 0};
  const watcher = new MutationObserver(holds);
  watcher.observe(document.body, {childList: true, subtree: true, characterData: true, attributes: true});
  holds();
}"""


@dataclass(frozen=True, slots=True)
class Screen:
    """One page of one person, and the folder for its pictures."""

    page: Page
    name: str
    folder: Path

    def watch(self, key: str, condition: str) -> None:
        """Note the moment when a condition (JavaScript) first holds on this page; forgotten with the next page."""
        self.page.evaluate(WATCH % (json.dumps(key), condition))

    def watch_text(self, key: str, text: str, within: str = "body") -> None:
        """Note the moment when a text stands in a part of the page once more than now."""
        count = f"(document.querySelector({json.dumps(within)})?.innerText ?? '').split({json.dumps(text)}).length - 1"
        self.watch(key, f"{count} > {self.page.evaluate(count)}")

    def seen(self, key: str, timeout_s: float) -> float:
        """ms UTC of that moment; fails when it does not come."""
        self.page.wait_for_function("key => window.__seen?.[key]", arg=key, timeout=timeout_s * 1000)
        return float(self.page.evaluate("key => window.__seen[key]", key))

    def picture(self, what: str) -> None:
        """Keep what the screen shows."""
        path = self.folder / f"{what}-{self.name}.png"
        self.page.screenshot(path=str(path))
        print(f"        picture {path}")

    def go(self, path: str) -> None:
        """Open a page of the same site."""
        origin = self.page.evaluate("location.origin")
        self.page.goto(f"{origin}{path}")


def open_screen(browser: Browser, instance: Instance, folder: Path, name: str, size: tuple[int, int]) -> Screen:
    """An empty page of the size."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-GB", timezone_id="Europe/Paris")
    page = context.new_page()
    page.on("pageerror", lambda error: print(f"  !! {name}: {error}"))
    page.on("console", lambda message: print(f"  !! {name}: {message.text} {message.location['url']}") if message.type == "error" else None)
    page.goto(instance.url + "/login")
    return Screen(page, name, folder)


def sign_in(screen: Screen, instance: Instance, number: str) -> None:
    """Through the form, as a person does."""
    screen.page.get_by_label("Employee number").fill(number)
    screen.page.get_by_label("Password").fill(instance.password(number))
    screen.page.get_by_role("button", name="Sign in").click()
    screen.page.wait_for_url(lambda url: "/login" not in url)


def pair(glasses: Screen, phone: Screen, instance: Instance) -> None:
    """The glasses show a code, the phone types and approves it; nobody types a password on glasses."""
    glasses.page.goto(instance.url + "/glasses")
    glasses.page.wait_for_function("() => /^[A-Z]{4}-[A-Z]{4}$/.test(document.querySelector('.code')?.textContent ?? '')")
    code = glasses.page.locator(".code").inner_text()
    phone.go("/pair")
    phone.page.locator("#code").fill(code)
    phone.page.get_by_role("button", name="FIND DEVICE").click()
    phone.page.get_by_role("button", name="APPROVE DEVICE").click()
    glasses.page.get_by_text("My tasks").wait_for(timeout=20_000)
    phone.go("/mine")


def to_tasks(glasses: Screen) -> None:
    """From an end card to the list of tasks."""
    if glasses.page.get_by_role("button", name="NEXT TASK").count():
        glasses.page.get_by_role("button", name="NEXT TASK").click()
        glasses.page.get_by_text("My tasks").wait_for()


Before = Callable[[str], None]


def walk_on_glasses(glasses: Screen, title: str, before_step: Before) -> None:
    """Open the task, confirm every danger, do every step by the button that the screen offers, finish."""
    page = glasses.page
    page.get_by_role("button", name=title).first.click()
    page.get_by_role("button", name="CONFIRM DANGER").wait_for()
    glasses.picture("3-safety")
    while page.get_by_role("button", name="CONFIRM DANGER").count():
        page.get_by_role("button", name="CONFIRM DANGER").click()
    page.get_by_role("button", name="START TASK").click()
    page.locator("p.say").wait_for()
    while not page.get_by_text("FAULT CONFIRMED").count():
        said = page.locator("p.say").inner_text()
        before_step(said)
        main = page.locator(".commands button.main")
        if page.get_by_role("button", name="USE READING").count():
            _when_enabled(page.get_by_role("button", name="USE READING"))
            glasses.picture("4-live-value-in-step")
        (main if main.count() else page.locator("button.row").first).first.click()
        page.wait_for_function("said => document.querySelector('p.say')?.innerText !== said", arg=said)
    glasses.picture("5-finish")
    page.get_by_role("button", name="FAULT CONFIRMED").click()


def _when_enabled(button: Locator) -> None:
    deadline = time.monotonic() + 15
    while button.is_disabled() and time.monotonic() < deadline:
        button.page.wait_for_timeout(50)


def walk_on_phone(phone: Screen, number: str) -> None:
    """The same on the phone: dangers, START, every step by its one big act, verdict and COMPLETE."""
    page = phone.page
    phone.go(f"/work/{number}")
    page.locator(".danger").first.wait_for()
    for danger in page.locator(".danger").all():
        danger.click()
    phone.picture("9-order")
    page.locator("#go:not([disabled])").click()
    for _ in range(PHONE_STEPS_AT_MOST):
        page.wait_for_url(lambda url: "/steps/" in url or url.endswith("/finish"))
        if page.url.endswith("/finish"):
            break
        _do_step(phone)
    page.locator("label.choice").first.click()
    if not page.locator("#notes").input_value():
        page.locator("#notes").fill("Tightened, not yet better.")
    phone.picture("11-finish")
    page.locator("#complete:not([disabled])").click()
    page.wait_for_url(lambda url: url.endswith(f"/work/{number}"))


def _do_step(phone: Screen) -> None:
    page, here = phone.page, phone.page.url
    page.locator("#acts .act.main").wait_for()
    if page.locator("label.choice").count():
        page.locator("label.choice").last.click()
    if "USE READING" in page.locator("#acts .act.main").inner_text() or page.get_by_text("NO FRESH READING").count():
        page.locator("#acts .act.main:not([disabled])").wait_for(timeout=15_000)
        phone.picture("10-step-with-live-value")
    page.locator("#acts .act.main:not([disabled])").click()
    page.wait_for_url(lambda url: url != here)
