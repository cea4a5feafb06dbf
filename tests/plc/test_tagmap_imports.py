"""Lists of tags as other tools write them: what is taken, what is refused and where, and what a hostile file cannot do."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import openpyxl
import pytest

from plc.addressing import documents, imports, tagmap_csv
from plc.addressing.drafts import Given
from plc.addressing.imports import Found, found_in

MAPS = Path(__file__).with_name("tagmaps")
FILLER = Given(source="filler-plc", host="10.9.0.6", machine="FILLER", prefix="FILLER.")


def of(name: str, dialect: str, given: Given | None = None) -> Found:
    return found_in((MAPS / name).read_bytes(), dialect, given or Given())


def addresses(found: Found, source: int = 0) -> dict[str, str]:
    return {tag.name: tag.address for tag in found.maps[source].tags}


def test_csv_and_yaml_of_ours_say_the_same() -> None:
    yaml, csv = of("press.yaml", "yaml"), of("press.csv", "csv")

    assert yaml.wrong == csv.wrong == []
    (one,), (other,) = yaml.maps, csv.maps
    assert (one.source, one.kind, one.config, one.groups, one.asset) == (other.source, other.kind, other.config, other.groups, other.asset)
    assert [replace_given(tag) for tag in one.tags] == [replace_given(tag) for tag in other.tags]


def replace_given(tag: object) -> dict[str, object]:
    return {name: getattr(tag, name) for name in tag.__slots__ if name != "given"}  # type: ignore[attr-defined]


def test_every_bad_row_is_named_with_its_place_and_the_good_ones_stay() -> None:
    found = of("press_bad.csv", "csv")

    assert [(one.field, one.text, one.position) for one in found.wrong] == [
        ("line 5.low", "", None),
        ("line 4.addr", "DB10,X0.9", 7),
        ("line 6.name", "", None),
    ]
    assert list(addresses(found)) == ["PRESS-09.good", "PRESS-09.odd"]
    assert any("line 7.addr" in told and "odd" in told for told in found.warnings)


@pytest.mark.parametrize("name", ["filler_tia.xml", "filler_openness.xml", "filler_tia.csv"])
def test_tag_tables_of_tia(name: str) -> None:
    found = of(name, "tia", FILLER)

    assert addresses(found)["FILLER.Fill_weight"] == "MD100:REAL"
    assert found.bare == {"filler-plc"}
    assert found.maps[0].config == {"host": "10.9.0.6"}


def test_a_tia_table_tells_of_types_that_cannot_be_read() -> None:
    found = of("filler_tia.xml", "tia", FILLER)

    assert addresses(found) == {"FILLER.Running": "I0.0:BOOL", "FILLER.Level_raw": "IW256:INT", "FILLER.Fill_weight": "MD100:REAL"}
    assert found.maps[0].tags[1].label == "Level, raw"
    assert [one.field for one in found.wrong] == ["line 6.addr"]


def test_a_workbook_of_tia() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "PLC Tags"
    sheet.append(["Name", "Path", "Data Type", "Logical Address", "Comment", "Hmi Visible"])
    sheet.append(["Speed", "Default tag table", "Real", "%MD20", "of the belt", True])
    sheet.append(["Odd", "Default tag table", "Bool", "%M0.9", None, True])
    out = io.BytesIO()
    book.save(out)

    found = found_in(out.getvalue(), "tia", FILLER)

    assert addresses(found) == {"FILLER.Speed": "MD20:REAL"}
    assert [(one.field, one.text) for one in found.wrong] == [("line 3.addr", "%M0.9")]


def test_a_list_of_kepware() -> None:
    found = of("oven_kepware.csv", "kepware", Given(source="oven", host="10.9.0.4"))

    assert addresses(found) == {
        "Zone1_Temp": "DB20.DBD4:REAL",
        "Zone2_Temp": "DB20.DBW8:INT",
        "Door_Open": "DB20.DBX0.1:BOOL",
        "Flow": "DB20.DBD12:REAL",
    }
    zone2 = found.maps[0].tags[1]
    assert (zone2.unit, zone2.scale_raw, zone2.scale_eng, found.maps[0].groups[zone2.group]) == ("°C", (0, 27648), (0, 400), 0.5)
    assert [one.field for one in found.wrong] == ["line 7.scan rate", "line 6.addr"]
    assert found.warnings == ["line 5.scaling: only linear scaling is taken, the raw value is read"]


def test_a_telegraf_configuration_is_a_source_a_plugin() -> None:
    found = of("mixer_telegraf.toml", "telegraf")

    assert [(one.source, one.kind) for one in found.maps] == [("s7-10.9.0.7", "s7"), ("mixer-scada", "opcua"), ("mqtt-10.9.0.9", "mqtt")]
    assert found.maps[0].config == {"host": "10.9.0.7", "rack": 0, "slot": 2}
    assert found.maps[0].groups == {"normal": 0.5}
    assert addresses(found, 0) == {"mixer.rpm": "DB1.DBD4:REAL", "mixer.lid_open": "DB1.DBX2.1:BOOL"}
    assert addresses(found, 1) == {"torque": "ns=2;s=Mixer.Torque", "level": "ns=3;i=1042"}
    assert addresses(found, 2) == {"mixer.temperature": "hall/mixer#temperature"}
    assert found.maps[1].config == {"url": "opc.tcp://10.9.0.8:4840", "user": "reader"}
    assert [one.field for one in found.wrong] == ["inputs.s7comm[0].metric[0].fields[2].addr"]
    assert any("cpu" in told for told in found.warnings)
    assert any("password" in told for told in found.warnings)


def test_modbus_registers_of_telegraf_in_both_styles() -> None:
    found = of("meter_telegraf.toml", "telegraf")

    (meter,) = found.maps
    assert (meter.source, meter.kind, meter.config) == ("meter-hall", "modbus", {"host": "10.9.0.12", "port": 502, "unit": 3})
    assert addresses(found) == {
        "door": "discrete:0:bool",
        "voltage": "holding:8:int16",
        "energy": "holding:10:float32:CDAB",
        "flow": "input:4:uint32:ABCD",
    }
    assert (meter.tags[1].scale_raw, meter.tags[1].scale_eng) == ((0, 1), (0, 0.1))
    assert [one.field for one in found.wrong] == ["inputs.modbus[0].holding_registers[2]"]


def test_a_list_of_kepware_for_modbus() -> None:
    given = Given(source="m", kind="modbus", host="10.9.0.12")

    found = found_in(b"Tag Name,Address,Data Type\nSpeed,40009,Float\nRun,00001,Boolean\n", "kepware", given)

    assert addresses(found) == {"Speed": "holding:8:float32", "Run": "coil:0:bool"}


def test_lists_of_nodes7_and_node_red() -> None:
    given = Given(source="pump-plc")
    plain, flow, csv = of("pump_nodes7.json", "nodes7", given), of("pump_flow.json", "nodes7"), of("pump_nodes7.csv", "nodes7", given)

    assert addresses(plain) == {"PUMP_RUN": "DB5.DBX0.0:BOOL", "PUMP_PRESSURE": "DB5.DBD4:REAL", "PUMP_NAME": "DB5.DBB20:STRING[20]"}
    assert [one.field for one in plain.wrong] == ["entry 4.addr"]
    assert flow.maps[0].config == {"host": "10.9.0.11", "port": 102, "rack": 0, "slot": 2}
    assert addresses(flow) == {"run": "DB5.DBX0.0:BOOL", "pressure": "DB5.DBD4:REAL"}
    assert addresses(csv) == {"PUMP_RUN": "DB5.DBX0.0:BOOL", "PUMP_PRESSURE": "DB5.DBD4:REAL"}


def test_a_file_without_a_device_needs_a_source() -> None:
    assert [one.field for one in of("pump_nodes7.json", "nodes7").wrong] == ["source"]


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("press.yaml", "yaml"),
        ("press.csv", "csv"),
        ("press_bad.csv", "csv"),
        ("filler_tia.xml", "tia"),
        ("filler_tia.csv", "tia"),
        ("oven_kepware.csv", "kepware"),
        ("mixer_telegraf.toml", "telegraf"),
        ("pump_nodes7.json", "nodes7"),
        ("pump_flow.json", "nodes7"),
        ("pump_nodes7.csv", "nodes7"),
    ],
)
def test_the_dialect_is_found_out(name: str, dialect: str) -> None:
    assert imports.dialect_of(name, (MAPS / name).read_bytes()) == dialect


def test_a_written_map_reads_as_the_same_map() -> None:
    document = documents.mapping_of((MAPS / "press.yaml").read_text("utf-8"))

    as_csv, as_yaml = (text.encode() for text in (tagmap_csv.write(document), documents.block(document)))

    first = found_in((MAPS / "press.yaml").read_bytes(), "yaml", Given()).maps
    assert [replace_given(tag) for tag in found_in(as_csv, "csv", Given()).maps[0].tags] == [replace_given(tag) for tag in first[0].tags]
    assert found_in(as_yaml, "yaml", Given()).maps == first


def test_a_name_that_a_spreadsheet_would_run_is_quoted_and_read_back() -> None:
    document = {"source": {"name": "s", "driver": "s7"}, "tags": [{"name": "=A1+B2-M1", "addr": "M0.0"}]}

    written = tagmap_csv.write(document)

    assert "'=A1+B2-M1" in written
    assert found_in(written.encode(), "csv", Given()).maps[0].tags[0].name == "=A1+B2-M1"


def zipped(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


ENTITIES = (
    b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Tagtable><Tag addr="%M0.0" type="Bool">&b;</Tag></Tagtable>'
)
HOSTILE = {
    "entities": ("tia", ENTITIES),
    "an outer entity": ("tia", b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Tagtable/>'),
    "deep elements": ("tia", b"<a>" * 100_000),
    "cut XML": ("tia", b"<Tagtable><Tag"),
    "a zip that unfolds": ("tia", zipped(**{"xl/worksheets/sheet1.xml": b"<a>" + b" " * 30_000_000 + b"</a>"})),
    "a zip with entities": ("tia", zipped(**{"xl/worksheets/sheet1.xml": ENTITIES})),
    "a cut zip": ("tia", b"PK\x03\x04 nothing"),
    "a zip of many parts": ("tia", zipped(**{f"p{n}": b"" for n in range(300)})),
    "binary": ("csv", bytes(range(256)) * 10),
    "many rows": ("csv", b"name,addr\n" + b"a,M0.0\n" * 30_000),
    "an open quote": ("csv", b'name,addr\n"' + b"x" * 200_000),
    "too large": ("csv", b"x" * 4_000_001),
    "deep JSON": ("nodes7", b"[" * 100_000),
    "JSON that is a number": ("nodes7", b"[1, 2]"),
    "deep TOML": ("telegraf", b"a = " + b"[" * 15_000),
    "long TOML keys": ("telegraf", b".".join([b"a"] * 100_000) + b" = 1"),
    "TOML of other things": ("telegraf", b"inputs = 5"),
    "no text": ("kepware", b""),
    "anchors": ("yaml", b"a: &x [1]\nb: [*x, *x]"),
}


@pytest.mark.parametrize("case", HOSTILE, ids=list(HOSTILE))
def test_a_hostile_file_is_refused_by_name(case: str) -> None:
    dialect, content = HOSTILE[case]

    found = found_in(content, dialect, Given(source="s", host="h"))

    assert found.maps == [] or found.maps[0].tags == []
    assert found.wrong
    assert all(one.detail and len(str(one)) < 1000 for one in found.wrong)


def test_a_flow_with_nonsense_in_it_is_judged_entry_by_entry() -> None:
    nodes = [
        {
            "type": "s7 endpoint",
            "address": "h",
            "port": "x" * 99,
            "cycletime": "0",
            "vartable": [7, {"addr": {"a": 1}}, {"addr": "M0.0", "name": "ok"}],
        }
    ]

    found = found_in(json.dumps(nodes).encode(), "nodes7", Given())

    assert [one.field for one in found.wrong] == ["entry 1", "entry 2"]
    assert addresses(found) == {"ok": "M0.0:BOOL"}
