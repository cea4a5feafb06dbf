"""CPU work of a request in a real thread where the process is patched: the hub goes on serving the others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def off_the_hub(act: Callable[..., T], *args: Any) -> T:
    """Run in a real thread when this process is patched by eventlet, else here."""
    if "eventlet" not in sys.modules:
        return act(*args)
    from eventlet import patcher, tpool  # noqa: PLC0415 - only where app.py has patched

    if not patcher.is_monkey_patched("thread"):
        return act(*args)
    result: T = tpool.execute(act, *args)
    return result
