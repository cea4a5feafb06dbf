"""Files of tables: nothing in them runs, every script survives, long ones are written as they come."""

from __future__ import annotations

import csv
import io
import re
import tracemalloc
import zlib
from base64 import a85decode
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth

from server.api.exports import download
from server.export import pdf
from server.export.files import FORMATS, csv_bytes, pdf_bytes, xlsx_bytes
from server.export.table import FORMULA_STARTS, Column, Table, quoted

COLUMNS = (Column("name", "Name"), Column("flow", "Flow", "number", "m³/h"), Column("cost", "Cost", "money", "€"))


def table(*rows: dict[str, Any], columns: tuple[Column, ...] = COLUMNS) -> Table:
    return Table("Flows", columns, rows)


def sheet(made: bytes, n: int = 0) -> list[tuple[Any, ...]]:
    book = openpyxl.load_workbook(io.BytesIO(made))
    return list(book.worksheets[n].iter_rows(values_only=True))


def lines(made: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(made.decode("utf-8-sig"), newline="")))


def streams_of(made: bytes) -> list[bytes]:
    """A PDF's streams, unpacked: drawing commands, fonts, their maps."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", made, re.DOTALL)
    packed = [a85decode(b"<~" + one.strip(), adobe=True) if one.strip().endswith(b"~>") else one for one in streams]
    return [zlib.decompress(one) for one in packed]


def letters(made: bytes) -> str:
    """What the fonts' ToUnicode maps say stands in a PDF: every character that copying out of it would give."""
    maps = [stream.decode("latin-1") for stream in streams_of(made) if b"beginbfrange" in stream or b"beginbfchar" in stream]
    codes = re.findall(r"<([0-9A-F]{4})>(?=[\s\]])", " ".join(maps))
    return "".join(chr(int(code, 16)) for code in codes)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"], ids=lambda one: f"U+{ord(one):04X}")
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_text_that_a_spreadsheet_would_run_is_quoted(start: str, kind: str) -> None:
    text = f'{start}HYPERLINK("http://evil","x")'

    rows = lines(csv_bytes(table({"name": text}))) if kind == "csv" else sheet(xlsx_bytes(table({"name": text})))

    assert rows[1][0].replace("_x000D_", "\r").replace("\r\n", "\n") in {f"'{text}", f"'{text}".replace("\r", "\n")}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(FORMULA_STARTS)))
def test_no_quoted_text_starts_as_a_formula(text: str) -> None:
    assert not quoted(text).startswith(FORMULA_STARTS)
    assert quoted(text).removeprefix("'") == text.removeprefix("'")


def test_headings_and_titles_are_quoted_too() -> None:
    evil = Table("=1+1", (Column("a", "=2+2"),), [{"a": 1}])

    assert lines(csv_bytes([evil, evil]))[:2] == [["'=1+1"], ["'=2+2"]]
    assert sheet(xlsx_bytes(evil))[0] == ("'=2+2",)


def test_numbers_stay_numbers_also_below_zero() -> None:
    rows = table({"name": "P-1", "flow": -5.25, "cost": Decimal("-12.50")})

    assert lines(csv_bytes(rows))[1] == ["P-1", "-5.25", "-12.50"]
    assert sheet(xlsx_bytes(rows))[1] == ("P-1", -5.25, -12.5)


def test_numbers_that_no_spreadsheet_holds_are_text() -> None:
    rows = table({"name": float("nan"), "flow": float("inf"), "cost": 2**60})

    assert sheet(xlsx_bytes(rows))[1] == ("nan", "inf", str(2**60))


def test_units_stand_in_the_headings_and_times_name_their_zone() -> None:
    columns = (*COLUMNS[1:], Column("at", "Done", "time"), Column("day", "Day", "date"))
    at = datetime(2026, 11, 20, 15, 0, tzinfo=timezone(timedelta(hours=1)))
    rows = table({"at": at, "day": date(2026, 11, 20)}, columns=columns)

    assert lines(csv_bytes(rows)) == [["Flow (m³/h)", "Cost (€)", "Done (UTC)", "Day"], ["", "", "2026-11-20T14:00:00.000Z", "2026-11-20"]]
    assert sheet(xlsx_bytes(rows))[1] == (None, None, datetime(2026, 11, 20, 14, 0), datetime(2026, 11, 20))  # noqa: DTZ001


UNICODE = "Ωμέγα €5 m³/h ÷ Łódź مضخة"


def test_every_script_survives_in_csv_and_xlsx() -> None:
    assert lines(csv_bytes(table({"name": UNICODE})))[1][0] == UNICODE
    assert sheet(xlsx_bytes(table({"name": UNICODE})))[1][0] == UNICODE


def test_every_script_has_its_glyphs_in_the_pdf() -> None:
    found = letters(pdf_bytes(table({"name": UNICODE})))

    assert set(UNICODE) - {" "} <= set(found)
    pdf.styles()
    assert all(ord(one) in pdf.pdfmetrics.getFont(pdf.FONT).face.charToGlyph for one in UNICODE)


def test_lists_and_claims_read_as_words() -> None:
    assert lines(csv_bytes(table({"name": ["a", "b"], "flow": True, "cost": None})))[1] == ["a, b", "yes", ""]


def test_line_ends_and_quotes_do_not_break_rows() -> None:
    rows = table({"name": 'first "line"\nsecond, line'}, {"name": "next"})

    assert [row[0] for row in lines(csv_bytes(rows))] == ["Name", 'first "line"\nsecond, line', "next"]


