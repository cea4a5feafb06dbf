"""Where other domains take part in the life of an order: what parts cost, and what must be so before an order is completed.

Functions named here come from leaf modules (they import models, rules and errors, never orders), so that nothing runs in a circle.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from server.models.work import WorkOrder
from server.store.actor import Person
from server.store.levels import cost_of_order

BeforeCompletion = Callable[[Session, WorkOrder, Person, datetime], None]

# each raises Conflict or Invalid to refuse; called with the order locked, before anything of it changes
BEFORE_COMPLETION: tuple[BeforeCompletion, ...] = ()


def parts_cost() -> ColumnElement[Any]:
    """Cost of the parts issued to an order, as a column correlated with WorkOrder.id."""
    return cost_of_order()
