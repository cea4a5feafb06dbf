"""The watch list: what people say of its entries counts, and what does not come back leaves it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from realtime.events import AlertType
from server.database import Database
from server.errors import Conflict, Invalid
from server.models.alerts import AlertRecord
from server.models.plant import Asset
from server.rules.policy import SAME_ENTRY
from server.store import alerts, judged, verdicts, watch_list
from tests.server.small_plant import NOW, NOW_MS, SmallPlant, finding
from tests.server.store.story import alert_of, completed, fact_names, fold, raised_order

RELATION: dict[str, Any] = {"type": AlertType.ANOMALY, "detector": "cva", "code": "relation", "tag": None, "key": "cva:1"}
DAY_MS = SAME_ENTRY // timedelta(milliseconds=1)


def test_an_entry_that_is_dismissed_counts_against_its_detector(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **RELATION))
        fold(session, finding(plant, "close", NOW_MS + 1000, **RELATION))
        assert watch_list.precision(session, plant.site, NOW + timedelta(hours=1)) == {}

        alerts.dismiss(session, alert_of(session).id, plant["benali"], NOW, "looked at the coupling, nothing")

        assert alert_of(session).resolved_by == plant["benali"].name
        said = watch_list.precision(session, plant.site, NOW + timedelta(hours=1))["cva"]
        assert (said["confirmed"], said["verdicts"], said["precision"]) == (0, 1, 0.0)


def test_the_list_says_of_a_detector_what_the_page_of_precision_says(database: Database, plant: SmallPlant) -> None:
    at = NOW + timedelta(hours=1)
    with database.transaction() as session:
        completed(session, plant, raised_order(session, plant))
        fold(session, finding(plant, **RELATION))
        entry = session.scalars(select(AlertRecord).where(AlertRecord.watch)).one()
        alerts.dismiss(session, entry.id, plant["benali"], NOW, "nothing")

        said = watch_list.precision(session, plant.site, at)

        rows, _ = verdicts.figures(session, plant.site, at - watch_list.LOOKED_BACK, at)
        assert said == {row["name"]: {name: row[name] for name in said["cva"]} for row in rows if row["scope"] == "detector"}
        assert {name: (one["confirmed"], one["verdicts"]) for name, one in said.items()} == {"limits": (1, 1), "cva": (0, 1)}
        assert watch_list.precision(session, plant.site, at + watch_list.LOOKED_BACK) == {}


def test_an_entry_that_stands_is_dismissed_for_as_long_as_it_stands(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **RELATION))
        alerts.dismiss(session, alert_of(session).id, plant["benali"], NOW, "a new product runs")
        assert alert_of(session).resolved_at is None

        fold(session, finding(plant, "close", NOW_MS + 1000, **RELATION))

        assert alert_of(session).notes == "a new product runs"
        assert alert_of(session).resolved_at is not None


def test_an_entry_is_judged_once_and_others_learn_of_it(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **RELATION))
        alerts.dismiss(session, alert_of(session).id, plant["benali"], NOW, "a new product runs")

        with pytest.raises(Conflict, match=plant["benali"].name):
            alerts.dismiss(session, alert_of(session).id, plant["moreau"], NOW, "nothing")

        assert (alert_of(session).notes, fact_names(session)[-1]) == ("a new product runs", "alert.changed")


def test_who_makes_a_dismissed_entry_an_alarm_withdraws_its_verdict(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **RELATION))
        alerts.dismiss(session, alert_of(session).id, plant["benali"], NOW, "a new product runs")

        alerts.promote(session, alert_of(session).id, plant["moreau"], NOW)

        assert (alert_of(session).notes, alert_of(session).data.get("verdict")) == (None, None)
        assert watch_list.precision(session, plant.site, NOW + timedelta(hours=1)) == {}
        with pytest.raises(Conflict, match=f"{plant['moreau'].name} made it an alarm"):
            alerts.dismiss(session, alert_of(session).id, plant["benali"], NOW, "nothing")


def test_a_verdict_on_an_entry_that_became_an_alert_by_itself_counts_no_more(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **RELATION))
        alerts.dismiss(session, alert_of(session).id, plant["benali"], NOW, "a new product runs")
        class_id = session.get_one(Asset, plant.pump).class_id
        counted = judged.of_class(session, class_id)

        alert_of(session).watch = False  # as when another detector agrees
        session.flush()

        assert (counted, judged.of_class(session, class_id)) == ({"anomaly": (0, 1)}, {})
        assert watch_list.precision(session, plant.site, NOW + timedelta(hours=1)) == {}


def test_dismissing_wants_words_and_an_entry_of_the_watch_list(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **RELATION))
        with pytest.raises(Invalid):
            alerts.dismiss(session, alert_of(session).id, plant["benali"], NOW, " ")

        alerts.promote(session, alert_of(session).id, plant["benali"], NOW)

        with pytest.raises(Conflict):
            alerts.dismiss(session, alert_of(session).id, plant["benali"], NOW, "nothing")


def test_what_comes_back_within_a_day_is_the_same_entry_and_what_does_not_is_forgotten(database: Database, plant: SmallPlant) -> None:
    with database.transaction() as session:
        fold(session, finding(plant, **RELATION))
        fold(session, finding(plant, "close", NOW_MS + 1000, **RELATION))
        assert watch_list.forget(session, NOW + SAME_ENTRY - timedelta(seconds=1)) == 0
        fold(session, finding(plant, "open", NOW_MS + DAY_MS, **{**RELATION, "key": "cva:2", "t_onset": NOW_MS + DAY_MS}))
        assert alert_of(session).occurrences == 2
        assert watch_list.forget(session, NOW + 2 * SAME_ENTRY) == 0  # it stands
        fold(session, finding(plant, "close", NOW_MS + DAY_MS + 1000, **{**RELATION, "key": "cva:2"}))

        forgotten = watch_list.forget(session, NOW + 3 * SAME_ENTRY)

        assert forgotten == 1
        assert alert_of(session).notes == "came 2 times, then not again for 24 h; nobody judged it"
