"""The demo plant as the maintenance system knows it: areas, classes, assets, sources, tags, limits, fault codes, instruments.

Data only; `server.demo.seed` writes it. What the devices do stands in plc/simulator, which this folder never imports.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

SITE, SITE_NAME, TIME_ZONE = "DEMO", "Demo plant", "Europe/Paris"
SHIFTS = [
    {"name": "A", "start": "06:00", "end": "14:00"},
    {"name": "B", "start": "14:00", "end": "22:00"},
    {"name": "C", "start": "22:00", "end": "06:00"},
]
STUCK_S = 30.0  # the demo's windows are short, so that a story fits in five minutes


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A confirmed limit: side, value, severity; delays keep a single sample from raising it."""

    side: str
    value: float
    severity: str
    deadband: float
    on_delay_s: float = 4.0
    off_delay_s: float = 4.0


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag of an asset; low..high is the normal range, 0..top what the sensor can show."""

    name: str
    label: str
    unit: str
    source: str
    decimals: int = 2
    top: float | None = None
    limits: tuple[LimitRow, ...] = ()
    address: str = ""
    group: str = "normal"
    period_s: float = 1.0
    role: str | None = None
    kind: str = "f64"
    scale: tuple[tuple[float, float], tuple[float, float]] | None = None
    virtual: bool = False

    @property
    def watched(self) -> bool:
        """True for analogue values: bits, codes, counters and pictures are no food for drift, stuck and joint models."""
        return self.role is None and self.kind == "f64"

    def normal(self, side: str) -> float | None:
        """End of the normal range: the mildest limit of that side."""
        ends = [limit.value for limit in self.limits if limit.side == side]
        return None if not ends else (min(ends) if side == "high" else max(ends))


@dataclass(frozen=True, slots=True)
class AssetRow:
    """A machine or an instrument loop."""

    code: str
    name: str
    area: str
    class_name: str
    location: str
    criticality: str
    main_tag: str
    tags: tuple[TagRow, ...]


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """The calibrated device behind a transmitter: type, variable, accuracy class, tolerance in % of span, days between calibrations."""

    tag: str
    name: str
    type: str
    variable: str
    nominal: float
    accuracy_class: str
    tolerance_pct: float
    interval_days: int
    found_errors_pct: tuple[float, ...]  # as-found error of the past calibrations, oldest first


def high(warning: float, critical: float, deadband: float) -> tuple[LimitRow, ...]:
    """A warning and a critical high limit."""
    return (LimitRow("high", warning, "warning", deadband), LimitRow("high", critical, "critical", deadband))


def both(low_critical: float, low_warning: float, warning: float, critical: float, deadband: float) -> tuple[LimitRow, ...]:
    """Limits on both sides."""
    low = (LimitRow("low", low_warning, "warning", deadband), LimitRow("low", low_critical, "critical", deadband))
    return (*low, *high(warning, critical, deadband))


def around(nominal: float, factors: tuple[float, float, float, float], deadband: float, decimals: int) -> tuple[LimitRow, ...]:
    """Limits on both sides as factors of the nominal value, in the tag's own decimals."""
    low_critical, low_warning, warning, critical = (round(nominal * factor, decimals) for factor in factors)
    return both(low_critical, low_warning, warning, critical, deadband)


AREAS = ("Press line", "Utilities", "Process", "Additive")
CLASSES = {
    "press": "Press",
    "pump": "Pump",
    "compressor": "Compressor",
    "transmitter": "Transmitter",
    "printer": "Metal printer",
}
FAULT_CODES = (  # of the press, as its controller reports them
    ("12", "Hydraulic pressure too low", "critical"),
    ("21", "Safety door opened in cycle", "critical"),
    ("33", "Main motor overload tripped", "critical"),
    ("47", "Die position sensor lost", "warning"),
)


