"""What the seeded plant is made of: classes of machines with their signals, faults, parts and service. Data only, no real plant's."""

from __future__ import annotations

from dataclasses import dataclass

AREAS = (
    "Raw material",
    "Melting",
    "Press line 1",
    "Press line 2",
    "Machining",
    "Heat treatment",
    "Surface treatment",
    "Assembly",
    "Packaging",
    "Utilities",
    "Cooling water",
    "Compressed air",
    "Effluent",
    "Additive",
    "Warehouse",
)


@dataclass(frozen=True, slots=True)
class Signal:
    """A tag of every machine of a class: normal between low and high."""

    name: str
    label: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A way to fail: words, taxonomy (category, what), part that is changed ("" = none), minutes of work, whether it stops the machine."""

    words: str
    category: str
    what: str
    part: str
    minutes: int
    stops: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of machines. shape: of the Weibull distribution of times between failures; summer: how much more it fails in July."""

    name: str
    label: str
    prefix: str
    words: tuple[str, ...]
    makes: tuple[str, ...]
    cost: int
    signals: tuple[Signal, ...]
    faults: tuple[Fault, ...]
    service: str
    shape: float = 1.5
    summer: float = 0.0
    share: int = 1


_VIBRATION = Signal("vibration", "Vibration", "mm/s", 0.4, 4.5)
_BEARING = Signal("bearing_temperature", "Bearing temperature", "°C", 30, 75)
_CURRENT = Signal("current", "Motor current", "A", 5, 40)
_PRESSURE = Signal("pressure", "Pressure", "bar", 2, 8)
_FLOW = Signal("flow", "Flow", "m³/h", 10, 60)
_SPEED = Signal("speed", "Speed", "rpm", 1400, 1500)
_RUN = Signal("running", "Running", "", 0, 1)
_OIL = Signal("oil_temperature", "Oil temperature", "°C", 30, 65)
_MOTOR = Fault("Motor protection tripped", "electrical", "tripped", "", 45)
_WORN = Fault("Bearing noisy, vibration high", "mechanical", "vibration", "Ball bearing", 180)
_BELT = Fault("Belt broken", "mechanical", "broken", "V-belt", 60)
_SIGNAL = Fault("No signal from the sensor", "instrument", "no_signal", "Proximity sensor", 40, stops=False)

