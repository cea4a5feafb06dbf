"""An rq worker as one of our programs: listed functions only, JSON, a heartbeat, a clean stop, and back when Redis is.

A queue's full name is `<BUS_PREFIX>.<queue>`, so that two instances may share a Redis.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any, ClassVar

import redis
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from realtime.bus import Bus, connect
from realtime.errors import BusUnavailable
from realtime.settings import Settings
from realtime.supervise import HEARTBEAT_EVERY_S, Heartbeat, backoff

log = logging.getLogger("jobs")


class ListedJob(Job):
    """A job whose function is listed; another one fails with its name: whoever reaches Redis could queue any."""

    listed: ClassVar[frozenset[str]] = frozenset()

    @property
    def func(self) -> Callable[..., Any]:
        """The function to call."""
        if self.func_name not in self.listed:
            raise ValueError(f"{self.func_name} is no job of this worker")
        function: Callable[..., Any] = super().func
        return function


class StoppableWorker(Worker):
    """rq's worker, which also tells us that a signal ended it (and not a lost connection)."""

    def __init__(self, *args: Any, stop: threading.Event, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stop = stop

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT: finish the job in hand, then go."""
        self.stop.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def queue_name(bus_prefix: str, queue: str) -> str:
    """The rq queue of this instance."""
    return f"{bus_prefix}.{queue}"


def enqueue(bus: Bus, queue: str, function: str, job_id: str, *args: Any) -> None:
    """Put a call into a queue; the same job_id again changes nothing. Raises BusUnavailable."""
    try:
        if Job.exists(job_id, connection=bus.client):
            return
        named = Queue(queue_name(bus.prefix, queue), connection=bus.client, serializer=JSONSerializer)
        named.enqueue_call(function, args=args, job_id=job_id, timeout=3600, result_ttl=86_400, failure_ttl=604_800)
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error


def failure(bus: Bus, job_id: str) -> str | None:
    """Why a call ended without an answer of its function; None while it waits, runs or has ended well. Raises BusUnavailable."""
    try:
        job = Job.fetch(job_id, connection=bus.client, serializer=JSONSerializer)
        result = job.latest_result() if job.is_failed else None
        if not job.is_failed:
            return None
    except NoSuchJobError:
        return None
    except redis.RedisError as error:
        raise BusUnavailable(f"bus: {error}") from error
    lines = (result.exc_string or "").strip().splitlines() if result else []
    return lines[-1] if lines else "the worker ended"


def serve(settings: Settings, program: str, queue: str, functions: Collection[str]) -> None:
    """Run listed functions of the queue until SIGTERM or SIGINT; from the main thread."""
    stop = threading.Event()
    listed = type("Listed", (ListedJob,), {"listed": frozenset(functions)})
    client = connect(str(settings.redis_url))
    heart = threading.Thread(target=_beat, args=(settings, program, stop), daemon=True)
    heart.start()
    waits = backoff()
    while not stop.is_set():
        try:
            names = [queue_name(settings.bus_prefix, queue)]
            worker = StoppableWorker(names, connection=client, serializer=JSONSerializer, job_class=listed, stop=stop)
            worker.work(logging_level="WARNING")
        except redis.RedisError as error:
            log.warning("%s: %s; retrying", program, error)
        stop.wait(0 if stop.is_set() else next(waits))


def _beat(settings: Settings, program: str, stop: threading.Event) -> None:
    bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix)
    heart = Heartbeat(bus, program)
    while not stop.wait(HEARTBEAT_EVERY_S / 2):
        heart.beat()
