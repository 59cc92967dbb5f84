"""Annotations: several files that are one dataset."""

import json

import pytest
from mm2energon import cli

from pipeline.making import run_shard, stored, text_entry, write_json


def lines_of(entries):
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def ids(root):
    return sorted(sample.text["id"] for sample in stored(root / "wds"))


def parts(root):
    """Three files of four entries each, of one of which all are bad."""
    write_json(root / "parts/b.json", [text_entry(number, id=number) for number in range(4)])
    (root / "parts/a.jsonl").write_text(lines_of(text_entry(number, id=number) for number in range(4, 8)))
    write_json(root / "more/b.json", [{"conversations": []} for _ in range(2)])
    return root


def test_the_entries_of_several_files_are_one_dataset_in_the_order_given(tmp_path):
    parts(tmp_path)
    assert run_shard(tmp_path, "--json", "parts/b.json", "--json", "parts/a.jsonl", "--val-split", 0) == 0
    assert [sample.text["id"] for sample in stored(tmp_path / "wds")] == list(range(8))
    assert run_shard(tmp_path, "--json", "parts/a.jsonl", "--json", "parts/b.json", "--val-split", 0, "--restart") == 0
    assert [sample.text["id"] for sample in stored(tmp_path / "wds")] == [4, 5, 6, 7, 0, 1, 2, 3]


@pytest.mark.parametrize("given", ["parts", "parts/*.json*", "**/[ab].jsonl parts/b.json"])
def test_a_folder_or_a_pattern_stands_for_its_files_by_name(tmp_path, given):
    parts(tmp_path)
    options = [option for one in given.split() for option in ("--json", one)]
    assert run_shard(tmp_path, *options, "--val-split", 0) == 0
    assert [sample.text["id"] for sample in stored(tmp_path / "wds")] == [4, 5, 6, 7, 0, 1, 2, 3]


def test_entries_name_their_file_by_its_path_where_two_share_a_name(tmp_path):
    parts(tmp_path)
    files = ("--json", "parts/b.json", "--json", "more/b.json", "--json", "parts/a.jsonl")
    assert run_shard(tmp_path, *files) == 3
    lines = [json.loads(line) for line in (tmp_path / "wds/set_aside.jsonl").read_text().splitlines()]
    assert [line["origin"] for line in lines] == ["more/b.json[0]", "more/b.json[1]"]
    assert run_shard(tmp_path, *files[:2], "--restart") == 0 and ids(tmp_path) == [0, 1, 2, 3]


def test_the_account_is_of_all_files_together(tmp_path):
    parts(tmp_path)
    assert run_shard(tmp_path, "--json", "parts", "--json", "more") == 3
    report = json.loads((tmp_path / "wds/report.json").read_text())
    assert report["read"] == 10 == sum(report["written"].values()) + sum(report["set_aside"].values())


def test_in_a_folder_what_is_no_annotation_file_is_passed_over(tmp_path):
    parts(tmp_path)
    write_json(tmp_path / "parts/video.json", {"fps": "2.0"})
    (tmp_path / "parts/readme.txt").write_text("[]")
    (tmp_path / "parts/.hidden.json").write_text("[{}]")
    assert run_shard(tmp_path, "--json", "parts") == 0 and ids(tmp_path) == list(range(8))


def test_what_is_passed_over_in_a_folder_is_named(tmp_path, capsys):
    parts(tmp_path)
    write_json(tmp_path / "parts/video.json", {"fps": "2.0"})
    (tmp_path / "parts/c.jsonl").write_text('{"asked": 1}\n' * 30)
    (tmp_path / "parts/empty.jsonl").touch()
    assert run_shard(tmp_path, "--json", "parts") == 0 and ids(tmp_path) == list(range(8))
    assert "2 other json files hold no annotations: c.jsonl, empty.jsonl\n" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["[]".encode("utf-16"), b"PK\3\4zip"])
def test_a_file_of_a_folder_that_cannot_be_read_is_refused_and_never_passed_over(tmp_path, capsys, content):
    path = parts(tmp_path) / "parts/c.jsonl"
    path.write_bytes(content)
    assert run_shard(tmp_path, "--json", "parts") == 1
    assert str(path) in capsys.readouterr().err and not list(tmp_path.glob("wds/*.tar"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["parts", "parts/a.jsonl"], "is given twice"),
        (["parts/b.json", "more/../parts/b.json"], "is given twice"),
        (["none"], "is a folder without annotation files"),
        (["parts/*.parquet"], "no file below"),
        (["parts/c.json"], "no such file"),
        (["parts/b.json", "parts/c.json"], "no such file"),
    ],
)
def test_files_that_are_not_there_or_there_twice_are_refused(tmp_path, capsys, given, said):
    parts(tmp_path)
    (tmp_path / "none").mkdir()
    assert run_shard(tmp_path, *(option for one in given for option in ("--json", one))) == 1
    assert said in capsys.readouterr().err and not (tmp_path / "wds").exists()


def test_a_file_may_have_the_name_of_a_pattern(tmp_path):
    write_json(tmp_path / "a[1].json", [text_entry(number, id=number) for number in range(4)])
    assert run_shard(tmp_path, "--json", "a[1].json") == 0 and ids(tmp_path) == [0, 1, 2, 3]


def test_files_without_a_single_good_entry_are_counted_in_the_message(tmp_path, capsys):
    parts(tmp_path)
    write_json(tmp_path / "more/c.json", [{"conversations": []}])
    assert run_shard(tmp_path, "--json", "more/b.json", "--json", "more/c.json") == 1
    assert "b.json and 1 more: none of its 3 entries can be written" in capsys.readouterr().err


def test_verify_holds_a_dataset_of_several_files_against_all_of_them(tmp_path):
    parts(tmp_path)
    files = ("--json", "parts/b.json", "--json", "more/b.json", "--json", "parts/a.jsonl")
    assert run_shard(tmp_path, *files) == 3
    against = ("verify", str(tmp_path / "wds"), "--skip-energon", "--against", str(tmp_path))
    assert cli.main([*against, *files]) == 0
    assert cli.main([*against, "--json", "parts/b.json"]) == 1
