"""A CSV is brought up to what was decided, and all that nobody decided on stays byte for byte."""

import csv
import stat

import pytest
from mm2energon.errors import InputError
from mm2energon.review.csv_source import CsvSource
from mm2energon.review.csv_update import CsvChanges, split_cells, take_place, updated
from mm2energon.sample import Turn

from review.reviewing import HEADER, decided, edited, row, write_csv


def update(path, decisions, *, changed_meanwhile=None):
    """Bring a CSV up to decisions by row; the changes."""
    source = CsvSource(path)
    changes = CsvChanges(source)
    for one in decided(source, decisions):
        changes.add(one)
    if changed_meanwhile is not None:
        path.write_bytes(changed_meanwhile)
    with updated(changes) as fresh:
        take_place(fresh, path)
    return changes


def rows_of(path, delimiter=","):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_decisions_go_into_the_status_column(tmp_path):
    path = write_csv(tmp_path / "a.csv", *map(row, range(3)))
    changes = update(path, {0: "accepted", 2: "rejected"})
    assert [one["status"] for one in rows_of(path)] == ["accepted", "", "rejected"]
    assert changes.rows == 2


def test_edited_texts_take_the_place_of_the_old_ones(tmp_path):
    path = write_csv(tmp_path / "a.csv", *map(row, range(2)))
    update(path, {1: edited('Is it "1", or 2?', "Line one.\nLine two.")})
    assert rows_of(path)[1]["question"] == 'Is it "1", or 2?'
    assert rows_of(path)[1]["answer"] == "Line one.\nLine two."
    assert rows_of(path)[1]["status"] == "accepted"


AWKWARD = (
    '0;"v, w.mp4";"What ""is"" it?";x;"A;B";;note',
    "1;v.mp4;  spaces  ;x;''single'';Pending;",
    '2;v.mp4;"over\r\ntwo lines";x;;accepted;"quoted"',
    "",
    '3;v.mp4;plain;x;"half "quoted;;',
    "4;v.mp4;short row",
    "5;ü.mp4;Ünï?;x;ja;;",
)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_rows_that_nobody_decided_on_stay_byte_for_byte(tmp_path, end, bom):
    header = "index;video_file_path;question;category;answer;STATUS;extra"
    path = write_csv(tmp_path / "a.csv", *AWKWARD, header=header, end=end)
    before = bom + path.read_bytes().removesuffix(end.encode())
    path.write_bytes(before)
    update(path, {4: "rejected"})
    short = "4;v.mp4;short row"
    assert path.read_bytes() == before.replace(short.encode(), f"{short};;;rejected".encode())


def test_further_columns_their_order_and_their_quotes_stay(tmp_path):
    header = '"notes","STATUS","Answer","Question","Video Path","who"'
    path = write_csv(tmp_path / "a.csv", '"n ""1""","","A.","Q?","v.mp4",anna', header=header)
    update(path, {0: edited("Q2?", "A.")})
    assert path.read_text() == f'{header}\n"n ""1""","accepted","A.","Q2?","v.mp4",anna\n'


def test_lines_that_end_with_a_return_alone_stay_so_whatever_breaks_an_edit_has(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0), row(1), end="\r")
    update(path, {0: edited("two\nlines", "A.")})
    header, first, second = path.read_bytes().decode().rstrip("\r").split("\r")
    assert (header, first, second) == (HEADER, '0,v.mp4,"two\nlines",things,A.,accepted', row(1))


def test_a_line_for_excel_and_columns_of_one_name_stay(tmp_path):
    header = "sep=;\nvideo;question;answer;notes;notes"
    path = write_csv(tmp_path / "a.csv", "v.mp4;Q?;A.;one;two", "v.mp4;P?;B.;;", header=header)
    update(path, {0: edited("Q2?", "A.")})
    assert path.read_text() == f"{header};status\nv.mp4;Q2?;A.;one;two;accepted\nv.mp4;P?;B.;;\n"


def test_a_status_is_written_as_the_others_are(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0, status="Pending"), row(1, status="ACCEPTED"), row(2, status="Approved"))
    update(path, {0: "rejected", 1: "accepted", 2: "accepted"})
    assert [one["status"] for one in rows_of(path)] == ["Rejected", "ACCEPTED", "Approved"]