def test_several_tables_are_sections_of_a_csv_and_sheets_of_a_workbook() -> None:
    first, second = table({"name": "a"}), table({"name": "b"})

    assert [row[:1] for row in lines(csv_bytes([first, second]))] == [["Flows"], ["Name"], ["a"], [], ["Flows"], ["Name"], ["b"]]
    made = xlsx_bytes([first, Table("History", COLUMNS, []), second])
    assert [one.title for one in openpyxl.load_workbook(io.BytesIO(made)).worksheets] == ["Flows", "History 2", "Flows 3"]


def test_a_sheet_name_that_excel_refuses_is_changed() -> None:
    made = xlsx_bytes([Table("A/B: what? [all]*" + "x" * 40, COLUMNS, []), Table("'", COLUMNS, [])])

    names = [one.title for one in openpyxl.load_workbook(io.BytesIO(made)).worksheets]
    assert names[0].startswith("A B  what")
    assert len(names[0]) == 31
    assert names[1] == "Sheet 2"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_long_table_is_written_as_it_comes(kind: str, app_context: Flask) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for n in range(20_000):
            yield {"name": f"{n:06d}" * 40, "flow": n, "cost": n}

    tracemalloc.start()
    answer = download(Table("Long", COLUMNS, rows()), kind, "long")
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer.status_code == 200
    assert peak < 4_000_000  # the rows alone are 20 MB
    answer.close()


def test_pdf_pages_are_numbered_and_repeat_the_headings() -> None:
    made = pdf_bytes(table(*({"name": f"P-{n}", "flow": n, "cost": n} for n in range(200))))

    pages = made.count(b"/Type /Page\n") + made.count(b"/Type /Page ")
    assert pages >= 4
    assert made.startswith(b"%PDF")
    drawn = [stream for stream in streams_of(made) if b"BT" in stream and b"Tf" in stream]
    assert len(drawn) == pages


def test_a_pdf_says_how_many_rows_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MOST_ROWS", 3)

    told = pdf.table_flowables(table(*({"name": str(n)} for n in range(5))))[-1]

    assert told.text == "2 more rows are not printed; take the CSV or XLSX for all."


def test_a_pdf_shows_marks_as_text_and_bears_long_words() -> None:
    made = pdf_bytes(table({"name": "<b>&amp; <script>" + "x" * 5000}, {"name": None}))

    assert {"<", "&", ";", ">"} <= set(letters(made))


def test_no_word_of_a_wide_report_breaks() -> None:
    labels = (
        "Number",
        "Title",
        "Machine",
        "Area",
        "Type",
        "Priority",
        "Status",
        "Assigned to",
        "Opened",
        "Due",
        "Promised",
        "Completed",
        "Late",
    )
    columns = tuple(Column(label.lower(), label, "time" if n in {8, 9, 10, 11} else "text") for n, label in enumerate(labels))
    texts = ("WO-2026-000123", "Replace the gearbox and align the coupling of the conveyor", "A1-PACK-CONV-01", "Packaging", "corrective")
    row: dict[str, Any] = dict(zip((column.key for column in columns), (*texts, "emergency", "in_progress", "Administrator"), strict=False))
    row |= {column.key: datetime(2026, 11, 21, 10, tzinfo=UTC) for column in columns if column.kind == "time"}

    laid: Any
    (laid,) = pdf.table_flowables(Table("Orders", columns, [row]), wide=True)

    for line in laid._cellvalues:
        for width, paragraph in zip(laid._colWidths, line, strict=True):
            style, words = paragraph.style, paragraph.getPlainText().split()
            assert max((stringWidth(word, style.fontName, style.fontSize) for word in words), default=0) <= width - 2 * pdf.SIDE, words
    assert sum(laid._colWidths) == pytest.approx(A4[1] - 2 * pdf.MARGIN)
    assert laid._colWidths[1] == max(laid._colWidths)  # the title, the longest text


def test_one_endless_word_takes_only_what_the_others_leave() -> None:
    laid: Any
    (laid,) = pdf.table_flowables(table({"name": "x" * 300, "flow": 1.5, "cost": 100}))

    assert min(laid._colWidths[1:]) > stringWidth("(m³/h)", pdf.BOLD, 7)
    assert sum(laid._colWidths) == pytest.approx(A4[0] - 2 * pdf.MARGIN)


def test_identifiers_are_words_on_paper_and_stay_identifiers_for_programs() -> None:
    made: Any
    states = Table("Orders", (Column("status", "Status", "word"),), [{"status": "in_progress"}, {"status": None}])
    (made,) = pdf.table_flowables(states)

    assert [line[0].getPlainText() for line in made._cellvalues] == ["Status", "In progress", ""]
    assert lines(csv_bytes(states))[1] == ["in_progress"]


def test_an_empty_table_is_a_pdf_too() -> None:
    assert pdf_bytes(table()).startswith(b"%PDF")


@pytest.fixture
def app_context() -> Iterator[Flask]:
    app = Flask("exports")
    with app.test_request_context():
        yield app


@pytest.mark.parametrize("kind", FORMATS)
def test_a_download_is_saved_never_shown(kind: str, app_context: Flask) -> None:
    answer = download(table({"name": "a"}), kind, 'pümps "2026"/11')

    assert answer.headers["Content-Disposition"] == f"attachment; filename=p-mps-2026-11.{kind}"
    assert answer.headers["Content-Type"].count("charset") == (kind == "csv")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-store"
    answer.close()
