"""A PLC that is switched off: grey within three polls, one alert, nothing per tag; and live again by itself."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.gaps import OPEN_END
from tests.flow.plant import Person, Plant, Screen
from tests.waiting import wait_for

pytestmark = [pytest.mark.owns_services, pytest.mark.timeout(240)]


def qualities(screen: Screen, ids: set[int]) -> dict[int, int]:
    """The last quality of each tag that the screen was told of."""
    last: dict[int, int] = {}
    for batch in screen.named("reading.batch"):
        codes = batch.get("q") or [0] * len(batch["id"])
        last.update({tag: code for tag, code in zip(batch["id"], codes, strict=True) if tag in ids})
    return last


def test_one_alert_for_a_lost_source_and_live_again_by_itself(plant: Plant) -> None:
    manager = plant.person("1001")
    screen = manager.screen()
    answer = screen.ask("subscribe", {"assets": [asset_id(manager, "PL-1")]})
    ids = {int(tag) for tag in answer["tags"]}
    wait_for(lambda: set(qualities(screen, ids).values()) == {0} and len(qualities(screen, ids)) == len(ids), 30, "the press to be live")
    before = {alert["id"] for alert in alerts(manager)}
    orders_before = manager.get("/api/work-orders")["total"]

    fault = manager.post("/api/simulator/faults", {"target": "press-s7", "kind": "source_off"}, status=201)

    wait_for(lambda: set(qualities(screen, ids).values()) == {2}, 30, "every tag of the press to turn bad")
    lost = screen.wait("alert.raised", lambda f: f["data"]["type"] == "source_lost", timeout_s=30)
    assert "press-s7" in str(lost["data"])
    press = manager.get("/api/assets/PL-1")
    assert lost["data"]["asset"]["code"] == "PL-1"
    assert lost["id"] in [alert["id"] for alert in press["alerts"]]
    assert press["operating"] == "unknown"
    opened_late = manager.screen()
    snapshot = opened_late.ask("subscribe", {"assets": [press["id"]]})["snapshot"]
    assert set(snapshot["q"]) == {2}
    assert set(snapshot["good"]["id"]) == ids
    assert None not in snapshot["good"]["v"]
    opened_late.close()

    manager.call("DELETE", f"/api/simulator/faults/{fault['id']}")
    wait_for(lambda: set(qualities(screen, ids).values()) == {0}, 60, "the press to be live again")
    screen.wait("alert.returned", lambda f: f["id"] == lost["id"], timeout_s=30)

    new = [alert for alert in alerts(manager) if alert["id"] not in before]
    assert [(alert["type"], alert["tag"]) for alert in new] == [("source_lost", None)]
    assert manager.get("/api/work-orders")["total"] <= orders_before + 1
    ended = "SELECT count(DISTINCT g.tag) FROM reading_gaps g JOIN tags t ON t.id = g.tag WHERE t.name LIKE 'PL-1.%%' AND g.ended < %s"
    wait_for(lambda: plant.query(ended, OPEN_END) == [(len(ids),)], 10, "an ended gap row for each tag of the press")
    screen.close()


def asset_id(person: Person, code: str) -> int:
    """Database id of an asset."""
    return int(person.get(f"/api/assets/{code}")["id"])


def alerts(person: Person) -> list[dict[str, Any]]:
    """All alerts."""
    return list(person.get("/api/alerts", limit=200)["items"])
