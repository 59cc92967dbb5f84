"""Copies of a CSV from before it changes: named by the time, never replaced, none too many."""

from datetime import datetime

from mm2energon.review.csv_backup import back_up

from review.reviewing import row, write_csv

AT = datetime(2024, 12, 1, 14, 30, 52)  # noqa: DTZ001 (local time is what the name holds)


def test_the_name_holds_the_time(tmp_path):
    path = write_csv(tmp_path / "annotations.csv", row(0))
    backup = back_up(path, at=AT, changes=True)
    assert backup == tmp_path / "annotations_backup_20241201_143052.csv"
    assert backup.read_bytes() == path.read_bytes()


def test_two_in_one_second_are_two(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0))
    first = back_up(path, at=AT, changes=True)
    write_csv(path, row(1))
    second = back_up(path, at=AT, changes=True)
    assert second.name == "a_backup_20241201_143053.csv"
    assert first.read_bytes() != second.read_bytes() == path.read_bytes()


def test_what_has_a_copy_already_is_not_copied_again(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0))
    first = back_up(path, at=AT, changes=False)
    assert back_up(path, at=AT, changes=True) == first
    write_csv(path, row(1))
    assert back_up(path, at=AT, changes=False) == first  # nothing is about to be lost
    assert len(list(tmp_path.iterdir())) == 2


def test_other_files_are_no_copies(tmp_path):
    path = write_csv(tmp_path / "a.csv", row(0))
    for name in ("b_backup_20241201_143052.csv", "a_backup_20241201.csv", "a_backup_20241201_143052.csv.gz"):
        (tmp_path / name).write_bytes(path.read_bytes())
    assert back_up(path, at=AT, changes=False).name == "a_backup_20241201_143052.csv"
