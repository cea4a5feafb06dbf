"""Somebody with a browser: signs in by the form, notes what goes wrong, asks axe."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.pages_plant import ROOT, Instance

AXE = ROOT / "node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = [(1280, 800), (854, 480), (360, 800)]
MANAGER, TECHNICIAN = "1001", "2001"


class Visitor:
    """Somebody signed in at a size, who notes what goes wrong in the browser."""

    def __init__(self, browser: Browser, instance: Instance, number: str, size: tuple[int, int], state: Any = None) -> None:
        self.instance = instance
        self.context: BrowserContext = browser.new_context(viewport={"width": size[0], "height": size[1]}, storage_state=state)
        self.context.set_default_timeout(20_000)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda message: self.wrong.append(message.text) if message.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        if state is None:
            self.open("/login")
            self.page.fill("#employee_number", number)
            self.page.fill("#password", instance.logins[number]["password"])
            self.page.keyboard.press("Enter")
            self.page.wait_for_url(lambda url: "/login" not in url)

    def open(self, path: str) -> None:
        self.page.goto(self.instance.url + path)

    def is_live(self) -> None:
        expect(self.page.locator("#link-word")).to_have_text("Live", timeout=20_000)

    def violations(self) -> list[str]:
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)["violations"]
        return [f"{rule['id']} at {[node['target'] for node in rule['nodes'][:3]]}" for rule in found]

    def overflow(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def close(self) -> None:
        self.context.close()


def walk(page: Page) -> None:
    """Answer steps by the one big act until the finish page comes."""
    for _ in range(20):
        page.wait_for_url(re.compile(r"/steps/\d+$|/finish$"))
        if page.url.endswith("/finish"):
            return
        before = page.url
        expect(page.locator("#acts .act.main")).to_be_visible()
        radio = page.locator("#step input[type=radio]")
        if radio.count():
            radio.first.check()
        main = page.locator("#acts .act.main")
        expect(main).to_be_enabled(timeout=15_000)
        main.click()
        page.wait_for_url(lambda url, before=before: url != before)
    raise AssertionError("the procedure does not end")
