"""Set-up: one command from an empty database to a plant with a past; the second run changes nothing; the demo can be taken out."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ar_feed.words import lint, screen_faults
from plc.addressing import opcua, s7
from plc.simulator import signals
from plc.simulator.history import FULL_MS
from realtime.bus import Bus, connect, now_ms
from realtime.historian import latest
from server.auth.passwords import is_right
from server.database import Database
from server.demo import plant
from server.demo.procedures import POLICIES, PROCEDURES
from server.store import background
from server.worker import Folder
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
UNDER_WAY = "state IN ('queued', 'running')"


def set_up(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "server.setup", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


@pytest.fixture(scope="module")
def demo(new_database: Callable[[str | None], str], redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of an instance whose demo plant has just been set up from an empty database."""
    data = tmp_path_factory.mktemp("demo")
    (data / "run").mkdir()
    (data / "run" / "simulator.json").write_text(json.dumps({"s7_port": 10102, "opcua_port": 14840}))
    environment = {
        "PATH": "/usr/bin:/bin",
        "SIGHTLINE_ENV_FILE": "none",
        "DATABASE_URL": new_database(None),
        "REDIS_URL": redis_url,
        "BUS_PREFIX": f"setup{data.name}".replace("_", "-"),
        "DATA_DIR": str(data),
        "DEMO": "1",
        "N_ESTIMATORS": "20",
    }
    done = set_up(environment)
    assert done.returncode == 0, done.stderr
    yield environment
    client = connect(redis_url)
    for key in client.scan_iter(environment["BUS_PREFIX"] + ":*"):
        client.delete(key)
    client.close()


