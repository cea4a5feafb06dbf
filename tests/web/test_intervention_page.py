"""The form of an intervention: opened from an order, with its technician and its order given."""

from __future__ import annotations

import json
import re
from html import escape

import pytest

from tests.web.conftest import HOSTILE, LogIn, Plant


def test_the_form_is_opened_from_an_order_and_names_order_machine_and_technician(as_role: LogIn, plant: Plant) -> None:
    page = as_role("technician").get(f"/interventions/new?order={plant.order}").text

    found = re.search(r'id="intervention-given">(.*?)</script>', page)
    assert found
    body = json.loads(found[1])
    assert body["given"]["order"] == plant.order
    assert [machine["code"] for machine in body["given"]["machines"]] == [plant.machine]
    assert {level: bool(terms) for level, terms in body["given"]["terms"].items()} == dict.fromkeys(
        ("category", "what", "why", "where"), True
    )
    kinds = {field["name"]: field["kind"] for field in body["fields"]}
    assert (kinds["received_at"], kinds["ended_at"], kinds["parts"], kinds["comments"]) == ("moment", "moment", "list", "long")
    assert escape(f"Technician {HOSTILE}").replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page


@pytest.mark.parametrize("order", ["WO-0", "", "9" * 30, "{foreign_order}"])
def test_an_order_that_is_not_there_has_no_form(as_role: LogIn, plant: Plant, order: str) -> None:
    assert as_role("technician").get(f"/interventions/new?order={order.format(**vars(plant))}").status_code == 404


def test_who_does_no_work_reports_none(as_role: LogIn, plant: Plant) -> None:
    assert as_role("operator").get(f"/interventions/new?order={plant.order}").status_code == 403
