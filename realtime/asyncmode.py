"""Which way the web process waits: patched eventlet or plain threads. The first import of app.py, before anything else.

Workers never import this: they are plain threads and processes.
"""

from __future__ import annotations

import sys
import warnings

TOO_EARLY = ("redis", "sqlalchemy", "psycopg2", "flask", "requests")


def patch(mode: str) -> None:
    """Make blocking calls green for `eventlet`; nothing for `threading`. Raises RuntimeError when imported too late."""
    if mode != "eventlet":
        return
    early = [name for name in TOO_EARLY if name in sys.modules]
    if early:
        raise RuntimeError(f"asyncmode.patch must come before the import of {', '.join(early)}")
    # Eventlet announces its retirement at each import; leaving is one setting (ASYNC_MODE), both modes are tested.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    import eventlet  # noqa: PLC0415 - only this mode needs it

    # No keyword: psycopg=True would mean psycopg only, and sockets would stay blocking (STACK.md 1.3).
    eventlet.monkey_patch()
