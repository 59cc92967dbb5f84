"""Options: the values that they take, and those they refuse."""

import argparse

import pytest
from mm2energon.commands.options import accounted
from mm2energon.commands.values import count, memory, seconds, size


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("1e4", 10_000), ("10000.0", 10_000)])
def test_a_count_is_a_whole_number_however_it_is_written(text, number):
    assert count(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "nan", "inf", "1e400", "1e300"])
def test_a_count_refuses_what_is_no_whole_number_from_one_up(text):
    with pytest.raises(argparse.ArgumentTypeError):
        count(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("500000000", 500_000_000), ("500M", 500 << 20), ("2G", 2 << 30), ("1.5k", 1536), ("1 GiB", 1 << 30), ("7B", 7)],
)
def test_a_size_is_bytes_with_or_without_a_unit(text, number):
    assert size(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "M", "", "1X", "1 2", "inf", "0.1"])
def test_a_size_refuses_anything_else(text):
    with pytest.raises(argparse.ArgumentTypeError):
        size(text)


def test_seconds_are_from_zero_up():
    assert seconds("0") == 0 and seconds("1.5") == 1.5
    for text in ("-1", "x", "nan", "inf"):
        with pytest.raises(argparse.ArgumentTypeError):
            seconds(text)


def test_memory_is_a_size_in_which_a_worker_can_start():
    assert memory("512M") == 512 << 20
    for text in ("100M", "511M", "1", "x"):
        with pytest.raises(argparse.ArgumentTypeError):
            memory(text)


def test_a_summary_says_where_a_file_cannot_be_read_any_further():
    account = {"read": 2, "written": {"entries": 1}, "set_aside": {"broken-json": 1}, "set_aside_file": "s"}
    lines = accounted([], {**account, "lost_behind": ["a[1]/t.json[13]", "b.json[0]"]}, allowed=False).lines
    assert [line.split(";")[0] for line in lines[-2:]] == [
        "broken: a[1]/t.json cannot be read behind entry 12",
        "broken: b.json cannot be read at all",
    ]
