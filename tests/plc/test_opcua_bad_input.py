"""Bad input by OPC UA (PROTOCOLS.md 8): every case is counted with its reason, the good tag beside it flows, the collector lives."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError

from plc.connector import KINDS, LinkError
from plc.connectors import opcua_security as security
from plc.runner import SourceRunner
from realtime.bus import Bus, now_ms
from realtime.events import Quality, Reason, quality_byte
from realtime.settings import Settings
from realtime.snapshot import Source, Tag
from tests.plc.harness import Tap, free_port, is_nan, tag
from tests.plc.test_opcua import URI, Printer
from tests.waiting import wait_for

GOOD = tag(1, "good", "hostile", f"nsu={URI};s=power")
WORSE = tag(2, "worse", "hostile", f"nsu={URI};s=worse")
PLATE = tag(3, "plate", "hostile", f"nsu={URI};s=plate", kind="frame", unit="°C")
MEAN = tag(4, "plate.mean", "hostile", unit="°C", virtual=True)
DOUBLE = ua.VariantType.Double


class Hostile(Printer):
    """A server that says what no server should."""

    def start(self) -> None:
        super().start()
        self.run(self._add("worse"))

    async def _add(self, name: str) -> None:
        assert self.server is not None
        index = await self.server.get_namespace_index(URI)
        self.nodes[name] = await self.server.nodes.objects.add_variable(f"ns={index};s={name}", name, 0.5)

    def add(self, name: str) -> None:
        """A new number node."""
        self.run(self._add(name))

    def remove(self, name: str) -> None:
        """Its node is gone, and nobody is told: asyncua would, if its own call were right."""
        assert self.server is not None
        self.server.iserver.aspace[self.nodes[name].nodeid].attributes[ua.AttributeIds.Value].datachange_callbacks.clear()
        self.run(self.server.delete_nodes([self.nodes[name]]))

    def force(self, name: str, *values: ua.DataValue) -> None:
        """Give these out as they are, one after the other, past the server's own checks."""
        self.run(self._force(name, values))

    async def _force(self, name: str, values: Sequence[ua.DataValue]) -> None:
        assert self.server is not None
        attribute = self.server.iserver.aspace[self.nodes[name].nodeid].attributes[ua.AttributeIds.Value]
        for value in values:
            attribute.value = value
            for handle, told in list(attribute.datachange_callbacks.items()):
                await told(handle, value)


def said(value: Any, kind: ua.VariantType = DOUBLE, *, status: int = 0, at: datetime | None = None) -> ua.DataValue:
    moment = at or datetime.now(UTC)
    return ua.DataValue(ua.Variant(value, kind), ua.StatusCode(status), SourceTimestamp=moment, ServerTimestamp=moment)


@pytest.fixture(scope="module")
def standing() -> Iterator[Hostile]:
    made = Hostile()
    made.start()
    yield made
    made.close()


@pytest.fixture
def shared(standing: Hostile) -> Hostile:
    """A server of all tests, which says good values so far."""
    standing.force("worse", said(0.5))
    return standing


@pytest.fixture
def own() -> Iterator[Hostile]:
    """A server of the test's own, which it may ruin."""
    made = Hostile()
    made.start()
    yield made
    made.close()


Collect = Callable[..., SourceRunner]


@pytest.fixture
def collect(plc_settings: Settings, bus: Bus) -> Iterator[Collect]:
    started: list[SourceRunner] = []

    def start(port: int, tags: Sequence[Tag], **config: Any) -> SourceRunner:
        given = {"url": f"opc.tcp://127.0.0.1:{port}/", "publishing_ms": 50, **config}
        source = Source(id=1, name="hostile", kind="opcua", config=given, groups={"normal": 0.1})
        started.append(SourceRunner(KINDS["opcua"], source, tags, plc_settings, bus))
        started[-1].start()
        return started[-1]

    yield start
    for runner in started:
        runner.stop(10)


