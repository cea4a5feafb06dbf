"""The migrations make just the tables of sources, tags and discovered tags that the models describe; the snapshot follows switches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from server.database import Database
from server.models.metadata import metadata
from server.models.plant import Source, Tag
from server.store import snapshot
from tests.server.small_plant import SmallPlant
from tests.server.store.test_work_schema import table_of

OURS = {"sources", "tags", "discovered_tags"}


@pytest.mark.usefixtures("plant")
def test_models_and_migrations_of_sources_and_tags_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    differences: list[Any] = [row for entry in found for row in (entry if isinstance(entry, list) else [entry])]

    assert [row for row in differences if row[0].startswith("modify") and row[2] in OURS] == []
    assert [row for row in differences if not row[0].startswith("modify") and table_of(row) in OURS] == []


def test_what_is_switched_off_is_told_to_the_workers_and_a_deleted_source_is_gone(database: Database, plant: SmallPlant) -> None:
    now = datetime.now(UTC)
    with database.transaction() as session:
        session.get_one(Tag, plant.vibration).source_id = plant.source
        session.get_one(Source, plant.source).enabled = False

    def told() -> tuple[bool, str | None]:
        with database.transaction() as session:
            mine = snapshot.build(session, now).tag_by_id()[plant.vibration]
        return mine.enabled, mine.source

    assert told() == (False, "press-s7")
    with database.transaction() as session:
        session.get_one(Source, plant.source).enabled = True
    assert told() == (True, "press-s7")
    with database.transaction() as session:
        session.get_one(Source, plant.source).deleted_at = now
    assert told() == (True, None)
