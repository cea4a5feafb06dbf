"""Spoken commands: the standing set per language and the lint that keeps a screen's commands apart.

A voice panel hears what stands on the button, so a command is short, uppercase and ends unlike its neighbours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

MAX_LENGTH = 24
DEVICE_COMMANDS = frozenset({"NAVIGATE BACK", "NAVIGATE HOME", "SHOW HELP", "MORE OPTIONS", "PAGE UP", "PAGE DOWN", "SELECT ITEM"})

# Arabic panels are not spoken to (UX.md 1.2): their commands stay English.
STANDING: dict[str, dict[str, str]] = {
    "en": {
        "next": "NEXT STEP",
        "back": "GO BACK",
        "picture": "SHOW PICTURE",
        "photo": "TAKE PHOTO",
        "value": "ENTER VALUE",
        "reading": "USE READING",
        "problem": "REPORT PROBLEM",
        "pause": "PAUSE TASK",
        "scan": "SCAN CODE",
    },
    "fr": {
        "next": "ÉTAPE SUIVANTE",
        "back": "REVENIR ARRIÈRE",
        "picture": "VOIR IMAGE",
        "photo": "PRENDRE PHOTO",
        "value": "SAISIR VALEUR",
        "reading": "UTILISER MESURE",
        "problem": "SIGNALER PROBLÈME",
        "pause": "SUSPENDRE TÂCHE",
        "scan": "SCANNER CODE",
    },
}

_MAIN = {
    "info": "NEXT STEP",
    "confirm": "CONFIRM STEP",
    "check": "CHECK PASSED",
    "measure": "ENTER VALUE",
    "choice": "CHOOSE OPTION",
    "photo": "TAKE PHOTO",
    "scan": "SCAN CODE",
    "part": "PART FITTED",
    "text": "ENTER TEXT",
    "timer": "START TIMER",
    "sign": "SIGN TASK",
}


def main_act(kind: str) -> str:
    """The command of a step's main act where the procedure names none; an unknown kind is confirmed."""
    return _MAIN.get(kind, "CONFIRM STEP")


def faults(say: str) -> list[str]:
    """What is wrong with one command; [] when it can be spoken."""
    found = []
    if say != say.upper():
        found.append("not uppercase")
    if len(say) > MAX_LENGTH:
        found.append(f"longer than {MAX_LENGTH} characters")
    if not 2 <= len(say.split()) <= 4:
        found.append("not 2 to 4 words")
    if not all(letter == " " or letter.isalpha() or letter.isdigit() or letter in "'-" for letter in unicodedata.normalize("NFC", say)):
        found.append("holds something that cannot be spoken")
    if any(say == command or say.startswith(command + " ") for command in DEVICE_COMMANDS):
        found.append("is one of the device's own commands")
    return found


def screen_faults(commands: Sequence[str]) -> list[str]:
    """What is wrong with the commands of one screen together: each once, last words all different."""
    found = [f"{command}: {fault}" for command in commands for fault in faults(command)]
    if len(set(commands)) < len(commands):
        found.append("a command stands twice on the screen")
    last = [command.split()[-1] for command in commands if command.split()]
    if len(set(last)) < len(last):
        found.append(f"last words are not all different: {', '.join(last)}")
    return found


def step_faults(step: Mapping[str, Any]) -> list[str]:
    """Lint of the commands that a step brings itself: `say` and those of its options."""
    own = [str(step["say"])] if step.get("say") else []
    options = [str(option["say"]) for option in step.get("opt") or [] if option.get("say")]
    found = [f"{say}: {fault}" for say in own for fault in faults(say)]
    return [f"step {step.get('id')}: {fault}" for fault in found + screen_faults(options)]


def lint(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every fault of a procedure's commands."""
    return [fault for step in steps for fault in step_faults(step)]