def test_a_decision_that_was_taken_back_is_pending_again(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0, status="accepted"), row(1, status="rejected"))
    update(path, {0: "pending", 1: "disputed"})
    assert [one["status"] for one in rows_of(path)] == ["pending", "rejected"]


def test_a_csv_without_a_status_column_gets_one_at_its_end(tmp_path):
    header = "index,video_file_path,question,category,answer"
    first, second = "0,v.mp4,Q?,c,A.", "1,v.mp4,Q?,c"
    path = write_csv(tmp_path / "a.csv", first, second, first, header=header)
    update(path, {0: "accepted", 1: "rejected"})
    assert path.read_text() == f"{HEADER}\n{first},accepted\n{second},,rejected\n{first}\n"
    assert [one["status"] for one in rows_of(path)] == ["accepted", "rejected", None]


def test_an_edit_of_more_turns_than_a_row_holds_changes_its_status_alone(tmp_path):
    path = write_csv(tmp_path / "a.csv", *map(row, range(2)))
    changes = update(path, {0: edited("Q2?", "A.", Turn("user", "And?"), Turn("assistant", "No."))})
    assert rows_of(path)[0]["question"] == "What is 0?" and rows_of(path)[0]["status"] == "accepted"
    assert changes.not_held == ["a.csv:2"]


def test_a_text_that_no_csv_can_hold_is_left_out_and_told(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0))
    changes = update(path, {0: edited("zero \0 byte", "half \ud800 pair")})
    assert rows_of(path)[0]["question"] == "What is 0?" and changes.not_held == ["a.csv:2"]


def test_bytes_that_are_no_utf_8_stay_what_they_are(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0), row(1))
    path.write_bytes(path.read_bytes().replace(b"A 0", b"\xe4 0"))
    before = path.read_bytes()
    update(path, {0: "rejected"})
    assert path.read_bytes() == before.replace(b"\xe4 0.,", b"\xe4 0.,rejected")


def test_a_broken_row_stays_and_costs_no_other(tmp_path):
    broken = '1,v.mp4,"never closed,x,y,z'
    path = write_csv(tmp_path / "a.csv", row(0), broken, row(2), row(3))
    update(path, {2: "accepted"})
    assert path.read_text().splitlines()[2:4] == [broken, row(2, status="accepted")]


def test_a_csv_that_changed_meanwhile_is_left_as_it_is(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0), row(1))
    other = path.read_bytes().replace(b"What is 0?", b"Who is it?")
    with pytest.raises(InputError, match="has changed since it was opened"):
        update(path, {0: "accepted"}, changed_meanwhile=other)
    assert path.read_bytes() == other
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_a_row_that_a_new_column_would_make_another_row_stops_the_update(tmp_path):
    header = "video_file_path,question,answer"
    path = write_csv(tmp_path / "a.csv", "v.mp4,Q?,A.", "v.mp4,one,field,too", header=header)
    before = path.read_bytes()
    with pytest.raises(InputError, match="--no-update-csv"):
        update(path, {0: "accepted"})
    assert path.read_bytes() == before


def test_mode_and_link_of_the_csv_stay(tmp_path):
    real = write_csv(tmp_path / "store" / "1.csv", row(0))
    real.chmod(0o640)
    link = tmp_path / "a.csv"
    link.symlink_to(real)
    update(link, {0: "accepted"})
    assert link.is_symlink() and rows_of(real)[0]["status"] == "accepted"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line", ['a,"b;c"|d\t"e ""f"""', '"half"way,x', ' "not quoted",y', ",,", '"a\n,b",c'])
def test_cells_are_told_apart_as_the_csv_module_does(delimiter, line):
    line = line.replace(",", delimiter)
    read = next(csv.reader([line], delimiter=delimiter), [""])
    cells = split_cells(line, delimiter)
    assert delimiter.join(cells) == line
    assert [next(csv.reader([cell], delimiter=delimiter), [""])[0] if cell else "" for cell in cells] == read
