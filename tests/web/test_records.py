"""Every declared page of records stands on an API that is there: addresses, methods, rights, sort names and columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound

from ml.detector import DETECTORS
from server.rules.roles import ALL_RIGHTS
from tests.web.conftest import LogIn
from web import assets
from web.record_pages import plain
from web.records import alerts
from web.records.spec import Act, Field, Records
from web.records.table import RECORDS

every = pytest.mark.parametrize("one", RECORDS, ids=lambda one: one.path)


def spec_of(page: str) -> dict[str, object]:
    """The declaration inside a page."""
    found = re.search(r'<script type="application/json" id="records-spec">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found.group(1)))


def fields_of(one: Records) -> Iterator[Field]:
    """Every field anywhere in a declaration."""
    groups = [one.columns, one.first, one.fields, one.read_only, one.filters]
    groups += [group for panel in one.panels for group in (panel.columns, panel.row)]
    groups += [group for act in acts_of(one) for group in (act.fields, act.shows)]
    for group in groups:
        yield from below(group)


def below(fields: tuple[Field, ...]) -> Iterator[Field]:
    """Fields and the columns of those that are lists."""
    for field in fields:
        yield field
        yield from below(field.columns)


def acts_of(one: Records) -> list[Act]:
    """Every act anywhere in a declaration."""
    return [*one.acts, *(act for panel in one.panels for act in (*panel.heads, *panel.acts))]


def takes(app: Flask, path: str, method: str) -> bool:
    """Whether the API has this; places are filled with 1."""
    address = re.sub(r"{[\w.]+}", "1", path).partition("?")[0]
    try:
        app.url_map.bind("localhost").match(address, method)
    except (NotFound, MethodNotAllowed):
        return False
    return True


@every
def test_its_pages_open_for_an_admin(as_role: LogIn, one: Records) -> None:
    client = as_role("admin")
    writes = one.fields and one.write and one.creates
    addresses = [f"/{one.path}", *([f"/{one.path}/new"] if writes else []), *([f"/{one.path}/1"] if one.fields or one.panels else [])]

    answers = [client.get(address) for address in addresses]

    assert [answer.status_code for answer in answers] == [200] * len(addresses)
    assert all(spec_of(answer.text)["api"] == one.api for answer in answers)


def asked(one: Records) -> list[tuple[str, str]]:
    """Method and address of everything that the pages of a resource ask."""
    single = f"{one.api}/1"
    wanted = [("GET", one.api)]
    wanted += [("GET", single)] if one.fields or one.read_only or one.panels else []
    if one.fields and one.write:
        wanted += [("POST", one.api)] * one.creates + [("PATCH", single)] * one.edits + [("DELETE", single)] * one.deletes
    wanted += [(act.method, act.path) for act in acts_of(one)] + [("GET", act.starts) for act in acts_of(one) if act.starts]
    wanted += [("PATCH", single) for panel in one.panels if panel.row]
    wanted += [("GET", panel.api) for panel in one.panels if panel.api]
    wanted += [("GET", download.path) for download in one.downloads]
    return wanted + [("GET", field.source) for field in fields_of(one) if field.source]


def test_what_they_ask_of_the_api_is_there(app: Flask) -> None:
    missing = [(one.path, method, path) for one in RECORDS for method, path in asked(one) if not takes(app, path, method)]

    assert missing == []


def test_their_links_lead_to_pages(app: Flask) -> None:
    links = [(one.path, field.link) for one in RECORDS for field in fields_of(one) if field.link]
    links += [(one.path, panel.link) for one in RECORDS for panel in one.panels if panel.link]
    links += [(one.path, one.link) for one in RECORDS if one.link]

    assert [(path, link) for path, link in links if not takes(app, link, "GET")] == []


@every
def test_its_rights_exist(one: Records) -> None:
    named = {one.read, one.write or one.read, *(act.right for act in acts_of(one)), *(download.right for download in one.downloads)}
    named |= {panel.write for panel in one.panels if panel.row and panel.write}

    assert named - ALL_RIGHTS == set()


@every
def test_it_is_complete(one: Records) -> None:
    assert one.note, "one sentence for the hub"
    assert one.columns
    wrong = [field.name for field in fields_of(one) if (field.kind == "choice" and not field.choices)]
    wrong += [field.name for field in [*one.fields, *one.filters] if field.kind == "reference" and not field.source]
    assert wrong == []
    assert [panel.inside for panel in one.panels if panel.row and not (panel.inside and panel.word and panel.write)] == []


@every
def test_the_api_sorts_and_filters_as_declared(as_role: LogIn, one: Records) -> None:
    client = as_role("admin")
    queries = [*({"sort": name} for name in one.sorts), *({"sort": f"-{name}"} for name in one.sorts)]
    queries += [{field.sends or field.name: key} for field in one.filters for key, _word in field.choices]
    queries += [{"search": "a"}] if one.searchable else []

    answers = [(query, client.get(one.api, query_string={**one.extra, **query})) for query in queries]

    assert [(query, answer.status_code, answer.text[:200]) for query, answer in answers if answer.status_code != 200] == []


def test_addresses_are_unique() -> None:
    paths = [one.path for one in RECORDS]

    assert len(set(paths)) == len(paths)


def test_the_hub_lists_what_a_person_may_read(as_role: LogIn) -> None:
    page = as_role("viewer").get("/records").text

    assert [one.path for one in RECORDS if f'href="/{one.path}"' in page] == [one.path for one in RECORDS if one.read in VIEWER]


VIEWER = {"overview.read", "assets.read", "alerts.read", "readings.read", "downtime.read"}


def test_a_reader_is_offered_nothing_that_changes(as_role: LogIn) -> None:
    client = as_role("viewer")

    for one in (one for one in RECORDS if one.read in VIEWER):
        spec = spec_of(client.get(f"/{one.path}").text)
        assert (spec["creates"], spec["edits"], spec["deletes"]) == (False, False, False), one.path
        assert not spec.get("acts"), one.path
        assert not [panel for panel in spec.get("panels", []) if panel.get("row") or panel.get("heads") or panel.get("acts")], one.path


def test_a_declaration_keeps_zero_and_leaves_defaults_out() -> None:
    field = Field(name="quantity", label="Quantity", kind="integer", low=0, default=0)

    assert plain(field) == {
        "name": "quantity",
        "label": "Quantity",
        "kind": "integer",
        "key": "id",
        "shows": "name",
        "low": 0,
        "default": 0,
    }


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_says_in_words_what_it_sees_beside_an_alert_and_on_the_watch_list(name: str) -> None:
    script = (assets.FOLDER / "js" / "detectors.js").read_text()

    assert name in {key for key, _ in alerts.DETECTORS}
    assert f" {name}: () => _(" in script
