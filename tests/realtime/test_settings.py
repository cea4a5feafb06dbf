"""Settings are refused at start with the key and the reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.errors import SettingsError
from realtime.settings import TABLE, load, require, sqlalchemy_url


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("ASYNC_MODE", "gevent!"),
        ("DEMO", "perhaps"),
        ("DATABASE_URL", "sqlite:///x.db"),
        ("REDIS_URL", "localhost"),
        ("MQTT_URL", "tcp://broker"),
        ("ADMIN_PASSWORD", "short"),
        ("JWT_SECRET", "secret"),
        ("BUS_PREFIX", "a b"),
        ("ANOMALY_CONTAMINATION", "1.5"),
        ("CUSUM_H", "high"),
    ],
)
def test_a_wrong_value_is_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({key: value}, None)

    assert refused.value.key == key


@pytest.mark.parametrize("key", ["ADMIN_PASSWORD", "JWT_SECRET"])
def test_a_refused_secret_is_not_repeated(key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({key: "hunter2"}, None)

    assert "hunter2" not in str(refused.value)


def test_an_unknown_key_in_the_env_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=5001\nPROT=5002\n")

    with pytest.raises(SettingsError) as refused:
        load({}, tmp_path / ".env")

    assert refused.value.key == "PROT"
    assert "line 2" in refused.value.reason


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ours\nPORT=5001\nNUM_MACHINES='5'\n")

    settings = load({"PORT": "5003"}, tmp_path / ".env")

    assert (settings.port, settings.num_machines) == (5003, 5)


def test_old_spellings_are_accepted() -> None:
    settings = load({"MQTT_BROKER": "10.0.0.9", "MQTT_PORT": "1884", "SIMULATOR_ENABLED": "true"}, None)

    assert (settings.mqtt_url, settings.demo) == ("mqtt://10.0.0.9:1884", True)


def test_database_url_works_for_both_libraries() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg2"):
        settings = load({"DATABASE_URL": f"{scheme}://u@h/d"}, None)
        assert settings.database_url == "postgresql://u@h/d"
    assert sqlalchemy_url("postgresql://u@h/d") == "postgresql+psycopg2://u@h/d"


def test_endpoints_of_the_embedded_services_fill_what_is_unset(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "endpoints.json").write_text(json.dumps({"redis_url": "unix:///x?db=0", "database_url": "postgresql://e/e"}))

    settings = load({"DATA_DIR": str(tmp_path), "DATABASE_URL": "postgresql://mine/d"}, None)

    assert (settings.redis_url, settings.database_url) == ("unix:///x?db=0", "postgresql://mine/d")


def test_a_missing_service_is_named() -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        require(load({}, None), "redis_url")


def test_lan_binds_every_address() -> None:
    assert (load({}, None).host, load({"LAN": "1"}, None).host) == ("127.0.0.1", "0.0.0.0")


def test_names_of_the_earlier_systems_are_kept() -> None:
    keys = {setting.key for setting in TABLE}

    assert keys >= {
        "DATABASE_URL",
        "AGGREGATION_WINDOW_SECONDS",
        "ANOMALY_CONTAMINATION",
        "ANOMALY_WARNING_THRESHOLD",
        "ANOMALY_CRITICAL_THRESHOLD",
        "CUSUM_K",
        "CUSUM_H",
        "STUCK_SENSOR_MINUTES",
        "JWT_SECRET",
        "JWT_EXPIRY_HOURS",
        "SMTP_HOST",
        "SMTP_PORT",
        "SMTP_USER",
        "SMTP_PASSWORD",
    }


def test_run_refuses_to_start_with_one_line(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent.parent
    environment = {"PORT": "none", "DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}

    done = subprocess.run([sys.executable, "run.py"], cwd=root, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert done.stderr.strip().startswith("sightline: PORT:")
    assert "Traceback" not in done.stderr