def _press() -> AssetRow:
    tag = partial(TagRow, source="press-s7")
    tags = (
        tag("PL-1.running", "Running", "", address="DB10.DBX0.0:BOOL", role="running", group="fast", period_s=0.2, decimals=0),
        tag("PL-1.status", "Status", "", address="DB10.DBW2:INT", role="status", group="fast", period_s=0.2, decimals=0),
        tag("PL-1.fault_code", "Fault code", "", address="DB10.DBW4:INT", role="fault_code", group="fast", period_s=0.2, decimals=0),
        tag("PL-1.cycles", "Strokes", "", address="DB10.DBD6:DINT", role="counter", decimals=0),
        tag("PL-1.maint_request", "Maintenance asked for", "", address="M20.7:BOOL", role="command", decimals=0),
        tag(
            "PL-1.pressure",
            "Main pressure",
            "bar",
            address="DB10.DBD10:REAL",
            decimals=0,
            top=315.0,
            limits=both(130.0, 150.0, 210.0, 225.0, 3.0),
        ),
        tag(
            "PL-1.oil_temperature", "Oil temperature", "°C", address="DB10.DBD14:REAL", decimals=1, top=120.0, limits=high(65.0, 75.0, 1.0)
        ),
        tag("PL-1.motor_current", "Motor current", "A", address="DB10.DBD18:REAL", decimals=1, top=150.0, limits=high(80.0, 90.0, 1.5)),
        tag(
            "PL-1.stroke",
            "Stroke",
            "mm",
            address="DB10.DBW22:INT",
            decimals=1,
            top=400.0,
            limits=both(235.0, 240.0, 260.0, 265.0, 0.5),
            scale=((0.0, 27648.0), (0.0, 400.0)),
        ),
    )
    return AssetRow("PL-1", "Press line", "Press line", "press", "Hall 1, column B2", "critical", "PL-1.pressure", tags)


@dataclass(frozen=True, slots=True)
class _Rotating:
    name: str
    class_name: str
    location: str
    criticality: str
    temperature: float
    current: float
    pressure: float
    rpm: float


_ROTATING = (
    _Rotating("Cooling pump", "pump", "Hall 2, column C2", "high", 62.0, 18.5, 3.2, 1480.0),
    _Rotating("Booster pump", "pump", "Hall 2, column C4", "critical", 58.0, 14.2, 6.4, 2950.0),
    _Rotating("Compressor", "compressor", "Hall 2, column D1", "high", 71.0, 32.0, 7.8, 2965.0),
)


def _rotating(number: int, period_s: float) -> AssetRow:
    spec, code = _ROTATING[(number - 1) % len(_ROTATING)], f"M{number}"

    def tag(name: str, label: str, unit: str, decimals: int, top: float, limits: tuple[LimitRow, ...]) -> TagRow:
        return TagRow(f"{code}.{name}", label, unit, "plant-mqtt", decimals, top, limits, period_s=period_s)

    tags = (
        tag("temperature", "Temperature", "°C", 1, 150.0, high(spec.temperature + 18.0, spec.temperature + 28.0, 1.0)),
        tag("vibration", "Vibration", "mm/s", 2, 20.0, high(4.5, 7.1, 0.3)),  # zones C and D of ISO 20816-3, medium machines
        tag("current", "Current", "A", 2, 80.0, high(round(spec.current * 1.4, 1), round(spec.current * 1.6, 1), 0.3)),
        tag("pressure", "Pressure", "bar", 2, 16.0, around(spec.pressure, (0.5, 0.65, 1.35, 1.5), 0.05, 1)),
        tag("rpm", "Speed", "rpm", 0, 3600.0, around(spec.rpm, (0.9, 0.95, 1.05, 1.1), 5.0, -1)),
    )
    return AssetRow(code, spec.name, "Utilities", spec.class_name, spec.location, spec.criticality, f"{code}.vibration", tags)


def _transmitter(code: str, name: str, label: str, unit: str, decimals: int, top: float, limits: tuple[LimitRow, ...]) -> AssetRow:
    tag = TagRow(code, label, unit, "plant-mqtt", decimals, top, limits)
    return AssetRow(code, name, "Process", "transmitter", "Hall 3, skid 1", "high" if code == "PT-101" else "medium", code, (tag,))