def flows(server: Hostile, tap: Tap) -> bool:
    """A good value written now comes through."""
    value = float(now_ms() % 1_000_000)
    server.write("power", value)
    return bool(wait_for(lambda: [s for s in tap.good(1) if s.value == value], timeout_s=20, what="the good tag"))


def since_first(tap: Tap, number: int) -> None:
    wait_for(lambda: tap.samples(1) and tap.samples(number), timeout_s=20, what="first values")


CODE = ua.StatusCodes
CASES: dict[str, tuple[ua.DataValue, Quality, Reason, str | None]] = {
    "bad with a value": (said(7.0, status=CODE.BadSensorFailure), Quality.BAD, Reason.DEVICE, None),
    "bad, the link behind the server is down": (said(7.0, status=CODE.BadNoCommunication), Quality.BAD, Reason.COMM, None),
    "bad, a status of no table": (said(7.0, status=0x8FFF0000), Quality.BAD, Reason.DEVICE, None),
    "uncertain": (said(7.0, status=CODE.UncertainLastUsableValue), Quality.UNCERTAIN, Reason.STALE, None),
    "null": (said(None, ua.VariantType.Null), Quality.BAD, Reason.DEVICE, None),
    "no variant at all": (ua.DataValue(None, SourceTimestamp=datetime.now(UTC)), Quality.BAD, Reason.DEVICE, None),
    "a text now": (said("warm", ua.VariantType.String), Quality.BAD, Reason.CONFIG, "value_type"),
    "an array now": (said([1.0, 2.0]), Quality.BAD, Reason.CONFIG, "value_type"),
    "not finite": (said(float("inf")), Quality.BAD, Reason.RANGE, None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_no_good_value_is_told_as_that_with_the_raw_status(case: str, shared: Hostile, collect: Collect, tap: Tap) -> None:
    value, quality, reason, refused = CASES[case]
    runner = collect(shared.port, [GOOD, WORSE])
    since_first(tap, 2)

    shared.force("worse", value)
    last = wait_for(lambda: [s for s in tap.samples(2) if s.quality], what="the sample")[-1]

    assert last.quality == quality_byte(quality, reason)
    assert last.value == 7.0 if quality == Quality.UNCERTAIN else True
    if refused:
        assert runner.ledger.drops[refused] == 1
    if value.StatusCode is not None and value.StatusCode.value:
        assert f"worse 0x{value.StatusCode.value:08X}" in str(runner.status()["status_codes"])
        assert runner.status()["troubles"]["worse"].startswith(f"StatusCode 0x{value.StatusCode.value:08X}")
    assert flows(shared, tap)


def test_an_array_of_another_shape_is_counted_and_its_statistics_are_bad(shared: Hostile, collect: Collect, tap: Tap) -> None:
    shared.force("plate", said([[20.0] * 100] * 100, ua.VariantType.Float))
    runner = collect(shared.port, [GOOD, PLATE, MEAN])
    wait_for(lambda: tap.good(4), what="the first picture")

    shared.force("plate", said([[20.0] * 99] * 100, ua.VariantType.Float))
    bad = wait_for(lambda: [s for s in tap.samples(4) if s.quality], what="the bad statistic")

    assert is_nan(bad[0].value)
    assert runner.ledger.drops["shape"] == 1
    assert len(tap.samples(3)) == 1
    assert flows(shared, tap)


def test_no_source_time_counts_and_takes_the_servers(shared: Hostile, collect: Collect, tap: Tap) -> None:
    runner = collect(shared.port, [GOOD, WORSE])
    since_first(tap, 2)
    moment = datetime.now(UTC).replace(microsecond=250_000)

    shared.force("worse", ua.DataValue(ua.Variant(9.25, DOUBLE), ServerTimestamp=moment))
    found = wait_for(lambda: [s for s in tap.good(2) if s.value == 9.25], what="the value")

    assert found[0].t == round(moment.timestamp() * 1000)
    assert int(runner.status()["untimed"]) >= 1
    assert flows(shared, tap)


@pytest.mark.parametrize("off", [timedelta(hours=1), timedelta(days=-30)])
def test_a_source_time_that_cannot_be_is_quarantined_as_clock(off: timedelta, shared: Hostile, collect: Collect, tap: Tap) -> None:
    runner = collect(shared.port, [GOOD, WORSE])
    since_first(tap, 2)

    shared.force("worse", said(3.5, at=datetime.now(UTC) + off))

    wait_for(lambda: runner.ledger.drops["clock"], what="the refusal")
    assert [s for s in tap.samples(2) if s.value == 3.5] == []
    assert flows(shared, tap)


def test_a_node_that_vanished_is_bad_and_found_again(own: Hostile, collect: Collect, tap: Tap) -> None:
    runner = collect(own.port, [GOOD, WORSE], audit_s=0.3, retry_s=0.5)
    since_first(tap, 2)

    own.remove("worse")
    wait_for(lambda: [s for s in tap.samples(2) if s.quality == quality_byte(Quality.BAD, Reason.CONFIG)], what="bad")
    assert flows(own, tap)
    wait_for(lambda: "BadNodeIdUnknown" in runner.status()["troubles"].get("worse", ""), what="what is wrong with it")
    own.add("worse")
    own.write("worse", 8.5)

    wait_for(lambda: [s for s in tap.good(2) if s.value == 8.5], timeout_s=20, what="the value of the new node")


def test_a_namespace_that_moved_is_found_by_its_uri(own: Hostile, collect: Collect, tap: Tap) -> None:
    collect(own.port, [GOOD, WORSE], audit_s=0.3)
    since_first(tap, 2)
    own.run(_moved(own))

    own.force("moved", said(42.0))

    wait_for(lambda: [s for s in tap.good(1) if s.value == 42.0], timeout_s=20, what="the value under the new index")


async def _moved(server: Hostile) -> None:
    """The namespace gets another index, and the node with it."""
    assert server.server is not None
    array = server.server.nodes.namespace_array
    uris = await array.read_value()
    await array.write_value([*uris[:2], "urn:something:new", *uris[2:]])
    server.nodes["moved"] = await server.server.nodes.objects.add_variable("ns=3;s=power", "power", 0.0)
    await server.server.nodes.objects.add_variable("ns=3;s=worse", "worse", 0.0)


def test_limits_that_are_not_told_are_found_by_halving_and_a_full_subscription_gets_a_second(
    own: Hostile, collect: Collect, tap: Tap
) -> None:
    assert own.server is not None
    service = own.server.iserver.subscription_service
    plain, taken = service.create_monitored_items, dict.fromkeys(range(10_000), 0)

    async def limited(parameters: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        if len(parameters.ItemsToCreate) > 4:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        answers = []
        for item in parameters.ItemsToCreate:
            taken[parameters.SubscriptionId] += 1
            if taken[parameters.SubscriptionId] > 10:
                answers.append(ua.MonitoredItemCreateResult(ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems)))
            else:
                one = ua.CreateMonitoredItemsParameters(parameters.SubscriptionId, parameters.TimestampsToReturn, [item])
                answers += await plain(one)
        return answers

    service.create_monitored_items = limited  # type: ignore[method-assign]
    tags = [tag(i, f"t{i}", "hostile", f"nsu={URI};s=power") for i in range(1, 26)]
    runner = collect(own.port, tags)

    wait_for(lambda: all(tap.good(t.id) for t in tags), timeout_s=20, what="every tag")
    shown = runner.status()
    assert (int(shown["limit_monitor"]) <= 4, int(shown["halved"]) >= 3) == (True, True)
    assert str(shown["subscriptions"]).count("normal") == 3


def test_a_storm_of_changes_neither_kills_nor_starves(shared: Hostile, collect: Collect, tap: Tap) -> None:
    runner = collect(shared.port, [GOOD, WORSE])
    since_first(tap, 2)

    for _ in range(5):
        shared.force("worse", *(said(float(i)) for i in range(1000)))

    assert flows(shared, tap)
    wait_for(lambda: [s for s in tap.good(2) if s.value == 999.0], what="the last of the storm")
    assert runner.is_alive


def test_a_queue_that_ran_over_on_the_server_is_counted(shared: Hostile, collect: Collect, tap: Tap) -> None:
    runner = collect(shared.port, [GOOD, WORSE])
    since_first(tap, 2)

    shared.force("worse", said(2.5, status=0x480))

    wait_for(lambda: runner.ledger.drops["queue_overflow"], what="the count")
    assert wait_for(lambda: [s for s in tap.good(2) if s.value == 2.5], what="the value, which is good")


def test_an_answer_of_64_mb_is_thrown_away_and_its_tag_let_go(own: Hostile, collect: Collect, tap: Tap) -> None:
    runner = collect(own.port, [GOOD, WORSE])
    since_first(tap, 2)

    own.force("worse", said(bytes(64 * 2**20), ua.VariantType.ByteString))
    wait_for(lambda: runner.ledger.drops["too_large"], timeout_s=40, what="the refusal")

    assert wait_for(lambda: [s for s in tap.samples(2) if s.quality & 3 == Quality.BAD], what="the tag told bad")
    assert flows(own, tap)
    assert runner.status()["reconnects"] == 0


def test_a_chunk_that_never_ends_is_a_lost_link_and_not_endless_memory(collect: Collect, tap: Tap) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(65536)
        try:
            connection.sendall(b"ACKF" + struct.pack("<I", 0x7FFFFFFF))
            while True:
                connection.sendall(bytes(65536))
        except OSError:
            connection.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    runner = collect(listener.getsockname()[1], [GOOD])

    wait_for(lambda: runner.status()["reconnects"], timeout_s=20, what="the loss")
    listener.close()
    thread.join(10)
    assert not thread.is_alive()


def test_nothing_of_opc_ua_on_the_other_side_is_a_link_error(plc_settings: Settings, collect: Collect) -> None:
    runner = collect(free_port(), [GOOD])

    wait_for(lambda: "connection refused" in str(runner.status()["error"]), what="the diagnosis")


@pytest.mark.parametrize("age", [timedelta(days=6 * 365), timedelta(days=5 * 365 - 20)])
def test_a_certificate_of_ours_that_ends_is_warned_of_with_what_to_do(age: timedelta, tmp_path: Path) -> None:
    made = security.own_certificate(tmp_path, "x", datetime.now(UTC) - age)

    warning = made.warning(datetime.now(UTC))

    assert made.thumbprint in warning
    assert str(made.path) in warning
    assert security.own_certificate(tmp_path, "x").der == made.der  # never renewed by itself
    assert made.warning(datetime.now(UTC) - age) == ""
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert made.uri.startswith("urn:sightline:")


def test_a_server_certificate_is_recorded_once_and_another_or_an_ended_one_is_refused(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = security.own_certificate(tmp_path / "a", "x", now).der
    other = security.own_certificate(tmp_path / "b", "x", now).der
    ended = security.own_certificate(tmp_path / "c", "x", now - timedelta(days=6 * 365)).der
    wanted = security.security_of("s", {"security": "Basic256Sha256"})
    lenient = security.security_of("s", {"security": "Basic256Sha256", "accept_expired": True})
    given = security.security_of("s", {"security": "Basic256Sha256", "server_cert": str(tmp_path / "a" / "certificate.der")})

    security.check_server("s", first, wanted, tmp_path, now)
    security.check_server("s", first, wanted, tmp_path, now)
    security.check_server("t", first, given, tmp_path, now)
    with pytest.raises(LinkError, match="another certificate") as changed:
        security.check_server("s", other, wanted, tmp_path, now)
    with pytest.raises(LinkError, match="another certificate"):
        security.check_server("t", other, given, tmp_path, now)
    with pytest.raises(LinkError, match="ended on"):
        security.check_server("u", ended, wanted, tmp_path, now)
    security.check_server("v", ended, lenient, tmp_path, now)

    assert str(tmp_path / "s.sha256") in changed.value.remedy
