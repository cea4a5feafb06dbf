"""What a socket is answered when it may not or cannot have what it asked for. It decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from realtime.errors import SightlineError
from realtime.views import ViewRefused

log = logging.getLogger(__name__)

STORE_AWAY = (SightlineError, SQLAlchemyError, psycopg2.Error)


def refusal(code: str, message: str) -> dict[str, Any]:
    """`code` is for programs, the message for people."""
    return {"ok": False, "code": code, "error": message}


def answered(asked: str, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer, or why there is none."""
    try:
        return answer()
    except ViewRefused as refused:
        return refusal(refused.code, str(refused))
    except STORE_AWAY as error:
        log.warning("%s: the database is away: %s", asked, error)
        return refusal("unavailable", "the database does not answer; try again")
