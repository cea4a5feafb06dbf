"""The audit trail: nothing changes it, and what changes it behind the trigger's back is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from realtime.settings import Settings
from server import audit, audit_chain, audit_files, audit_watch
from server.audit import Change
from server.audit_check import Report, verify
from server.auth.principal import Principal
from server.database import Database
from server.models.audit import AuditLog
from server.models.jobs import BackgroundJob
from server.models.notifications import Notification
from server.models.people import User
from server.sealing import WHOLE_EVERY, Sealer
from server.store.actor import SYSTEM, Actor
from tests.server.small_plant import NOW, SmallPlant

KEY = b"k" * 32


def write(database: Database, plant: SmallPlant, n: int = 8) -> None:
    for number in range(n):
        with database.transaction() as session:
            change = Change("rename", "asset", plant.pump, plant.site, {"name": number}, {"name": number + 1, "x": 0.1 + number})
            audit.record(session, change, plant["manager"], NOW)


def seal(database: Database, key: bytes = KEY) -> None:
    with database.transaction() as session:
        audit.seal(session, key)


@pytest.fixture
def sealer(database: Database, tmp_path: Path) -> Sealer:
    return Sealer(database, KEY, tmp_path / "audit.head")


def verified(database: Database, sealer: Sealer) -> Report:
    head = audit_files.read_head(sealer.head)
    with database.transaction() as session:
        return verify(session, KEY, head, audit_files.read_anchors(audit_files.anchors_path(sealer.head)))


def behind_the_trigger(session: Session, *statements: str) -> None:
    session.execute(text("SET LOCAL session_replication_role = replica"))  # what a superuser with bad intent would do
    for statement in statements:
        session.execute(text(statement))


@pytest.mark.parametrize("table", ["audit_log", "audit_seals"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_tables_refuse_every_change(database: Database, plant: SmallPlant, table: str, statement: str) -> None:
    write(database, plant)
    seal(database)
    column = "actor" if table == "audit_log" else "hash"

    with pytest.raises(ProgrammingError, match="append-only"), database.transaction() as session:
        session.execute(text(statement.format(table, column, column)))


def test_an_untouched_chain_holds_and_counts_what_waits(database: Database, plant: SmallPlant, sealer: Sealer) -> None:
    write(database, plant)
    sealer.run(NOW)
    write(database, plant, 2)

    assert verified(database, sealer) == Report(8, 2, ())


INSERT = "INSERT INTO audit_log (at, actor, actor_id, actor_kind, action, thing) VALUES"


@dataclass(frozen=True)
class Tampering:
    """What a superuser does to eight sealed rows, and what verification says of it."""

    statements: tuple[str, ...]
    says: str
    goes_on: bool = False  # the worker seals again afterwards


TAMPERINGS = {
    "a name": Tampering(("UPDATE audit_log SET actor = 'nobody' WHERE id = 3",), "seal 3: audit row 3"),
    "a time by a microsecond": Tampering(("UPDATE audit_log SET at = at + interval '1 us' WHERE id = 5",), "seal 5: audit row 5"),
    "a reason put in": Tampering(("UPDATE audit_log SET reason = 'agreed' WHERE id = 4",), "seal 4: audit row 4"),
    "through what it was done": Tampering(("UPDATE audit_log SET actor_kind = NULL WHERE id = 4",), "seal 4: audit row 4"),
    "the old value": Tampering(("UPDATE audit_log SET old = '{\"name\": 99}' WHERE id = 2",), "seal 2: audit row 2"),
    "the new value, a hair": Tampering(
        ("UPDATE audit_log SET new = jsonb_set(new, '{x}', '1.1000001') WHERE id = 2",), "seal 2: audit row 2"
    ),
    "a value to nothing": Tampering(("UPDATE audit_log SET new = NULL WHERE id = 6",), "seal 6: audit row 6"),
    "a row in the middle gone": Tampering(("DELETE FROM audit_log WHERE id = 4",), "seal 4: audit row 4 is gone"),
    "a row and its seal gone": Tampering(
        ("DELETE FROM audit_seals WHERE seq = 4", "DELETE FROM audit_log WHERE id = 4"), "seal 4 is missing; 5 follows"
    ),
    "a row and its seal gone, the later seals moved up": Tampering(
        ("DELETE FROM audit_seals WHERE seq = 4", "DELETE FROM audit_log WHERE id = 4", "UPDATE audit_seals SET seq = -seq WHERE seq > 4",
         "UPDATE audit_seals SET seq = -seq - 1 WHERE seq < 0"),
        "seal 4: audit row 5",
    ),
    "the last rows gone with their seals": Tampering(
        ("DELETE FROM audit_seals WHERE seq > 6", "DELETE FROM audit_log WHERE id > 6"), "the chain ends at seal 6, but seal 8 was noted"
    ),
    "the last rows gone, others written since": Tampering(
        ("DELETE FROM audit_seals WHERE seq > 6", "DELETE FROM audit_log WHERE id > 6",
         *(f"{INSERT} ('{NOW.isoformat()}', 'L.Fontaine', 1, 'user', 'rename', 'asset')" for _ in range(4))),
        "seal 8 is not the one that was anchored",
        goes_on=True,
    ),
    "a row taken out and put at the end": Tampering(
        ("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM audit_log WHERE id = 4", "DELETE FROM audit_log WHERE id = 4",
         "UPDATE kept SET id = 9", "INSERT INTO audit_log OVERRIDING SYSTEM VALUE SELECT * FROM kept"),
        "seal 4: audit row 4 is gone",
        goes_on=True,
    ),
    "two rows change places": Tampering(
        ("UPDATE audit_log SET id = -3 WHERE id = 3", "UPDATE audit_log SET id = 3 WHERE id = 6",
         "UPDATE audit_log SET id = 6 WHERE id = -3"),
        "seal 3: audit row 3",
    ),
    "two seals change places": Tampering(
        ("UPDATE audit_seals SET audit_id = -3 WHERE seq = 3", "UPDATE audit_seals SET audit_id = 3 WHERE seq = 6",
         "UPDATE audit_seals SET audit_id = 6 WHERE seq = 3"),
        "seal 3: audit row 6",
    ),
    "a seal's hash": Tampering(("UPDATE audit_seals SET hash = repeat('a', 64) WHERE seq = 1",), "seal 1: audit row 1"),
    "a row of last week written in today": Tampering(
        (f"{INSERT} ('{(NOW - timedelta(days=7)).isoformat()}', 'L.Fontaine', 1, 'user', 'approve', 'calibration')",),
        "bears 2026-11-13 14:00:00, long before its forerunner",
        goes_on=True,
    ),
    "a person's row under the name of the system": Tampering(
        (f"{INSERT} ('{NOW.isoformat()}', 'System ', 7, 'user', 'approve', 'calibration')",),
        "bears the name System , but user 7 wrote it",
        goes_on=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_found_and_the_first_bad_row_is_named(database: Database, plant: SmallPlant, sealer: Sealer, what: str) -> None:
    write(database, plant)
    sealer.run(NOW)
    assert verified(database, sealer).problems == ()
    with database.transaction() as session:
        behind_the_trigger(session, *TAMPERINGS[what].statements)
    if TAMPERINGS[what].goes_on:
        sealer.run(NOW + WHOLE_EVERY)

    problems = verified(database, sealer).problems

    assert problems
    assert TAMPERINGS[what].says in problems[0]


def test_an_older_database_put_back_is_found_though_the_worker_went_on(database: Database, plant: SmallPlant, sealer: Sealer) -> None:
    write(database, plant)
    sealer.run(NOW)
    with database.transaction() as session:  # as the dump of an hour ago would leave it
        behind_the_trigger(session, "DELETE FROM audit_seals WHERE seq > 5", "DELETE FROM audit_log WHERE id > 5")
    write(database, plant, 1)
    sealer.run(NOW + WHOLE_EVERY)

    report = verified(database, sealer)

    assert report.sealed == 6
    assert report.problems == ("the chain ends at seal 6, but seal 8 was noted: its end was cut off, or an older database was put back",)


def test_a_chain_rewritten_without_the_key_does_not_hold(database: Database, plant: SmallPlant, sealer: Sealer) -> None:
    write(database, plant)
    sealer.run(NOW)
    with database.transaction() as session:
        behind_the_trigger(session, "DELETE FROM audit_seals")
    seal(database, b"another key")

    assert "seal 1: audit row 1" in verified(database, sealer).problems[0]


def test_rows_written_in_the_same_moment_have_one_order(database: Database, plant: SmallPlant, sealer: Sealer) -> None:
    write(database, plant)  # all eight bear NOW
    sealer.run(NOW)
    with database.transaction() as session:
        behind_the_trigger(
            session,
            "UPDATE audit_log SET id = -id WHERE id IN (4, 5)",
            "UPDATE audit_log SET id = 9 + id WHERE id < 0",  # 4 becomes 5, 5 becomes 4
        )

    assert "seal 4: audit row 4" in verified(database, sealer).problems[0]


def test_sealing_goes_on_where_it_stopped(database: Database, plant: SmallPlant, sealer: Sealer) -> None:
    write(database, plant)
    sealer.run(NOW)
    write(database, plant, 2)

    assert sealer.run(NOW + timedelta(seconds=1)) == 10
    assert sealer.run(NOW + timedelta(seconds=2)) is None
    assert verified(database, sealer) == Report(10, 0, ())


def test_a_row_that_commits_late_is_sealed_though_later_ones_were(database: Database, plant: SmallPlant, sealer: Sealer) -> None:
    with database.transaction() as slow:
        audit.record(slow, Change("import", "asset", 1), SYSTEM, NOW)
        slow.flush()
        write(database, plant, 2)
        sealer.run(NOW)
        sealer.run(NOW + WHOLE_EVERY / 2)

    sealer.run(NOW + WHOLE_EVERY / 2 + timedelta(seconds=1))

    assert verified(database, sealer) == Report(3, 0, ())


def test_anchors_are_only_ever_added_each_ten_minutes_and_thousand_rows(database: Database, plant: SmallPlant, sealer: Sealer) -> None:
    path = audit_files.anchors_path(sealer.head)
    minutes = [0, 5, 11, 12, 30]
    for minute in minutes:
        write(database, plant, 1)
        sealer.run(NOW + timedelta(minutes=minute))
    assert [anchor.seq for anchor in audit_files.read_anchors(path)] == [1, 3, 5]
    before = path.read_text("ascii")

    audit_files.note_head(sealer.head, 5 + audit_files.ANCHOR_ROWS, "f" * 64)
    audit_files.anchor_if_due(sealer.head, NOW + timedelta(minutes=31))

    assert path.read_text("ascii").startswith(before)
    assert audit_files.read_anchors(path)[-1].seq == 5 + audit_files.ANCHOR_ROWS
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("by", "kind"),
    [
        (SYSTEM, "system"),
        (Actor(3, "A. Benali", "technician", 1), "user"),
        (Principal(3, "A. Benali", "technician", frozenset(), 1, "paired"), "paired"),
        (Principal(3, "A. Benali", "technician", frozenset(), 1, "api"), "api"),
        (Principal(3, "J. Dupont (ACME)", "technician", frozenset(), 1, "contractor"), "contractor"),
    ],
)
def test_a_row_says_who_through_what_when_and_why(database: Database, by: Actor | Principal, kind: str) -> None:
    with database.transaction() as session:
        audit.record(session, Change("accept", "calibration", 9, 1, {"a": 1}, {"a": 2}, reason="new standard"), by, NOW)
    with database.transaction() as session:
        row = session.query(AuditLog).one()

    assert (row.actor, row.actor_id, row.actor_kind, row.at, row.reason) == (by.name, by.id, kind, NOW, "new standard")
    assert (row.old, row.new) == ({"a": 1}, {"a": 2})


def test_rows_from_before_the_reason_existed_still_verify(database: Database, plant: SmallPlant, sealer: Sealer) -> None:
    with database.transaction() as session:
        session.add(AuditLog(at=NOW, actor="A", actor_id=None, action="open", thing="x", new={"b": 1, "a": 2.5}))
    sealer.run(NOW)
    row = ["1", "2026-11-20 14:00:00", "A", None, "open", "x", None, None, None, '{"a": 2.5, "b": 1}', None, None]

    assert audit_chain.canonical(row) == b'[1,"2026-11-20T14:00:00.000000+00:00","A",null,"open","x",null,null,null,{"a":2.5,"b":1}]'
    assert verified(database, sealer) == Report(1, 0, ())


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)  # the API refuses the rest
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | words
nested = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6)


@given(values=st.dictionaries(words, nested, max_size=4), actor=words, reason=st.none() | words)
@hypothesis_settings(max_examples=60)
def test_whatever_is_written_is_sealed_and_verifies(
    module_database: Database, values: dict[str, object], actor: str, reason: str | None
) -> None:
    by = Actor(1, f"P{actor}", "technician", 1)
    with module_database.transaction() as session:
        audit.record(session, Change("x", "y", 1, 1, None, values, reason=reason), by, NOW)
    seal(module_database)

    with module_database.transaction() as session:
        report = verify(session, KEY)

    assert (report.unsealed, report.problems) == (0, ())


@pytest.fixture(scope="module")
def module_database(fresh_module_url: str) -> Database:
    return Database(fresh_module_url, pool_size=2)


@pytest.fixture(scope="module")
def fresh_module_url(new_database: Callable[[str | None], str], template_database: str) -> str:
    return new_database(template_database)


def test_the_command_says_so(
    database: Database, plant: SmallPlant, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(database, plant, 5)
    Sealer(database, audit_files.audit_key(settings), audit_files.head_path(settings)).run(NOW)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))

    assert audit.main(["verify"]) == 0
    assert "audit chain holds: 5 rows sealed, 0 waiting" in capsys.readouterr().out
    with database.transaction() as session:
        behind_the_trigger(session, "UPDATE audit_log SET actor = 'nobody' WHERE id = 3")
    assert audit.main(["verify"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_the_nightly_check_is_asked_for_once_and_found_on_health(
    database: Database, plant: SmallPlant, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(database, plant, 5)
    Sealer(database, audit_files.audit_key(settings), audit_files.head_path(settings)).run(NOW)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DATA_DIR", str(settings.data_dir))
    night = datetime.now(UTC).replace(hour=audit_watch.HOUR, minute=1) + timedelta(days=1)
    for _ in range(2):
        with database.transaction() as session:
            audit_watch.nightly(session, night)
    with database.transaction() as session:
        (job,) = session.query(BackgroundJob.id).filter(BackgroundJob.name == audit_watch.JOB).one()
        before = audit_watch.state(session, settings, NOW)

    audit_watch.run_job(job)

    with database.transaction() as session:
        found = audit_watch.state(session, settings, datetime.now(UTC))
    assert (before["checked_at"], before["ok"]) == (None, None)
    assert (found["ok"], found["sealed"], found["problems"]) == (True, 5, [])
    assert found["anchor"]["seq"] == 5
    assert 0 <= found["age_s"] < 3600


def test_admins_are_told_of_a_trail_that_does_not_hold(database: Database, plant: SmallPlant, settings: Settings) -> None:
    write(database, plant, 5)
    Sealer(database, audit_files.audit_key(settings), audit_files.head_path(settings)).run(NOW)
    with database.transaction() as session:
        session.get_one(User, plant["manager"].id).role = "admin"
        behind_the_trigger(session, "UPDATE audit_log SET actor = 'nobody' WHERE id = 3")

    found = audit_watch.check(database, settings)

    with database.transaction() as session:
        told = session.query(Notification).filter(Notification.kind == "audit_broken").all()
        assert [(one.user_id, "audit row 3" in one.body) for one in told] == [(plant["manager"].id, True)]
    assert (found["ok"], "audit row 3" in found["problems"][0]) == (False, True)


def test_the_key_is_a_private_file_that_outlives_the_secret(settings: Settings) -> None:
    key = audit_files.audit_key(settings)
    path: Path = settings.data_dir / "audit.key"

    (settings.run_dir / "jwt_secret").unlink(missing_ok=True)

    assert audit_files.audit_key(settings) == key
    assert path.stat().st_mode & 0o777 == 0o600
