"""Reads a Telegraf configuration (TOML): inputs s7comm, opcua, opcua_listener, mqtt_consumer and modbus. Pure.

Passwords that are written there are taken; references such as ${NAME} and @{store:key} are not, a person writes those in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from plc.addressing import cells, telegraf_modbus
from plc.addressing.drafts import Draft, Given
from plc.addressing.errors import TagMapError

MAX_BYTES = 1_000_000
LONGEST_LINE = 20_000  # keys of a hundred thousand parts take the reader minutes
_REFERENCE = re.compile(r"\$\{|@\{|^\$")
_POLICIES = {"none": None, "auto": None, "basic256sha256": "Basic256Sha256", "aes128_sha256_rsaoaep": "Aes128Sha256RsaOaep"}


def read(content: bytes, given: Given) -> list[Draft]:
    """One draft a plug-in of a kind we collect; the others are named in its notes. Raises TagMapError where it is no TOML."""
    text = cells.text_of(content)
    if len(text) > MAX_BYTES or any(len(line) > LONGEST_LINE for line in text.splitlines()):
        raise TagMapError("file", f"larger than {MAX_BYTES // 1_000_000} MB, or a line longer than {LONGEST_LINE} characters")
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"line (\d+)", str(error))
        raise TagMapError(f"line {line[1]}" if line else "file", f"no TOML: {error}"[:300]) from error
    inputs = found.get("inputs")
    if not isinstance(inputs, dict):
        raise TagMapError("file", "no Telegraf configuration: it has no [[inputs....]]")
    drafts: list[Draft] = []
    for plugin, make in PLUGINS.items():
        for i, settings in enumerate(_tables(inputs.get(plugin))):
            drafts.append(make(settings, f"inputs.{plugin}[{i}]", given))
    if not drafts:
        raise TagMapError("file", f"none of {', '.join(PLUGINS)} is in it")
    others = sorted(set(inputs) - set(PLUGINS))
    if others:
        drafts[0].notes.append(f"not taken: {', '.join(others)[:200]}")
    return _named_apart(drafts)


def _tables(value: Any) -> list[dict[str, Any]]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _named_apart(drafts: list[Draft]) -> list[Draft]:
    """Two plug-ins may be named alike; the second gets a number."""
    seen: dict[str, int] = {}
    for draft in drafts:
        name = str(draft.source["name"])[:58]
        seen[name] = seen.get(name, 0) + 1
        draft.source["name"] = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return drafts


def _draft(settings: dict[str, Any], given: Given, source: dict[str, Any], where: str) -> Draft:
    draft = Draft(source, {"normal": str(settings.get("interval") or "1s")}, given.machine or None)
    for key in ("username", "password"):
        value = settings.get(key)
        if isinstance(value, str) and value:
            if _REFERENCE.search(value):
                draft.notes.append(f"{where}.{key}: a reference is not taken; write it into the source")
            else:
                draft.source["user" if key == "username" else key] = value
    return draft


def _name(given: Given, settings: dict[str, Any], kind: str, host: str) -> str:
    wanted = given.source or str(settings.get("name_override") or settings.get("alias") or settings.get("name") or "")
    return (wanted or f"{kind}-{host}")[:64]


def _s7comm(settings: dict[str, Any], where: str, given: Given) -> Draft:
    host, _, port = (
        str(settings.get("server", "")).rpartition(":") if ":" in str(settings.get("server", "")) else (settings.get("server", ""), "", "")
    )
    source: dict[str, Any] = {"name": _name(given, settings, "s7", str(host)), "driver": "s7", "host": str(host)}
    source |= {key: settings[key] for key in ("rack", "slot") if isinstance(settings.get(key), int)}
    if port.isdecimal() and len(port) < 6 and int(port) != 102:
        source["port"] = int(port)
    draft = _draft(settings, given, source, where)
    for i, metric in enumerate(_tables(settings.get("metric"))):
        for j, one in enumerate(_tables(metric.get("fields"))):
            entry = {"name": _tag(given, metric.get("name"), one.get("name")), "addr": str(one.get("address", ""))}
            draft.add(f"{where}.metric[{i}].fields[{j}]", entry)
    return draft


def _tag(given: Given, *parts: Any) -> str:
    return given.prefix + ".".join(str(part) for part in parts if part)


def _opcua(settings: dict[str, Any], where: str, given: Given) -> Draft:
    endpoint = str(settings.get("endpoint", ""))
    source: dict[str, Any] = {"name": _name(given, settings, "opcua", _host_of(endpoint)), "driver": "opcua", "url": endpoint}
    draft = _draft(settings, given, source, where)
    policy = _POLICIES.get(str(settings.get("security_policy", "none")).lower())
    if policy:
        draft.notes.append(f"{where}.security_policy: {policy} needs our certificate trusted by the server; set it in the source")
    for at, one in _nodes(settings, where):
        name, kind = str(one.get("name") or one.get("field_name") or ""), str(one.get("identifier_type") or "s")
        namespace, identifier = str(one.get("namespace") or ""), str(one.get("identifier") or "")
        uri = str(one.get("namespace_uri") or "")
        space = f"nsu={uri};" if uri else f"ns={namespace};" if namespace not in {"", "0"} else ""
        draft.add(at, {"name": _tag(given, name), "addr": str(one.get("id") or f"{space}{kind}={identifier}")})
    return draft


def _nodes(settings: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for i, node in enumerate(_tables(settings.get("nodes"))):
        yield f"{where}.nodes[{i}]", node
    for g, group in enumerate(_tables(settings.get("group"))):
        common = {key: group[key] for key in ("namespace", "namespace_uri", "identifier_type") if key in group}
        for i, node in enumerate(_tables(group.get("nodes"))):
            yield f"{where}.group[{g}].nodes[{i}]", common | node


def _mqtt(settings: dict[str, Any], where: str, given: Given) -> Draft:
    servers = [str(one) for one in settings.get("servers", []) if isinstance(one, str)]
    url = servers[0].replace("tcp://", "mqtt://").replace("ssl://", "mqtts://") if servers else ""
    topics = [str(topic) for topic in settings.get("topics", []) if isinstance(topic, str)]
    source: dict[str, Any] = {"name": _name(given, settings, "mqtt", _host_of(url)), "driver": "mqtt", "url": url, "topics": topics}
    draft = _draft(settings, given, source, where)
    if len(servers) > 1:
        draft.notes.append(f"{where}.servers: only the first one is taken, make a source of each")
    form = str(settings.get("data_format", "influx"))
    plain = [topic for topic in topics if "+" not in topic and "#" not in topic]
    fields = [str(one["path"]) for table in _tables(settings.get("json_v2")) for one in _tables(table.get("field")) if one.get("path")]
    fields += [str(one) for one in settings.get("json_string_fields", []) if isinstance(one, str)]
    for topic in plain:
        wanted: list[str] = fields if form in {"json", "json_v2"} else [""] if form == "value" else []
        for path in wanted:
            name = ".".join(part for part in (topic.rpartition("/")[2], path.rpartition(".")[2]) if part)
            draft.add(f"{where}.topics[{topics.index(topic)}]", {"name": _tag(given, name), "addr": f"{topic}#{path}" if path else topic})
    if len(plain) < len(topics) or form not in {"json", "json_v2", "value"}:
        draft.notes.append(f"{where}: topics with wildcards name no tags; what comes is listed as discovered, accept it there")
    return draft


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _modbus(settings: dict[str, Any], where: str, given: Given) -> Draft:
    controller = str(settings.get("controller", ""))
    source: dict[str, Any] = {
        "name": _name(given, settings, "modbus", _host_of(controller)),
        "driver": "modbus",
        "host": _host_of(controller),
    }
    try:
        source |= {"port": urlsplit(controller).port or 502}
    except ValueError as error:
        raise TagMapError(f"{where}.controller", f"{controller[:80]!r} is no address such as tcp://10.0.0.9:502") from error
    draft = _draft(settings, given, source, where)
    telegraf_modbus.registers(draft, settings, where, given.prefix)
    return draft


PLUGINS: dict[str, Callable[[dict[str, Any], str, Given], Draft]] = {
    "s7comm": _s7comm,
    "opcua": _opcua,
    "opcua_listener": _opcua,
    "mqtt_consumer": _mqtt,
    "modbus": _modbus,
}
