"""Fault taxonomy: category > what > why > where, which choices go together, and the words a site starts with. No table here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = ("category", "what", "why", "where")


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the taxonomy; without a parent it fits under every term of the level above."""

    id: int
    level: str
    parent: int | None


def wrong_level(chosen: Mapping[str, Term | None]) -> str | None:
    """The first level whose choice does not belong to the choice above it; None when the chain holds together.

    A category is always wanted. chosen: level -> term.
    """
    above: Term | None = None
    for level in LEVELS:
        term = chosen.get(level)
        if term is None and level == "category":
            return level
        if term is not None and not _fits(term, level, above):
            return level
        above = term
    return None


def _fits(term: Term, level: str, above: Term | None) -> bool:
    return term.level == level and (term.parent is None or (above is not None and term.parent == above.id))


@dataclass(frozen=True, slots=True)
class Default:
    """A term that every site starts with; `of` is the code of its parent."""

    level: str
    code: str
    en: str
    fr: str
    of: str | None = None


DEFAULTS = (
    Default("category", "mechanical", "Mechanical", "Mécanique"),
    Default("category", "electrical", "Electrical", "Électrique"),
    Default("category", "fluid", "Hydraulic or pneumatic", "Hydraulique ou pneumatique"),
    Default("category", "instrument", "Instrumentation", "Instrumentation"),
    Default("category", "control", "Control and network", "Automatisme et réseau"),
    Default("category", "process", "Process or operation", "Procédé ou conduite"),
    Default("what", "vibration", "Vibration or noise", "Vibration ou bruit", "mechanical"),
    Default("what", "seized", "Seized or jammed", "Grippé ou bloqué", "mechanical"),
    Default("what", "broken", "Broken or cracked", "Cassé ou fissuré", "mechanical"),
    Default("what", "overheated", "Overheated", "Surchauffe", "mechanical"),
    Default("what", "no_power", "No power", "Pas d'alimentation", "electrical"),
    Default("what", "tripped", "Protection tripped", "Protection déclenchée", "electrical"),
    Default("what", "insulation", "Insulation or earth fault", "Défaut d'isolement ou de terre", "electrical"),
    Default("what", "leak", "Leak", "Fuite", "fluid"),
    Default("what", "pressure_lost", "Pressure lost", "Perte de pression", "fluid"),
    Default("what", "blocked", "Blocked", "Bouché", "fluid"),
    Default("what", "drifting", "Reading drifts", "Dérive de la mesure", "instrument"),
    Default("what", "stuck", "Reading stuck", "Mesure figée", "instrument"),
    Default("what", "no_signal", "No signal", "Pas de signal", "instrument"),
    Default("what", "program", "Program or parameter wrong", "Programme ou paramètre faux", "control"),
    Default("what", "communication", "Communication lost", "Communication perdue", "control"),
    Default("what", "out_of_range", "Outside operating range", "Hors plage de marche", "process"),
    Default("what", "quality", "Product quality", "Qualité du produit", "process"),
    Default("why", "wear", "Wear", "Usure"),
    Default("why", "lubrication", "Lack of lubrication", "Manque de lubrification"),
    Default("why", "misalignment", "Misalignment or looseness", "Désalignement ou desserrage", "vibration"),
    Default("why", "overload", "Overload", "Surcharge"),
    Default("why", "contamination", "Dirt or contamination", "Encrassement ou contamination"),
    Default("why", "ageing", "Ageing", "Vieillissement"),
    Default("why", "assembly", "Assembly or setting error", "Erreur de montage ou de réglage"),
    Default("why", "misuse", "Wrong operation", "Mauvaise utilisation"),
    Default("why", "unknown", "Not known", "Inconnu"),
    Default("where", "bearing", "Bearing", "Palier ou roulement"),
    Default("where", "coupling", "Coupling or belt", "Accouplement ou courroie"),
    Default("where", "motor", "Motor", "Moteur"),
    Default("where", "seal", "Seal or gasket", "Garniture ou joint"),
    Default("where", "valve", "Valve", "Vanne"),
    Default("where", "pipe", "Pipe or hose", "Tuyau ou flexible"),
    Default("where", "cable", "Cable or terminal", "Câble ou borne"),
    Default("where", "sensor", "Sensor", "Capteur"),
    Default("where", "cabinet", "Cabinet or controller", "Armoire ou automate"),
    Default("where", "other", "Elsewhere", "Ailleurs"),
)
