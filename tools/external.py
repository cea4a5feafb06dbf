"""`make test-external`: the tests against servers that others run, named by TEST_DATABASE_URL, TEST_REDIS_URL, TEST_MQTT_URL.

Makes and drops its own databases, bus prefixes and topic prefixes; leaves out tests that kill, flush or fill a service, and
(tests/conftest.py) those that ask for no server at all.
"""

from __future__ import annotations

import os
import subprocess
import sys

NEEDED = ("TEST_DATABASE_URL", "TEST_REDIS_URL", "TEST_MQTT_URL")
FOLDERS = ("tests/realtime", "tests/plc", "tests/ml", "tests/server", "tests/ar_feed", "tests/flow")


def main() -> None:
    """Run pytest; its exit code is ours."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        sys.exit(f"sightline: set {', '.join(missing)}; docs/testing.md says how")
    workers = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
    command = [sys.executable, "-m", "pytest", *workers, "-m", "not owns_services and not browser and not peer"]
    environment = os.environ | {"SIGHTLINE_TEST_EXTERNAL": "1"}
    sys.exit(subprocess.run([*command, *FOLDERS], env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
