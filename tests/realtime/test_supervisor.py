"""The supervisor starts the fallen again and leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from realtime.supervisor import Program, Supervisor
from tests.waiting import wait_for

ROOT = Path(__file__).parent.parent.parent


def forever(name: str, script: str = "import signal; signal.pause()") -> Program:
    """A program that does nothing, for long."""
    return Program(name, ["-c", script], dict(os.environ), ROOT)


def test_a_killed_program_is_started_again() -> None:
    supervisor = Supervisor()
    program = forever("sleeper")
    supervisor.add(program)
    first = program.process
    assert first is not None

    first.kill()

    def restarted() -> bool:
        supervisor.tend()
        return program.process is not first and program.process is not None and program.process.poll() is None

    wait_for(restarted, what="the second start")
    supervisor.stop()
    assert program.process is not None
    assert program.process.poll() is not None


def test_a_program_that_ignores_sigterm_is_killed() -> None:
    supervisor = Supervisor()
    deaf = forever("deaf", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()")
    supervisor.add(deaf)
    assert deaf.process is not None
    pid = deaf.process.pid
    wait_for(lambda: _ignores_sigterm(pid), what="the handler")

    supervisor.stop()

    assert deaf.process.returncode == -signal.SIGKILL


def _ignores_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn:")).split()[1], 16)
    return bool(ignored & (1 << (signal.SIGTERM - 1)))


def test_children_die_with_a_killed_parent() -> None:
    script = (
        "import sys; sys.path.insert(0, '.');"
        "from realtime.embedded.home import spawn;"
        "p = spawn([sys.executable, '-c', 'import signal; signal.pause()']); print(p.pid, flush=True); p.wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())

    parent.kill()
    parent.wait()
    parent.stdout.close()

    wait_for(lambda: not _alive(child), what="the child's end")


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