KINDS = (
    Kind(
        "pump",
        "Pump",
        "PU",
        ("Cooling pump", "Booster pump", "Transfer pump", "Condensate pump"),
        ("KSB", "Grundfos", "Wilo"),
        8_000,
        (_RUN, _VIBRATION, _BEARING, _CURRENT, _PRESSURE, _FLOW),
        (
            _WORN,
            _MOTOR,
            Fault("Seal leaks", "fluid", "leak", "Mechanical seal", 150),
            Fault("Pressure lost, cavitation", "fluid", "pressure_lost", "", 60),
        ),
        "Check seal and coupling, grease the bearings",
        share=8,
    ),
    Kind(
        "motor",
        "Motor",
        "MO",
        ("Drive motor", "Mixer motor", "Extractor motor"),
        ("Siemens", "ABB", "WEG"),
        5_500,
        (_RUN, _VIBRATION, _BEARING, _CURRENT, Signal("winding_temperature", "Winding temperature", "°C", 40, 120), _SPEED),
        (_WORN, _MOTOR, Fault("Insulation low", "electrical", "insulation", "Terminal box kit", 120)),
        "Clean, measure the insulation resistance",
        share=6,
    ),
    Kind(
        "fan",
        "Fan",
        "FA",
        ("Extraction fan", "Supply fan", "Burner fan"),
        ("Ziehl-Abegg", "ebm-papst"),
        4_200,
        (_RUN, _VIBRATION, _BEARING, _CURRENT, Signal("air_flow", "Air flow", "m³/h", 800, 4000), _SPEED),
        (_WORN, _BELT, Fault("Rotor out of balance", "mechanical", "vibration", "", 90)),
        "Change the belt, clean the rotor",
        share=4,
        summer=0.2,
    ),
    Kind(
        "conveyor",
        "Conveyor",
        "CV",
        ("Belt conveyor", "Roller conveyor", "Chain conveyor"),
        ("Interroll", "SEW"),
        12_000,
        (_RUN, _CURRENT, _SPEED, _VIBRATION, _BEARING, Signal("tension", "Belt tension", "N", 300, 900)),
        (
            _BELT,
            _SIGNAL,
            Fault("Jammed by a part", "mechanical", "seized", "", 25),
            Fault("Roller seized", "mechanical", "seized", "Conveyor roller", 75),
        ),
        "Check tension and rollers",
        shape=1.2,
        share=5,
    ),
    Kind(
        "press",
        "Press",
        "PR",
        ("Hydraulic press", "Trimming press"),
        ("Schuler", "Aida"),
        420_000,
        (
            _RUN,
            Signal("main_pressure", "Main pressure", "bar", 150, 210),
            _OIL,
            _CURRENT,
            Signal("stroke", "Stroke", "mm", 240, 260),
            _VIBRATION,
        ),
        (
            Fault("Hydraulic pressure too low", "fluid", "pressure_lost", "Hydraulic filter", 120),
            Fault("Hose leaks", "fluid", "leak", "Hydraulic hose", 90),
            _SIGNAL,
            Fault("Safety door contact lost", "control", "communication", "Safety switch", 60),
        ),
        "Change the oil filter, check guides and safety door",
        shape=1.8,
        share=2,
    ),
    Kind(
        "compressor",
        "Compressor",
        "CO",
        ("Screw compressor",),
        ("Atlas Copco", "Kaeser"),
        65_000,
        (_RUN, _PRESSURE, _OIL, _CURRENT, _VIBRATION, Signal("dew_point", "Dew point", "°C", 2, 6)),
        (
            Fault("Oil too hot", "mechanical", "overheated", "Oil filter", 120),
            _MOTOR,
            Fault("Air filter blocked", "fluid", "blocked", "Air filter", 40, stops=False),
        ),
        "Change oil, oil filter and air filter",
        shape=2.0,
        summer=0.5,
        share=2,
    ),
    Kind(
        "chiller",
        "Chiller",
        "CH",
        ("Water chiller",),
        ("Carrier", "Trane"),
        90_000,
        (_RUN, Signal("supply_temperature", "Supply temperature", "°C", 6, 12), _PRESSURE, _CURRENT, _FLOW, _VIBRATION),
        (
            Fault("High pressure switch tripped", "process", "out_of_range", "", 60),
            Fault("Refrigerant leaks", "fluid", "leak", "Refrigerant valve", 240),
            _MOTOR,
        ),
        "Clean the condenser, check the refrigerant",
        shape=1.6,
        summer=0.8,
        share=1,
    ),
    Kind(
        "dmls_printer",
        "Metal printer",
        "DM",
        ("Metal printer",),
        ("EOS", "SLM Solutions"),
        600_000,
        (
            _RUN,
            Signal("plate_temperature", "Plate temperature", "°C", 35, 55),
            Signal("laser_power", "Laser power", "W", 180, 400),
            Signal("oxygen", "Oxygen", "%", 0, 0.1),
            Signal("gas_flow", "Gas flow", "m³/h", 1, 3),
            _VIBRATION,
        ),
        (
            Fault("Recoater blade damaged", "mechanical", "broken", "Recoater blade", 45),
            Fault("Oxygen too high", "process", "out_of_range", "Gas filter", 90),
            Fault("Program stopped", "control", "program", "", 30),
        ),
        "Clean optics and chamber, change the gas filter",
        shape=1.3,
        share=1,
    ),
    Kind(
        "transmitter",
        "Transmitter",
        "TX",
        ("Pressure transmitter", "Temperature transmitter", "Flow meter", "Level transmitter"),
        ("Endress+Hauser", "VEGA", "Emerson"),
        900,
        (
            _PRESSURE,
            Signal("temperature", "Temperature", "°C", 15, 180),
            _FLOW,
            Signal("level", "Level", "%", 20, 85),
            Signal("loop_current", "Loop current", "mA", 4, 20),
            Signal("board_temperature", "Board temperature", "°C", 10, 60),
        ),
        (
            Fault("Reading drifts", "instrument", "drifting", "", 60, stops=False),
            Fault("Reading stuck", "instrument", "stuck", "Transmitter", 90, stops=False),
        ),
        "Check wiring and zero",
        shape=1.0,
        share=6,
    ),
)

PARTS = (
    # name, unit, supplier, cost, days of delivery, critical
    ("Ball bearing", "pcs", "SKF", 14.50, 5, False),
    ("Mechanical seal", "pcs", "EagleBurgmann", 165.00, 21, True),
    ("V-belt", "pcs", "Optibelt", 11.20, 4, False),
    ("Terminal box kit", "pcs", "WEG", 38.00, 14, False),
    ("Proximity sensor", "pcs", "ifm", 54.00, 6, False),
    ("Conveyor roller", "pcs", "Interroll", 27.30, 10, False),
    ("Hydraulic filter", "pcs", "Hydac", 66.00, 8, False),
    ("Hydraulic hose", "pcs", "Parker", 43.00, 6, False),
    ("Safety switch", "pcs", "Pilz", 128.00, 12, True),
    ("Oil filter", "pcs", "Mann+Hummel", 31.00, 7, False),
    ("Air filter", "pcs", "Mann+Hummel", 46.00, 7, False),
    ("Refrigerant valve", "pcs", "Danfoss", 210.00, 28, True),
    ("Recoater blade", "pcs", "EOS", 98.00, 14, False),
    ("Gas filter", "pcs", "EOS", 185.00, 21, True),
    ("Transmitter", "pcs", "Endress+Hauser", 620.00, 35, True),
    ("Bearing grease", "kg", "Klüber", 22.00, 5, False),
)
SIZES = ("S", "M", "L", "XL")  # every part comes in these; an asset takes one of them
NAMES = (
    "A. Benali L. Fontaine S. Moreau K. Weber M. Rossi J. Novak P. Silva E. Larsen T. Okafor R. Haddad C. Dubois N. Petit "
    "H. Schmidt I. Kowalska O. Jensen F. Costa D. Murphy G. Bianchi Y. Tanaka B. Horvat V. Popescu W. de-Vries Z. Amrani Q. Chen"
)
MEASURES = {"pressure": "bar", "temperature": "°C", "flow": "m³/h", "level": "%"}
