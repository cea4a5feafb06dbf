"""What an OPC UA server holds below a node, for the engineer who chooses tags: names, addresses, kinds, units, values of now.

It subscribes nothing. Four calls a level, however many children there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from plc.addressing import opcua as address
from plc.addressing.errors import AddressError
from plc.connector import Branch
from plc.connectors.opcua_session import Session

CHILDREN_MOST = 5000
SHOWN = 60
_PROPERTIES = frozenset({"EngineeringUnits", "EURange"})

Kind = Literal["f64", "text", "frame", ""]


async def branches(session: Session, path: str) -> list[Branch]:
    """Children of the node at path ("" is the Objects folder), folders before variables; raises AddressError, UaError."""
    start = node_of(session, path) if path else ua.NodeId(ua.Int32(ObjectIds.ObjectsFolder))
    found = (await _children(session, [start], ObjectIds.HierarchicalReferences, ua.NodeClass.Object | ua.NodeClass.Variable))[0]
    values = await _variables(session, [each for each in found if each.NodeClass == ua.NodeClass.Variable])
    made = [_branch(session, each, values.get(each.NodeId.to_string())) for each in found]
    return sorted(made, key=lambda branch: (bool(branch.address), branch.name.lower()))


def node_of(session: Session, path: str) -> ua.NodeId:
    """The node id of an address in this session; raises AddressError, also where the namespace is not on the server."""
    parsed = address.parse(path)
    if parsed.uri is None:
        return ua.NodeId.from_string(parsed.canonical())
    if parsed.uri not in session.namespaces:
        raise AddressError(4, "a namespace that this server has; browse from the top")
    return ua.NodeId.from_string(parsed.at_index(session.namespaces[parsed.uri]))


def address_of(session: Session, node: ua.NodeId) -> str:
    """The stable spelling: by namespace URI, because the index moves."""
    text = ua.NodeId(node.Identifier, ua.Int16(0), node.NodeIdType).to_string()
    by_index = {index: uri for uri, index in session.namespaces.items()}
    uri = by_index.get(int(node.NamespaceIndex), "")
    if not node.NamespaceIndex:
        return text
    return f"nsu={uri};{text}" if uri and ";" not in uri else f"ns={node.NamespaceIndex};{text}"


async def _children(session: Session, nodes: Sequence[ua.NodeId], reference: int, classes: int) -> list[list[ua.ReferenceDescription]]:
    """References of many nodes, each with all its pages, CHILDREN_MOST a node at most."""

    async def ask(piece: Sequence[ua.NodeId]) -> Sequence[ua.BrowseResult]:
        wanted = [
            ua.BrowseDescription(
                NodeId=node,
                BrowseDirection=ua.BrowseDirection.Forward,
                ReferenceTypeId=ua.NodeId(ua.Int32(reference)),
                IncludeSubtypes=True,
                NodeClassMask=int(classes),
                ResultMask=int(ua.BrowseResultMask.All),
            )
            for node in piece
        ]
        return await client.browse(ua.BrowseParameters(View=ua.ViewDescription(), NodesToBrowse=wanted))

    client = session.client.uaclient.session
    found: list[list[ua.ReferenceDescription]] = []
    for result in await session.limits.call("browse", nodes, ask):
        references = list(result.References or ())
        point = result.ContinuationPoint
        while point and len(references) < CHILDREN_MOST:
            (page,) = await client.browse_next(ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=[point]))
            references += page.References or ()
            point = page.ContinuationPoint
        if point:
            await client.browse_next(ua.BrowseNextParameters(ReleaseContinuationPoints=True, ContinuationPoints=[point]))
        found.append(references)
    return found


async def _variables(session: Session, found: Sequence[ua.ReferenceDescription]) -> dict[str, tuple[ua.DataValue, str, str]]:
    """Value, unit and range text of each variable, by node id."""
    nodes = [each.NodeId for each in found]
    if not nodes:
        return {}
    values = await session.read(nodes, AttributeIds.Value)
    properties = await _children(session, nodes, ObjectIds.HasProperty, ua.NodeClass.Variable)
    wanted = [(place, each) for place, group in enumerate(properties) for each in group if each.BrowseName.Name in _PROPERTIES]
    answers = await session.read([each.NodeId for _, each in wanted], AttributeIds.Value) if wanted else []
    told: dict[tuple[int, str], Any] = {
        (place, each.BrowseName.Name): answer.Value.Value
        for (place, each), answer in zip(wanted, answers, strict=True)
        if answer.Value is not None
    }
    return {
        node.to_string(): (value, _unit(told.get((place, "EngineeringUnits"))), _range(told.get((place, "EURange"))))
        for place, (node, value) in enumerate(zip(nodes, values, strict=True))
    }


def _branch(session: Session, found: ua.ReferenceDescription, variable: tuple[ua.DataValue, str, str] | None) -> Branch:
    where = address_of(session, found.NodeId)
    name = found.DisplayName.Text or found.BrowseName.Name or where
    if variable is None:
        return Branch(name, path=where)
    value, unit, span = variable
    content = value.Value.Value if value.Value is not None else None
    kind = _kind(content)
    type_name = value.Value.VariantType.name if value.Value is not None else "no value"
    bad = "" if value.StatusCode is None or value.StatusCode.is_good() else f"{value.StatusCode.name} "
    below = "" if kind else where  # a structure may have members
    return Branch(name, below, where, kind, unit, bad + _shown(content), " ".join(filter(None, (type_name, span))))


def _kind(content: Any) -> Kind:
    if isinstance(content, str):
        return "text"
    if isinstance(content, bool | int | float):
        return "f64"
    if isinstance(content, list) and content:
        first = content[0][0] if isinstance(content[0], list) and content[0] else content[0]
        return "frame" if isinstance(first, int | float) else ""
    return ""


def _shown(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, list):
        return f"array of {' x '.join(map(str, np.shape(content)))}"
    return (f"{content:.7g}" if isinstance(content, float) else str(content))[:SHOWN]


def _unit(told: Any) -> str:
    return str(getattr(getattr(told, "DisplayName", None), "Text", None) or "")


def _range(told: Any) -> str:
    low, high = getattr(told, "Low", None), getattr(told, "High", None)
    return "" if low is None or high is None else f"{low:g} .. {high:g}"
