"""Procedures of the demo plant: typed steps in the shape of the AR feed, dangers first, one live value to measure in each.

`{asset}` stands for the code of the order's asset, `{tag}` for the tag of its alert. Spoken words follow the feed's rules: capitals,
2-4 words, 24 characters at most, last words all different on one screen and different from the standing commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProcedureRow:
    """A procedure and the asset class it is for (None = any)."""

    code: str
    title: str
    class_name: str | None
    estimated_min: int
    hazards: tuple[str, ...]
    lock_out: bool
    safety: tuple[dict[str, str], ...]
    steps: tuple[Step, ...]


def danger(id_: str, sev: str, title: str, act: str, icon: str) -> dict[str, str]:
    """A danger to confirm before the work starts."""
    return {"id": id_, "sev": sev, "t": title, "b": act, "icon": icon}


def step(n: int, kind: str, title: str, say: str | None = None, *, asks: dict[str, Any] | None = None, **more: Any) -> Step:
    """One step; `must` unless said otherwise; without `say` the feed has a word for each kind."""
    return {
        "id": f"s{n}",
        "n": n,
        "k": kind,
        "t": title,
        "must": True,
        **({"say": say} if say else {}),
        **({"in": asks} if asks else {}),
        **more,
    }


def warn(sev: str, text: str) -> dict[str, str]:
    """The warning that stands above a step."""
    return {"sev": sev, "t": text}


def measured(tag: str, unit: str, low: float, high: float, decimals: int, **jumps: str) -> dict[str, Any]:
    """Input of a measure step that offers the live value of a tag as its answer."""
    return {"unit": unit, "lo": low, "hi": high, "dec": decimals, "tag": tag, **jumps}


ROTATING = danger("d1", "danger", "Rotating parts", "Guard stays on until the machine stands still", "rotate")
HOT = danger("d2", "warning", "Hot housing", "Wear gloves", "heat")
LOCK = danger("d3", "danger", "Lock out the drive", "Your lock and your tag", "lock")
PRESSURE = danger("d2", "danger", "Stored pressure", "Relieve the accumulator, wait for zero", "pressure")
POWER = danger("d1", "danger", "Live cabinet", "Only qualified persons open it", "bolt")
PROCESS = danger("d1", "warning", "Process fluid under pressure", "Close both valves of the manifold", "pressure")

MACHINE = ProcedureRow(
    "ROT-01",
    "Find and remove the cause",
    None,
    45,
    ("rotating", "hot"),
    True,
    (ROTATING, HOT, LOCK),
    (
        step(
            1,
            "confirm",
            "Stop {asset} and lock out its drive.",
            "DRIVE IS LOCKED",
            warn=warn("danger", "It may start until it is locked out."),
        ),
        step(2, "check", "Guard off. Are coupling bolts and foundation bolts tight?", "BOLTS ARE TIGHT"),
        step(
            3,
            "choice",
            "What do you find at the bearing?",
            "CHOOSE THE CAUSE",
            opt=[
                {"k": "worn", "t": "Bearing worn or hot", "say": "BEARING IS WORN", "go": "s4"},
                {"k": "align", "t": "Coupling out of line", "say": "COUPLING HAS SHIFTED", "go": "s5"},
                {"k": "none", "t": "Nothing to see", "say": "ALL LOOKS GOOD", "go": "s5"},
            ],
            warn=warn("warning", "The housing is hot. Wear gloves."),
        ),
        step(4, "part", "Replace the bearing.", "BEARING IS FITTED", must=False, next="s5", part={"sku": "SKF 6308", "qty": 1}),
        step(
            5,
            "confirm",
            "Guard on, lock removed, {asset} runs.",
            "MACHINE IS RUNNING",
            warn=warn("warning", "It runs now. Keep hands off the coupling."),
        ),
        step(
            6,
            "measure",
            "Measure vibration at bearing B.",
            b="At rated speed, after one minute.",
            live=["{asset}.vibration", "{asset}.temperature"],
            asks=measured("{asset}.vibration", "mm/s", 0.0, 4.5, 2),
        ),
    ),
)
HYDRAULICS = ProcedureRow(
    "HYD-01",
    "Clear the press fault",
    "press",
    40,
    ("pressure", "crush"),
    True,
    (danger("d1", "danger", "Ram may fall", "Set the ram prop before you reach in", "lock"), PRESSURE, LOCK),
    (
        step(1, "confirm", "Set the ram prop and lock out the press.", "PROP IS SET", warn=warn("danger", "Nobody in the tool space.")),
        step(2, "check", "Are hoses and valve block dry?", "HOSES ARE DRY"),
        step(3, "check", "Is the oil level between the marks?", "LEVEL IS GOOD"),
        step(
            4,
            "confirm",
            "Prop out, lock removed, press reset at its own panel.",
            "PRESS IS RESET",
            warn=warn("danger", "Only from the panel, with the tool space in sight."),
        ),
        step(
            5,
            "measure",
            "Read the main pressure.",
            live=["PL-1.pressure"],
            asks=measured("PL-1.pressure", "bar", 150.0, 210.0, 0),
        ),
    ),
)
TRANSMITTER = ProcedureRow(
    "INS-01",
    "Check the transmitter",
    "transmitter",
    25,
    ("pressure",),
    False,
    (PROCESS,),
    (
        step(
            1,
            "confirm",
            "Tell the control room that {tag} is under test.",
            "CONTROL IS TOLD",
            warn=warn("warning", "Its loop must be in manual."),
        ),
        step(2, "check", "Are cable, gland and terminals sound?", "CABLE IS SOUND"),
        step(3, "check", "Is the impulse line free and the manifold open?", "LINE IS FREE"),
        step(
            4,
            "measure",
            "Compare {tag} with the local gauge.",
            live=["{tag}"],
            asks={"tag": "{tag}"},
        ),
        step(5, "confirm", "Loop back in automatic.", "LOOP IS AUTOMATIC"),
    ),
)
PRINTER = ProcedureRow(
    "PRN-01",
    "Inspect the build plate",
    "printer",
    35,
    ("laser", "hot", "powder"),
    True,
    (
        danger("d1", "danger", "Class 4 laser", "Interlock key out before the door opens", "bolt"),
        HOT,
        danger("d3", "warning", "Metal powder", "Mask and earthing strap on", "flask"),
    ),
    (
        step(1, "confirm", "Pause the build and take the interlock key.", "KEY IS OUT", warn=warn("danger", "Never look into the beam.")),
        step(2, "check", "Is the recoater blade straight and clean?", "BLADE IS STRAIGHT"),
        step(3, "check", "Does gas flow over the whole plate?", "GAS IS FLOWING"),
        step(
            4,
            "measure",
            "Read the hottest point of the plate.",
            live=["DMLS-1.plate.max"],
            asks=measured("DMLS-1.plate.max", "°C", 20.0, 85.0, 1),
        ),
    ),
)
SOURCE_LOST = ProcedureRow(
    "NET-01",
    "Bring the data source back",
    None,
    20,
    ("electric",),
    False,
    (POWER,),
    (
        step(1, "check", "Has the device power and no red lamp?", "POWER IS ON", warn=warn("danger", "The cabinet is live.")),
        step(2, "check", "Are the network plugs in and the link lamps lit?", "LINK IS LIT"),
        step(3, "text", "What did you do?", "SAY THE CAUSE", must=False, next="end"),
    ),
)
PROCEDURES = (MACHINE, HYDRAULICS, TRANSMITTER, PRINTER, SOURCE_LOST)


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """From alert type and asset class (None = any) to procedure and priority (None = by severity and criticality)."""

    alert_type: str
    class_name: str | None
    procedure: str | None
    priority: str | None = None
    opens_order: bool = True


_BY_CLASS = {"pump": "ROT-01", "compressor": "ROT-01", "press": "HYD-01", "printer": "PRN-01", "transmitter": "INS-01"}

POLICIES = (
    *(PolicyRow(alert_type, name, code) for alert_type in ("rule_violation", "drift", "anomaly") for name, code in _BY_CLASS.items()),
    PolicyRow("machine_fault", "press", "HYD-01"),
    PolicyRow("machine_fault", None, None),
    PolicyRow("instrument_fault", None, "INS-01"),
    PolicyRow("source_lost", None, "NET-01", priority="high"),
    PolicyRow("calibration_overdue", "transmitter", "INS-01", priority="normal"),
    PolicyRow("data_gap", None, None, opens_order=False),
)
