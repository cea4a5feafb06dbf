"""Imported history goes through the recorder's own code, is marked, and may be imported again."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from realtime.batch_pipe import read_batches, write_batch
from realtime.errors import DecodeError
from realtime.events import Batch
from tests.realtime.batches import T0, series
from tests.realtime.test_recorder import rolled_up, stored

Import = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def run_import(environment: dict[str, str], fresh_postgres_url: str) -> Import:
    """Runs the program with these bytes as its input."""

    def run(piped: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        env = {**environment, "DATABASE_URL": fresh_postgres_url}
        return subprocess.run(
            [sys.executable, "-m", "realtime.backfill", *arguments], input=piped, env=env, capture_output=True, check=False
        )

    return run


@pytest.fixture
def database(fresh_postgres_url: str) -> Iterator[Any]:
    conn = psycopg2.connect(fresh_postgres_url)
    conn.autocommit = True
    yield conn
    conn.close()


def piped(*batches: Batch) -> bytes:
    pipe = io.BytesIO()
    for batch in batches:
        write_batch(pipe, batch)
    return pipe.getvalue()


def imports(conn: Any) -> list[tuple[Any, ...]]:
    with conn.cursor() as cur:
        cur.execute("SELECT origin, simulated, started, ended, readings FROM history_imports ORDER BY id")
        return list(cur.fetchall())


def test_batches_are_written_marked_and_written_again_without_effect(run_import: Import, database: Any) -> None:
    history = piped(series(1, [1.0, 2.0, 3.0]), series(2, [4.0], T0 - 86_400_000))

    first, second = run_import(history), run_import(history, "--origin", "old system", "--measured")

    assert (first.returncode, first.stdout, second.returncode) == (0, b"", 0)
    assert (stored(database), rolled_up(database)) == (4, 4)
    assert imports(database) == [("simulator", True, T0 - 86_400_000, T0 + 2000, 4), ("old system", False, T0 - 86_400_000, T0 + 2000, 0)]


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:-3], lambda whole: whole + b"\0\0\0\1\xc1", lambda whole: whole + b"\xff\xff\xff\xffx"]
)
def test_a_damaged_pipe_is_a_failure_with_a_reason(run_import: Import, damage: Callable[[bytes], bytes]) -> None:
    ended = run_import(damage(piped(series(1, [1.0]))))

    assert ended.returncode == 1
    assert b"stopped: " in ended.stderr


def test_a_batch_outside_history_is_a_failure_with_a_reason(run_import: Import, database: Any) -> None:
    ended = run_import(piped(series(1, [1.0], start=5)))

    assert ended.returncode == 1
    assert b"2000..2100" in ended.stderr
    assert stored(database) == 0


def test_without_a_database_it_fails(run_import: Import, environment: dict[str, str]) -> None:
    env = {**environment, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    ended = subprocess.run([sys.executable, "-m", "realtime.backfill"], input=b"", env=env, capture_output=True, check=False)

    assert ended.returncode == 1
    assert b"cannot start" in ended.stderr


def test_an_empty_pipe_is_no_import(run_import: Import, database: Any) -> None:
    assert run_import(b"").returncode == 0
    assert imports(database) == []


def test_batches_come_out_of_a_pipe_as_they_went_in() -> None:
    one, two = read_batches(io.BytesIO(piped(series(1, [1.0]), series(2, [2.0, 3.0]))))

    assert (one.numbers().tolist(), two.numbers().tolist()) == ([1.0], [2.0, 3.0])
    with pytest.raises(DecodeError):
        list(read_batches(io.BytesIO(b"\0\0")))
