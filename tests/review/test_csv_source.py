"""Every line of a CSV is a row, or is shown for what it is; none is lost, whatever it was written by."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mm2energon.errors import InputError
from mm2energon.review.csv_source import CsvSource
from mm2energon.review.indexing import source_at
from mm2energon.sample import Turn

from review.finding import again

HEADER = "index,video_file_path,question,category,answer,status"


def source_of(folder: Path, data: str | bytes, name: str = "a.csv") -> CsvSource:
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return CsvSource(folder / name)


texts = st.text(st.sampled_from("ab é,;|\t\"\n'\\0"), max_size=6)


@given(
    rows=st.lists(st.lists(texts, min_size=6, max_size=6), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    with_bom=st.booleans(),
    order=st.permutations(HEADER.split(",")),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_writer_of_csv_writes_is_read_as_it_was(
    rows: list[list[str]], delimiter: str, line_end: str, with_bom: bool, order: list[str], tmp_path: Path
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    writer.writerows([[name.upper() for name in order], *rows])
    found = again(source_of(tmp_path, ("\ufeff" if with_bom else "") + text.getvalue()))
    # Python's own reader is asked what its writer has written; rows of empty fields are passed over here.
    expected = list(csv.DictReader(io.StringIO(text.getvalue(), newline=""), delimiter=delimiter))
    expected = [one for one in expected if any(map(str.strip, one.values()))]
    assert [dict(one.fields) for one in found] == expected


def is_empty(data: bytes) -> bool:
    """Whether rows hold nothing: commas, and quotes around nothing."""
    return not any(cell.strip() for row in csv.reader(io.StringIO(data.decode(), newline="")) for cell in row)


@given(
    data=st.lists(st.sampled_from(['"', ",", "\n", "\r\n", "a", "é", " ", "\ufeff", "1,v.mp4,q,c,a,\n"]), max_size=30)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_byte_is_lost_of_a_text_that_is_no_csv(data: list[str], tmp_path: Path) -> None:
    source = source_of(tmp_path, f"{HEADER}\n{''.join(data)}")
    places = [one.place for one in again(source)]
    whole, end = source.path.read_bytes(), len(HEADER) + 1
    for place in places:
        assert is_empty(whole[end : place.start])
        end = place.start + place.length
    assert is_empty(whole[end:])


def test_a_row_is_a_sample_of_its_video_question_and_answer(tmp_path: Path) -> None:
    source = source_of(
        tmp_path, "Status;ANSWER;Video File Path;question;index;category;note\naccepted;A cat.;v.mp4;What?;7;x;n\n"
    )
    [found] = again(source)
    sample, error, _ = source.load(found)
    assert error is None
    assert sample is not None
    assert sample.turns == (Turn("user", "<video>\nWhat?"), Turn("assistant", "A cat."))
    assert (sample.videos, sample.id, dict(sample.extra)) == (("v.mp4",), "7", {"note": "n", "category": "x"})
    assert found.entry.origin == "a.csv:2"
    assert found.fields["note"] == "n"


@pytest.mark.parametrize(
    ("rows", "origins"),
    [
        ('1,v,"open,c,a,\n2,v,"q",c,a,\n3,v,q,c,a,\n', ["a.csv:2!", "a.csv:3", "a.csv:4"]),
        ('1,v,q,c,a,\n2,v,q,c,"open,\n', ["a.csv:2", "a.csv:3!"]),
        ('1,v,"two\nlines",c,a,\n2,v,q,c,a,\n', ["a.csv:2", "a.csv:4"]),
        ("1,v,q,c,a,,,,\n2,v,q,c,a,,x\n3,v,q,c,a,\n", ["a.csv:2", "a.csv:3!", "a.csv:4"]),
        ("\n\n1,v,q,c,a,\n\n", ["a.csv:4"]),
        (',,,,,\n"", , ,,,\n1,v,q,c,a,\n   \n,,,,,,,,\n2,v,q,c,a,\n,,,,,', ["a.csv:4", "a.csv:7"]),
        ('"a"b,v,"x" y,c,a,\n', ["a.csv:2"]),
        ('1,v,q\rq,c,a,\n2,v,"q\rq",c,a,\n', ["a.csv:2!", "a.csv:3"]),
        (f'1,v,"{"x" * (5 << 20)},c,a,\n2,v,q,c,a,\n', ["a.csv:2!", "a.csv:3"]),
    ],
)
def test_a_line_that_is_no_row_costs_itself_alone(tmp_path: Path, rows: str, origins: list[str]) -> None:
    found = again(source_of(tmp_path, f"{HEADER}\n{rows}"))
    assert [one.entry.origin + ("!" if one.entry.error else "") for one in found] == origins
    for one in found:
        if one.entry.error is not None:
            assert one.entry.error.code == "bad-row"
            assert one.entry.value in rows


@pytest.mark.parametrize(
    ("row", "missing"),
    [("1,,q,c,a,", "video_file_path"), ("1,v, ,c,a,", "question"), ("1,v,q", "answer"), ("1", "question")],
)
def test_a_row_that_lacks_something_is_a_sample_that_says_so(tmp_path: Path, row: str, missing: str) -> None:
    source = source_of(tmp_path, f"{HEADER}\n{row}\n")
    sample, error, _ = source.load(next(source.found()))
    assert sample is not None
    assert error is not None
    assert (error.code, missing in str(error)) == ("missing-field", True)


def test_bytes_that_are_not_utf8_are_told_by_their_row(tmp_path: Path) -> None:
    source = source_of(tmp_path, HEADER.encode() + b"\n1,v,caf\xe9,c,a,\n2,v,q,c,a,\n")
    errors = [source.load(found).error for found in again(source)]
    assert [error and error.code for error in errors] == ["not-unicode", None]
    assert "iconv" in str(errors[0])


def test_lines_that_end_with_a_return_alone_are_lines(tmp_path: Path) -> None:
    found = again(source_of(tmp_path, f"{HEADER}\r1,v,q,c,a,\r2,v,q,c,a,\r"))
    assert [one.entry.origin for one in found] == ["a.csv:2", "a.csv:3"]


@pytest.mark.parametrize("text", ["", "\ufeff", HEADER, f"{HEADER}\n\n\n", "\n\n"])
def test_a_csv_without_rows_holds_none(tmp_path: Path, text: str) -> None:
    assert again(source_of(tmp_path, text)) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n1,2\n", "video_file_path and question and answer were expected"),
        (b"question,Question,video,answer\n", "two columns are called 'question'"),
        ("question,video,answer\n".encode("utf-16"), "iconv"),
        (b"PK\3\4....", "spreadsheet"),
    ],
)
def test_a_file_that_is_no_csv_of_a_review_is_refused_by_name(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        source_of(tmp_path, data)
    assert str(tmp_path / "a.csv") in str(error.value)


@pytest.mark.parametrize("first", ["sep=;\n", "\ufeffsep=;\r\n", '"sep=,"\n', "SEP=,;;;;;\r\n"])
def test_a_line_that_tells_excel_the_delimiter_is_no_header(tmp_path: Path, first: str) -> None:
    source = source_of(tmp_path, f"{first}{HEADER.replace(',', ';')}\n1;v.mp4;q, and more;c;a;\n")
    (found,) = again(source)
    assert source.load(found).sample is not None
    assert (found.entry.origin, found.fields["question"]) == ("a.csv:3", "q, and more")


def test_further_columns_of_one_name_are_all_kept(tmp_path: Path) -> None:
    source = source_of(tmp_path, f"{HEADER},notes,notes,,\n1,v.mp4,q,c,a,,one,two,three,four\n")
    (found,) = again(source)
    assert list(found.fields.values())[6:] == ["one", "two", "three", "four"]
    assert list(found.fields)[6:] == ["notes", "notes (2)", "", " (2)"]


def test_further_columns_go_along_under_names_that_nobody_takes_for_media_or_turns(tmp_path: Path) -> None:
    source = source_of(
        tmp_path, f",{HEADER},note,Image,videos,system,objects,\n0,1,v.mp4,q,c,a,,n,t.jpg,w.mp4,s,car,x\n"
    )
    sample = source.load(next(source.found())).sample
    assert sample is not None
    assert dict(sample.extra) == {
        "note": "n",
        "csv_Image": "t.jpg",
        "csv_videos": "w.mp4",
        "csv_system": "s",
        "csv_objects": "car",
        "category": "c",
    }


def test_a_file_is_a_csv_by_its_name_and_a_text_by_how_it_begins(tmp_path: Path) -> None:
    rows, entries = f"{HEADER}\n1,v,q,c,a,\n", '\n{"conversations": []}\n'
    files = {"a.CSV": rows, "a.tsv": rows, "a.tab": rows, "a.txt": rows, "b.txt": entries, "a.jsonl": entries}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    kinds = [source_at(tmp_path / name).kind for name in files]
    assert kinds == ["csv", "csv", "csv", "csv", "json", "json"]


def test_a_row_is_known_by_its_video_question_and_answer(tmp_path: Path) -> None:
    texts = [
        f'{HEADER}\n1,v,q,c,"a\nb",\n',
        f'\ufeff{HEADER.replace(",", ";")};notes;\r\n2;v;q;other;"a\r\nb";accepted;more;\r\n',
        'answer\tvideo\tquestion\n"a\nb"\tv\tq\n',
        f'{HEADER}\n1,v,q,c,"a b",\n',
    ]
    sources = [source_of(tmp_path, text, f"{number}.csv") for number, text in enumerate(texts)]
    first, *same, other = [source.content(next(source.found())) for source in sources]
    assert same == [first, first] and other != first