def _printer() -> AssetRow:
    node = "nsu=urn:sightline:demo:dmls;s=DMLS-1."

    def of_plate(name: str, label: str, limits: tuple[LimitRow, ...] = ()) -> TagRow:
        return TagRow(f"DMLS-1.plate.{name}", label, "°C", "dmls-opcua", 1, 200.0, limits, virtual=True)

    tags = (
        TagRow("DMLS-1.plate", "Plate temperature", "°C", "dmls-opcua", 1, 200.0, address=node + "plate", kind="frame"),
        of_plate("mean", "Plate temperature, mean", high(55.0, 65.0, 0.5)),
        of_plate("max", "Plate temperature, highest", high(85.0, 100.0, 1.0)),
        of_plate("min", "Plate temperature, lowest"),
        of_plate("std", "Plate temperature, spread"),
        TagRow("DMLS-1.power", "Laser power", "kW", "dmls-opcua", 2, 12.0, high(6.5, 8.0, 0.1), address=node + "power"),
        TagRow("DMLS-1.vibration", "Vibration", "mm/s", "dmls-opcua", 2, 10.0, high(2.3, 4.5, 0.1), address=node + "vibration"),
    )
    return AssetRow("DMLS-1", "Metal printer", "Additive", "printer", "Hall 4, cell 1", "high", "DMLS-1.plate.mean", tags)


def assets(machines: int = 3, machine_period_s: float = 3.0) -> list[AssetRow]:
    """Every asset of the plant, with M1..M<machines>."""
    return [
        _press(),
        *(_rotating(n, machine_period_s) for n in range(1, machines + 1)),
        _transmitter("PT-101", "Line pressure", "Pressure", "bar", 2, 10.0, both(3.5, 4.0, 6.0, 6.5, 0.05)),
        _transmitter("TT-201", "Oven temperature", "Temperature", "°C", 1, 250.0, both(160.0, 168.0, 192.0, 198.0, 1.0)),
        _transmitter("FT-301", "Cooling flow", "Flow", "m³/h", 2, 80.0, both(30.0, 34.0, 52.0, 56.0, 0.5)),
        _transmitter("LT-401", "Tank level", "Level", "%", 1, 100.0, both(20.0, 30.0, 85.0, 92.0, 0.5)),
        _printer(),
    ]


INSTRUMENTS = (
    InstrumentRow("PT-101", "Pressure transmitter, line", "pressure", "Line pressure", 5.0, "0.1", 0.5, 180, (0.12, 0.21, 0.38)),
    InstrumentRow("TT-201", "Temperature transmitter, oven", "temperature", "Oven temperature", 180.0, "A", 0.4, 365, (0.05, 0.11)),
    InstrumentRow("FT-301", "Flow meter, cooling", "flow", "Cooling flow", 42.0, "0.5", 1.0, 365, (0.31, 1.24)),
    InstrumentRow("LT-401", "Level transmitter, tank", "level", "Tank level", 63.0, "0.25", 1.0, 365, (0.22, 0.3)),
)


def sources(s7_port: int, opcua_port: int) -> list[tuple[str, str, dict[str, object], dict[str, float]]]:
    """Name, kind, connector configuration and polling groups of each source."""
    s7 = {"host": "127.0.0.1", "port": s7_port, "rack": 0, "slot": 1, "pdu": 480, "timeout_s": 2.0, "max_jobs": 1}
    return [
        ("press-s7", "s7", s7, {"fast": 0.2, "normal": 1.0}),
        ("plant-mqtt", "mqtt", {"url": None, "topics": ["readings/#", "machines/#"]}, {"normal": 1.0}),
        ("dmls-opcua", "opcua", {"url": f"opc.tcp://127.0.0.1:{opcua_port}/", "publishing_ms": 200, "repeats": True}, {"normal": 1.0}),
    ]
