"""Every page renders for who may see it, hides what belongs to others and shows hostile names as text."""

from __future__ import annotations

import re
from html import escape

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import HOSTILE, LogIn, Plant

PAGES = ["/?stay=1", "/assets", "/assets/{machine}", "/assets/{printer}", "/alarms", "/orders", "/orders/{order}", "/mine", "/work/{order}"]
WORKING = ["/work/{order}/steps/1", "/work/{order}/finish", "/pair", "/demo", "/account/password", "/plc-writes"]


@pytest.mark.parametrize("path", PAGES + WORKING)
def test_page_renders_for_a_manager(as_role: LogIn, plant: Plant, path: str) -> None:
    client = as_role("manager")

    answer = client.get(path.format(**vars(plant)))

    assert answer.status_code == 200
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize("path", PAGES + WORKING)
def test_page_asks_a_stranger_to_sign_in(client: FlaskClient, plant: Plant, path: str) -> None:
    answer = client.get(path.format(**vars(plant)))

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login?next=")


@pytest.mark.parametrize("path", ["/assets/{foreign}", "/orders/{foreign_order}", "/work/{foreign_order}", "/assets/none", "/work/WO-0"])
def test_what_is_not_visible_does_not_exist(as_role: LogIn, plant: Plant, path: str) -> None:
    client = as_role("manager")

    answer = client.get(path.format(**vars(plant)), headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    ("role", "path", "status"), [("viewer", "/orders", 403), ("viewer", "/?stay=1", 200), ("storekeeper", "/demo", 403)]
)
def test_a_role_sees_only_its_pages(as_role: LogIn, role: str, path: str, status: int) -> None:
    assert as_role(role).get(path, headers={"Accept": "text/html"}).status_code == status


def test_an_array_tag_brings_the_heatmap_page(as_role: LogIn, plant: Plant) -> None:
    client = as_role("manager")

    assert 'id="plate"' in client.get(f"/assets/{plant.printer}").text
    assert 'id="plate"' not in client.get(f"/assets/{plant.machine}").text


@pytest.mark.parametrize("path", [*PAGES, *WORKING, "/andon", "/records"])
def test_a_page_has_one_heading_of_the_first_rank(as_role: LogIn, plant: Plant, path: str) -> None:
    page = as_role("technician").get(path.format(**vars(plant)), headers={"Accept": "text/html"}).text

    assert len(re.findall(r"<h1[ >]", page)) == 1


@pytest.mark.parametrize("path", PAGES + WORKING)
def test_hostile_names_are_text(as_role: LogIn, plant: Plant, path: str) -> None:
    text = as_role("manager").get(path.format(**vars(plant))).text

    assert HOSTILE not in text
    assert "<img src=x" not in text
    assert "49" not in re.findall(r"Plant .{0,80}", text)


def test_the_machine_page_shows_its_hostile_name_whole(as_role: LogIn, plant: Plant) -> None:
    text = as_role("manager").get(f"/assets/{plant.machine}").text

    assert str(escape(HOSTILE)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in text


@pytest.mark.parametrize("path", PAGES + WORKING)
def test_the_strict_policy_holds_on_every_page(as_role: LogIn, plant: Plant, path: str) -> None:
    answer = as_role("manager").get(path.format(**vars(plant)))
    nonce = re.search(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"])

    assert nonce
    assert " style=" not in answer.text
    assert not re.search(r"\son\w+=\"", answer.text.replace("onerror=alert(1)", ""))
    inline = re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", answer.text)
    assert inline
    assert all(nonce.group(1) in tag for tag in inline)


def test_dark_and_light_follow_the_cookie(as_role: LogIn) -> None:
    client = as_role("manager")
    client.set_cookie("theme", "dark")

    assert 'data-theme="dark"' in client.get("/alarms").text

    client.set_cookie("theme", '"><script>')

    assert "data-theme" not in client.get("/alarms").text
