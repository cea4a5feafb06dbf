"""Where an embedded service keeps its files, and as whom it runs.

PostgreSQL refuses root, and an unprivileged service cannot work below a 0700 folder: as root there, files live in SYSTEM_DIR.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM_DIR = Path("/var/lib/sightline")
NOBODY = 65534
SOCKET_PATH_MAX = 90  # sun_path holds 107 bytes, the service's own file name included
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Home:
    """Folders of one instance: `data` for files, `sockets` (short path) for sockets; `uid` None = as we are."""

    data: Path
    sockets: Path
    uid: int | None

    def own(self, folder: Path) -> Path:
        """Make a 0700 folder that the service's user owns."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if self.uid is not None:
            os.chown(folder, self.uid, self.uid)
        return folder


def traversable(path: Path) -> bool:
    """True when every existing folder from `/` to `path` lets other users pass."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents] if folder.exists())


def home_for(data_dir: Path, is_root: bool | None = None) -> Home:
    """The folders of the instance whose DATA_DIR is given; creates them."""
    root = os.geteuid() == 0 if is_root is None else is_root
    mark = hashlib.sha256(str(data_dir).encode()).hexdigest()[:10]
    data_dir.mkdir(parents=True, exist_ok=True)
    data = SYSTEM_DIR / mark if root and not traversable(data_dir) else data_dir / "services"
    data.mkdir(parents=True, exist_ok=True)
    sockets = data / "s"
    if len(str(sockets)) > SOCKET_PATH_MAX:
        sockets = Path(tempfile.gettempdir()) / f"sightline-{os.geteuid()}-{mark}"
    sockets.mkdir(mode=0o755, parents=True, exist_ok=True)
    if sockets.stat().st_uid != os.geteuid():
        raise PermissionError(f"{sockets} belongs to another user; remove it or set DATA_DIR to a shorter path")
    return Home(data=data, sockets=sockets, uid=NOBODY if root else None)


def remove_home(data_dir: Path) -> list[Path]:
    """Remove every folder that `home_for` may have made for this DATA_DIR; returns those removed."""
    mark = hashlib.sha256(str(data_dir).encode()).hexdigest()[:10]
    candidates = [
        data_dir / "services",
        SYSTEM_DIR / mark,
        Path(tempfile.gettempdir()) / f"sightline-{os.geteuid()}-{mark}",
    ]
    found = [folder for folder in candidates if folder.exists()]
    for folder in found:
        shutil.rmtree(folder)
    return found


def _die_with_parent(number: signal.Signals) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def in_child() -> None:
        if hasattr(libc, "prctl"):  # Linux; elsewhere the service is stopped by the supervisor only
            libc.prctl(PR_SET_PDEATHSIG, int(number))

    return in_child


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    uid: int | None = None,
    dies_by: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
    folder: Path = Path("/"),
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group, output to `log` or to our own; it ends with us even after our kill -9.

    Call it from the main thread: the kernel ties the child to the thread that made it.
    """
    out = None
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        out = log.open("ab")
    try:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if out else None,
            cwd=folder,
            env=environment,
            user=uid,
            group=uid,
            extra_groups=[] if uid is not None else None,
            start_new_session=True,
            preexec_fn=_die_with_parent(dies_by),  # noqa: PLW1509 - from the main thread, before any other
        )
    finally:
        if out is not None:
            out.close()


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM, timeout_s: float = 8.0) -> None:
    """Ask a service to end and reap it; kill it when it does not."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
