"""The audit trail: nothing changes it, and what changes it behind the trigger's back is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from realtime.settings import Settings
from server import audit
from server.audit import Change
from server.database import Database
from tests.server.small_plant import NOW, SmallPlant

KEY = b"k" * 32


def write(database: Database, plant: SmallPlant, n: int = 5) -> None:
    for number in range(n):
        with database.transaction() as session:
            change = Change("rename", "asset", plant.pump, plant.site, {"name": number}, {"name": number + 1, "x": 0.1 + number})
            audit.record(session, change, plant["manager"], NOW)


def sealed(database: Database, plant: SmallPlant) -> tuple[int, str]:
    write(database, plant)
    with database.transaction() as session:
        head = audit.seal(session, KEY)
    assert head is not None
    return head.seq, head.hash


def behind_the_trigger(session: Session, statement: str) -> None:
    session.execute(text("SET LOCAL session_replication_role = replica"))  # what a superuser with bad intent would do
    session.execute(text(statement))


@pytest.mark.parametrize("table", ["audit_log", "audit_seals"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_tables_refuse_every_change(database: Database, plant: SmallPlant, table: str, statement: str) -> None:
    sealed(database, plant)
    column = "actor" if table == "audit_log" else "hash"

    with pytest.raises(ProgrammingError, match="append-only"), database.transaction() as session:
        session.execute(text(statement.format(table, column, column)))


def test_an_untouched_chain_holds_and_counts_what_waits(database: Database, plant: SmallPlant) -> None:
    head = sealed(database, plant)
    write(database, plant, 2)

    with database.transaction() as session:
        report = audit.verify(session, KEY, head)

    assert (report.sealed, report.unsealed, report.problems) == (5, 2, ())


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE audit_log SET actor = 'nobody' WHERE id = 3", "seal 3: audit row 3"),
        ("UPDATE audit_log SET new = '{\"name\": 99}' WHERE id = 2", "seal 2: audit row 2"),
        ("UPDATE audit_log SET at = at + interval '1 microsecond' WHERE id = 5", "seal 5: audit row 5"),
        ("DELETE FROM audit_log WHERE id = 4", "seal 4: audit row 4 is gone"),
        ("DELETE FROM audit_seals WHERE seq = 2", "seal 2 is missing"),
        ("DELETE FROM audit_seals WHERE seq = 5", "does not reach seal 5"),
        ("UPDATE audit_seals SET hash = repeat('a', 64) WHERE seq = 1", "seal 1: audit row 1"),
    ],
)
def test_tampering_is_found_and_named(database: Database, plant: SmallPlant, statement: str, says: str) -> None:
    head = sealed(database, plant)
    with database.transaction() as session:
        behind_the_trigger(session, statement)

    with database.transaction() as session:
        report = audit.verify(session, KEY, head)

    assert any(says in problem for problem in report.problems), report.problems


def test_a_chain_rewritten_without_the_key_does_not_hold(database: Database, plant: SmallPlant) -> None:
    head = sealed(database, plant)
    with database.transaction() as session:
        behind_the_trigger(session, "DELETE FROM audit_seals")
    with database.transaction() as session:
        audit.seal(session, b"another key")

    with database.transaction() as session:
        assert audit.verify(session, KEY, head).problems


def test_sealing_goes_on_where_it_stopped(database: Database, plant: SmallPlant) -> None:
    sealed(database, plant)
    seq, hash_ = sealed(database, plant)

    with database.transaction() as session:
        assert audit.seal(session, KEY) is None
        assert audit.verify(session, KEY, (seq, hash_)) == audit.Report(10, 0, ())


def test_the_command_says_so(
    database: Database, plant: SmallPlant, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(database, plant)
    with database.transaction() as session:
        head = audit.seal(session, audit.audit_key(settings))
        assert head is not None
        audit.note_head(audit.head_path(settings), head)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))

    assert audit.main(["verify"]) == 0
    assert "audit chain holds: 5 rows sealed, 0 waiting" in capsys.readouterr().out
    with database.transaction() as session:
        behind_the_trigger(session, "UPDATE audit_log SET actor = 'nobody' WHERE id = 3")
    assert audit.main(["verify"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_the_key_is_a_private_file_that_outlives_the_secret(settings: Settings) -> None:
    key = audit.audit_key(settings)
    path: Path = settings.data_dir / "audit.key"

    (settings.run_dir / "jwt_secret").unlink(missing_ok=True)

    assert audit.audit_key(settings) == key
    assert path.stat().st_mode & 0o777 == 0o600
