"""Static files and libraries: whitelisted, versioned, packed; nothing else of the disk is reachable."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from web import assets, libraries, phone_link

STATIC = Path(assets.FOLDER)
SIDES = "left|right|top|bottom"
PHYSICAL = re.compile(rf"[;{{]\s*((?:margin|padding|border)-(?:{SIDES})|{SIDES}|text-align:\s*(?:left|right))\s*:")


def test_a_static_file_is_packed_and_kept_for_ever(client: FlaskClient) -> None:
    answer = client.get(f"/static/{assets.version()}/css/base.css", headers={"Accept-Encoding": "gzip"})

    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert gzip.decompress(answer.data) == (STATIC / "css/base.css").read_bytes()


def test_a_static_file_of_another_build_is_not_kept(client: FlaskClient) -> None:
    answer = client.get("/static/000000000000/css/base.css")

    assert answer.status_code == 200
    assert "max-age=0" in answer.headers["Cache-Control"]


def test_the_icon_that_browsers_ask_for_by_themselves_is_there(client: FlaskClient) -> None:
    answer = client.get("/favicon.ico")

    assert answer.status_code == 200
    assert answer.mimetype == "image/svg+xml"


def test_a_known_file_is_answered_with_304(client: FlaskClient) -> None:
    path = f"/static/{assets.version()}/js/words.js"
    tag = client.get(path).headers["ETag"]

    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "path", ["/static/x/../pages.py", "/static/x/%2e%2e/pages.py", "/static/x/js", "/static/x/none.js", "/lib/../package.json"]
)
def test_nothing_else_is_reachable(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code in {404, 308}


@pytest.mark.parametrize("name", sorted(libraries.LIBRARIES))
def test_every_library_is_there(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/lib/{name}", query_string={"v": libraries.package_version(libraries.LIBRARIES[name].package)})

    assert answer.status_code == 200
    assert len(answer.data) > 1000
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["package.json", "axe.min.js", "..%2f..%2fpackage.json"])
def test_no_other_file_of_node_modules_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/lib/{name}").status_code == 404


def modules() -> list[Path]:
    return sorted((STATIC / "js").rglob("*.js"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_a_module_keeps_the_house_rules(path: Path) -> None:
    text = path.read_text("utf-8")

    assert text.startswith("// @ts-check\n")
    assert len(text.splitlines()) < 200
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
    assert "socket.io" not in text or path.name == "live.js"
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("path", sorted((STATIC / "css").glob("*.css")), ids=lambda path: path.name)
def test_styles_use_logical_properties(path: Path) -> None:
    physical = PHYSICAL.findall(path.read_text())

    assert not physical


@pytest.mark.parametrize(
    ("page", "lan", "phone"),
    [
        ("http://192.168.1.7:5000/", False, "http://192.168.1.7:5000/mine"),
        ("https://plant.test/", False, "https://plant.test/mine"),
        ("http://127.0.0.1:5000/", False, None),
        ("http://localhost:5000/", False, None),
    ],
)
def test_the_phone_is_sent_where_it_can_go(page: str, lan: bool, phone: str | None) -> None:
    assert phone_link.phone_url(page, lan=lan) == phone


def test_the_qr_code_is_a_picture_without_styles() -> None:
    svg = str(phone_link.qr_svg("http://192.168.1.7:5000/mine"))

    assert svg.startswith("<svg")
    assert "style=" not in svg
