"""What schemas are called in the document: their own name, with the resource in front where two resources use the same.

Variants of one schema (partial, only, exclude) carry what makes them differ.
"""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import class_registry

_SHARED = frozenset({"schemas", "blueprint"})


def schema_name(schema: type[ma.Schema] | ma.Schema | str) -> str:
    """The component's name for apispec; one name per schema and variant."""
    if isinstance(schema, str):
        found: Any = class_registry.get_class(schema)
        return schema_name(found)
    kind = schema if isinstance(schema, type) else type(schema)
    module = kind.__module__.rpartition(".")[2]
    same = class_registry.get_class(kind.__name__, all=True)
    crowded = isinstance(same, list) and len({one.__module__ for one in same}) > 1
    name = kind.__name__.removesuffix("Schema")
    if crowded and module not in _SHARED:
        name = "".join(word.title() for word in module.split("_")) + name
    return name if isinstance(schema, type) else name + _variant(schema)


def _variant(schema: ma.Schema) -> str:
    words = ["Partial"] if schema.partial else []
    words += ["Only", *sorted(schema.only)] if schema.only else []
    words += ["Without", *sorted(schema.exclude)] if schema.exclude else []
    return "".join(word[:1].upper() + word[1:] for word in words)
