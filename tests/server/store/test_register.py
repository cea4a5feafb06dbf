"""The register at 10,000 assets: a search reads the table once and a page costs the same few queries at any size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from sqlalchemy import event, text
from sqlalchemy.dialects import postgresql

from server import bodies
from server.database import Database
from server.models.plant import Asset, Site
from server.store import register, tree
from server.store.register import Wanted
from tests.server.small_plant import SmallPlant

TODAY = date(2026, 11, 20)
MANY = """
INSERT INTO assets (site_id, area_id, class_id, parent_id, code, name, make, serial)
SELECT a.site_id, a.area_id, a.class_id, CASE WHEN n % 4 = 0 THEN a.id END, 'Q-' || n, 'Pump number ' || n, 'Maker ' || n % 7, 'S' || n * 7
FROM assets a, generate_series(1, 10000) n WHERE a.id = :pump
"""


@pytest.fixture
def many(database: Database, plant: SmallPlant) -> SmallPlant:
    with database.transaction() as session:
        session.execute(text(MANY), {"pump": plant.pump})
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE assets"))
    return plant


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_a_page_of_ten_thousand_costs_five_queries(database: Database, many: SmallPlant) -> None:
    wanted = Wanted(site=many.site, search="pump 99")

    with database.transaction() as session, counted(database) as queries:
        page = register.search_assets(session, wanted, TODAY, sort="", limit=200, offset=0)
        rows = register.rows_of(session, page.items, TODAY)

    assert page.total > 200
    assert len(rows) == 200
    assert len(queries) <= 5


def test_a_search_reads_the_assets_once_and_nothing_again_per_row(database: Database, many: SmallPlant) -> None:
    query = register.wanted_assets(Wanted(site=many.site, search="serial S70", class_="pump", parent="M2"), TODAY).limit(50)
    compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})

    with database.transaction() as session:
        found = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {str(compiled).replace('%', '%%')}").scalar_one()
    plan = found if isinstance(found, list) else json.loads(found)

    nodes = list(walk(plan[0]["Plan"]))
    scans = [node for node in nodes if node.get("Relation Name") == "assets" and node["Alias"] == "assets"]
    assert [node["Actual Loops"] for node in scans] == [1]
    assert not any(node.get("Parent Relationship") == "SubPlan" for node in nodes)


def walk(node: dict[str, object]) -> Iterator[dict[str, object]]:
    yield node
    for child in node.get("Plans", []):  # type: ignore[attr-defined]
        yield from walk(child)


def test_the_live_list_costs_the_same_queries_for_ten_and_for_two_hundred(database: Database, many: SmallPlant) -> None:
    spent = []
    for limit in (10, 200):
        with database.transaction() as session, counted(database) as queries:
            page = register.search_assets(session, Wanted(site=many.site), TODAY, sort="", limit=limit, offset=0)
            bodies.asset_bodies(session, page.items)
        spent.append(len(queries))

    assert spent[0] == spent[1]


def test_a_tree_of_thousands_is_cut_and_says_so(database: Database, many: SmallPlant) -> None:
    with database.transaction() as session, counted(database) as queries:
        pump, site = session.get_one(Asset, many.pump), session.get_one(Site, many.site)
        below = tree.tree_below(session, pump)
        whole = tree.site_tree(session, site)

    assert (below["total"], below["whole"], whole["whole"]) == (2000, False, False)
    assert len(queries) <= 6