def rows(environment: dict[str, str], query: str, *values: Any) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(environment["DATABASE_URL"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()
    finally:
        connection.close()


def bus_of(environment: dict[str, str]) -> Bus:
    return Bus(connect(environment["REDIS_URL"]), environment["BUS_PREFIX"])


def test_plant_snapshot_is_published_whole(demo: dict[str, str]) -> None:
    snapshot = bus_of(demo).config()

    assert snapshot is not None
    assert [a.code for a in snapshot.assets] == ["PL-1", "M1", "M2", "M3", "PT-101", "TT-201", "FT-301", "LT-401", "DMLS-1"]
    assert {s.name: s.kind for s in snapshot.sources} == {"press-s7": "s7", "plant-mqtt": "mqtt", "dmls-opcua": "opcua"}
    assert next(s for s in snapshot.sources if s.name == "press-s7").config["port"] == 10102
    assert all(b.confirmed and b.end - b.start == FULL_MS for a in snapshot.assets for b in a.baselines)
    assert all(len(a.baselines) == 1 for a in snapshot.assets)
    vibration = snapshot.tag_by_name()["M2.vibration"]
    assert [(x.severity, x.value, x.confirmed) for x in vibration.limits] == [("warning", 4.5, True), ("critical", 7.1, True)]
    assert (vibration.stuck_s, vibration.drift, vibration.period_s) == (30.0, True, 3.0)
    fault_code = snapshot.tag_by_name()["PL-1.fault_code"]
    assert (fault_code.stuck_s, fault_code.drift, fault_code.joint) == (None, False, False)


def test_history_reaches_back_48_hours_and_up_to_now(demo: dict[str, str]) -> None:
    snapshot = bus_of(demo).config()
    assert snapshot is not None
    numbers = [t.id for t in snapshot.tags if t.kind == "f64" and t.role != "command"]  # nobody asked for anything in the past

    span = {tag: (first, last) for tag, first, last in rows(demo, "SELECT tag, min(t), max(t) FROM raw_readings GROUP BY tag")}

    assert set(span) == set(numbers)
    assert all(last - first > 47.9 * 3_600_000 for first, last in span.values())
    assert all(now_ms() - last < 120_000 for _, last in span.values())
    assert rows(demo, "SELECT simulated FROM history_imports WHERE origin = 'demo'") == [(True,)]
    connection = psycopg2.connect(demo["DATABASE_URL"])
    assert set(latest(connection, numbers)) == set(numbers)
    connection.close()


def test_machines_are_trained_once_on_the_seeded_history(demo: dict[str, str]) -> None:
    machines = [("DMLS-1",), ("M1",), ("M2",), ("M3",), ("PL-1",)]
    asked = "SELECT a.code FROM background_jobs j JOIN assets a ON a.id = (j.args->>'asset')::int WHERE j.queue = 'ml' ORDER BY a.code"
    assert rows(demo, asked) == machines
    database, bus = Database(demo["DATABASE_URL"], pool_size=1), bus_of(demo)
    folder = Folder(database, bus, 60.0)
    folder.open()
    with database.transaction() as session:
        background.hand_out(session, bus)
    worker = subprocess.Popen([sys.executable, "-m", "ml.jobs"], env=demo, cwd=ROOT)
    try:
        wait_for(lambda: folder.run_once(100) >= 0 and not rows(demo, f"SELECT 1 FROM background_jobs WHERE {UNDER_WAY}"), 100, "training")
    finally:
        worker.terminate()
        worker.wait(15)
        database.close()

    assert rows(demo, "SELECT DISTINCT state, message, created_by FROM background_jobs") == [("done", "trained", "demo")]
    trained = rows(demo, "SELECT a.code FROM ml_model_versions v JOIN assets a ON a.id = v.asset_id WHERE NOT v.active ORDER BY a.code")
    kept = rows(demo, "SELECT a.code FROM ml_model_artefacts k JOIN assets a ON a.id = k.asset WHERE k.version = 1 ORDER BY a.code")
    assert trained == kept == machines


def test_second_run_changes_nothing(demo: dict[str, str]) -> None:
    before = counts(demo)
    version = bus_of(demo).config_version()

    done = set_up(demo)

    assert done.returncode == 0, done.stderr
    assert counts(demo) == before
    assert bus_of(demo).config_version() == version


def test_logins_are_private_and_right(demo: dict[str, str]) -> None:
    run = Path(demo["DATA_DIR"]) / "run"
    logins = json.loads((run / "demo-logins.json").read_text())
    admin = json.loads((run / "first-login.json").read_text())

    assert {n: login["role"] for n, login in logins.items()} == {
        "1001": "manager",
        "2001": "technician",
        "2002": "technician",
        "3001": "operator",
    }
    for path in run.glob("*-login*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stored = dict(rows(demo, "SELECT employee_number, password_hash FROM users"))
    for number, login in {**logins, **admin}.items():
        assert is_right(stored[number], login["password"])
    assert rows(demo, "SELECT must_change_password FROM users WHERE employee_number = 'admin'") == [(True,)]


def test_baselines_are_audited_as_demo(demo: dict[str, str]) -> None:
    audited = rows(demo, "SELECT count(*) FROM audit_log WHERE actor = 'demo' AND action = 'baseline.confirm'")

    assert audited == rows(demo, "SELECT count(*) FROM baselines WHERE confirmed AND confirmed_by = 'demo'") == [(9,)]


def test_instruments_have_calibrations_as_found_and_as_left(demo: dict[str, str]) -> None:
    found = rows(
        demo,
        "SELECT i.tag, count(*), bool_and(jsonb_array_length(c.as_found) = 5 AND jsonb_array_length(c.as_left) = 5),"
        " max(i.calibration_due) > now()"
        " FROM instruments i JOIN calibration_records c ON c.instrument_id = i.id GROUP BY i.tag ORDER BY i.tag",
    )

    assert [row[0] for row in found] == ["FT-301", "LT-401", "PT-101", "TT-201"]
    assert all(n >= 2 and whole and not_overdue for _, n, whole, not_overdue in found)


def test_lost_login_file_makes_new_passwords(demo: dict[str, str]) -> None:
    path = Path(demo["DATA_DIR"]) / "run" / "demo-logins.json"
    old = json.loads(path.read_text())
    path.unlink()

    assert set_up(demo).returncode == 0

    new = json.loads(path.read_text())
    assert set(new) == set(old)
    stored = dict(rows(demo, "SELECT employee_number, password_hash FROM users"))
    assert all(is_right(stored[n], new[n]["password"]) and not is_right(stored[n], old[n]["password"]) for n in new)


def test_new_ports_reach_the_sources(demo: dict[str, str]) -> None:
    (Path(demo["DATA_DIR"]) / "run" / "simulator.json").write_text(json.dumps({"s7_port": 10103, "opcua_port": 14841}))

    assert set_up(demo).returncode == 0

    snapshot = bus_of(demo).config()
    assert snapshot is not None
    configs = {s.name: s.config for s in snapshot.sources}
    assert configs["press-s7"]["port"] == 10103
    assert configs["dmls-opcua"]["url"] == "opc.tcp://127.0.0.1:14841/"


def test_removing_the_demo_leaves_no_trace_but_the_audit_and_the_admin(demo: dict[str, str]) -> None:
    connection = psycopg2.connect(demo["DATABASE_URL"])
    with connection, connection.cursor() as cursor:  # a forgotten password's mail hangs on no row of the site
        cursor.execute("UPDATE users SET email = 'fontaine@plant.example' WHERE employee_number = '1001'")
        mail = "INSERT INTO mail_outbox (key, recipient, subject, text, created_at, due_at) VALUES ('reset:1', %s, 's', 't', now(), now())"
        cursor.execute(mail, ("fontaine@plant.example",))
    connection.close()

    done = set_up(demo, "--remove-demo")

    assert done.returncode == 0, done.stderr
    left = {name: n for name, n in counts(demo).items() if n}
    for kept in ("alembic_version", "audit_log", "counters", "history_state", "outbox", "plant_version"):
        left.pop(kept, None)
    assert left == {"users": 1, "sites": 1}
    assert rows(demo, "SELECT s.demo FROM users u JOIN sites s ON s.id = u.site_id WHERE u.employee_number = 'admin'") == [(False,)]
    snapshot = bus_of(demo).config()
    assert snapshot is not None
    assert (snapshot.tags, snapshot.assets, snapshot.sources) == ([], [], [])
    assert not (Path(demo["DATA_DIR"]) / "run" / "demo-logins.json").exists()


def counts(environment: dict[str, str]) -> dict[str, int]:
    tables = rows(
        environment, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    return {name: rows(environment, f"SELECT count(*) FROM {name}")[0][0] for (name,) in tables}


def test_without_demo_there_is_an_admin_and_nothing_else(environment: dict[str, str], bare_postgres_url: str) -> None:
    plain = {**environment, "DATABASE_URL": bare_postgres_url, "ADMIN_PASSWORD": "a long enough secret"}

    done = set_up(plain)

    assert done.returncode == 0, done.stderr
    ((number, stored, must_change),) = rows(plain, "SELECT employee_number, password_hash, must_change_password FROM users")
    assert number == "admin"
    assert not must_change
    assert is_right(stored, "a long enough secret")
    assert not (Path(plain["DATA_DIR"]) / "run" / "first-login.json").exists()
    assert rows(plain, "SELECT count(*) FROM assets") == [(0,)]


def test_simulator_and_seed_speak_of_the_same_tags() -> None:
    seeded = {tag.name: tag for asset in plant.assets() for tag in asset.tags}
    simulated = {**signals.plant_signals()}

    for name, signal in simulated.items():
        assert seeded[name].unit == signal.unit
        assert seeded[name].top == signal.top
    statistics = {f"{signals.PLATE}.{s}" for s in ("min", "max", "mean", "std")}
    assert set(seeded) == {*simulated, *signals.PRESS_STATE, signals.PLATE, *statistics, "PL-1.maint_request"}


def test_default_drift_stays_inside_the_limits_and_overheating_leaves_them() -> None:
    seeded = {tag.name: tag for asset in plant.assets() for tag in asset.tags}

    for name, signal in signals.plant_signals().items():
        warning = seeded[name].normal("high")
        assert warning is not None
        assert signal.level + signal.drift < warning
        if signal.heat > 10:
            assert signal.level + signal.heat > warning + 1


def test_addresses_of_the_seed_can_be_parsed() -> None:
    for asset in plant.assets():
        for tag in asset.tags:
            if tag.source == "press-s7":
                assert s7.parse(tag.address).db == (0 if tag.role == "command" else 10)
            elif tag.address:
                assert opcua.parse(tag.address).uri == "urn:sightline:demo:dmls"


@pytest.mark.parametrize("procedure", PROCEDURES, ids=lambda p: p.code)
def test_procedure_speaks_by_the_rules_of_the_feed(procedure: Any) -> None:
    assert lint(procedure.steps) == []
    for step in procedure.steps:
        assert len(step["t"]) <= 120
        assert len(json.dumps(step, separators=(",", ":"))) <= 420
        own = [step["say"]] if step.get("say") else []
        assert screen_faults([*own, "REPORT PROBLEM", "GO BACK", "SHOW PICTURE", "PAUSE TASK"]) == []
    ids = {step["id"] for step in procedure.steps}
    assert {option["go"] for step in procedure.steps for option in step.get("opt", []) if "go" in option} <= ids | {"end"}
    assert procedure.safety
    assert len(procedure.title) <= 60


def test_most_procedures_measure_a_live_value() -> None:
    measuring = [p for p in PROCEDURES if any(s["k"] == "measure" and s["in"]["tag"] for s in p.steps)]

    assert len(measuring) >= 3


def test_policy_names_procedures_and_classes_that_exist() -> None:
    codes = {p.code for p in PROCEDURES}

    assert {rule.procedure for rule in POLICIES if rule.procedure} <= codes
    assert {rule.class_name for rule in POLICIES if rule.class_name} <= set(plant.CLASSES)
