"""Every text of the glasses' JavaScript, translated once per page: the server renders it as JSON beside the modules.

Keys are what the modules ask for; `{name}` inside a text is filled in by them.
"""

from __future__ import annotations

from flask_babel import gettext as _


def texts() -> dict[str, str]:
    """Texts in the language of the request; commands stay what the device hears."""
    return {**_frame(), **_pairing(), **_work(), **_values(), **_ending()}


def _frame() -> dict[str, str]:
    return {
        "live": _("Live"),
        "age": _("{age} old"),
        "lost": _("No connection"),
        "lost_for": _("No connection, {age}"),
        "unsent": _("{count} unsent"),
        "attention": _("{count} need attention"),
        "my_tasks": _("My tasks"),
        "range_of": _("{first} – {last} of {count}"),
        "no_tasks": _("No tasks for you now. A new one appears here by itself."),
        "due": _("due {time}"),
        "overdue": _("overdue {time}"),
        "urgent": _("URGENT"),
        "blocked": _("BLOCKED"),
        "paused": _("PAUSED"),
        "in_work": _("in work"),
        "new_task": _("New task: {title}"),
        "alarm": _("{asset}: {text}"),
        "loading": _("Loading"),
        "refused": _("Not accepted: {reason}"),
        "gone": _("This task was given to somebody else."),
        "cancelled": _("This task was cancelled."),
    }


def _pairing() -> dict[str, str]:
    return {
        "pair_title": _("Connect this device"),
        "pair_how": _("On a phone or computer that is signed in, open"),
        "pair_code": _("and enter this code"),
        "pair_scan": _("or scan"),
        "pair_left": _("valid for {age}"),
        "pair_denied": _("The person refused this device."),
        "pair_expired": _("The code has expired."),
        "pair_ended": _("The shift has ended; connect again."),
        "pair_away": _("The server does not answer; trying again."),
    }


def _work() -> dict[str, str]:
    return {
        "danger": _("DANGER"),
        "confirm_each": _("confirm each one before you start"),
        "of": _("{n} of {count}"),
        "confirmed": _("CONFIRMED"),
        "confirm": _("CONFIRM"),
        "waiting": _("waiting"),
        "all_confirmed": _("All dangers confirmed. Start the work."),
        "no_dangers": _("No dangers are named for this task. Look around before you start."),
        "reopened": _("Came back: {reason}"),
        "no_steps": _("No procedure. Do the work, then finish the task."),
        "sending": _("Sending"),
        "kept": _("Kept here, will be sent"),
        "problem_title": _("What is wrong?"),
        "problem_part": _("A part is missing"),
        "problem_access": _("I cannot get to it"),
        "problem_unsafe": _("It is not safe"),
        "problem_other": _("The instruction does not fit"),
        "blocked_now": _("Reported. The task is on hold until somebody helps."),
        "paused_now": _("The task is paused."),
        "picture_of": _("Picture"),
        "fit_part": _("Part {sku}, {qty} pcs"),
        "scan_wanted": _("Scan {code}, or type it"),
        "seconds_left": _("{count} s left"),
    }


def _values() -> dict[str, str]:
    return {
        "in_range": _("in range"),
        "above": _("above range"),
        "below": _("below range"),
        "stale": _("Stale {age}"),
        "no_value": _("no value"),
        "uncertain": _("uncertain"),
        "enter_value": _("Enter the value"),
        "range": _("range {lo} – {hi}"),
        "outside": _("Outside the range. It will be recorded as not OK."),
        "not_a_number": _("Enter a number."),
        "reading_stale": _("The reading is stale; enter the value."),
    }


def _ending() -> dict[str, str]:
    return {
        "finish_title": _("All steps are done"),
        "finish_verdict": _("Was there really a fault?"),
        "finish_plain": _("Finish the task?"),
        "done": _("Done"),
        "proof_settling": _("The proof starts when the machine has settled."),
        "proof_running": _("The signal is being watched: {good} of {required} good"),
        "proved_1": _("Proved"),
        "proved_2": _("by signal"),
        "reopened_title": _("Reopened"),
        "decision_title": _("Decision needed"),
        "decision": _("Not enough good data. Somebody else decides."),
        "verified": _("Verified"),
        "in_range_for": _("{age} in range"),
        "evidence": _("{before} → {after} {unit}"),
        "limit": _("limit {limit}"),
        "closed": _("Order closed."),
        "no_evidence": _("No signal belongs to this task."),
        "chart": _("Signal before and after the repair"),
    }
