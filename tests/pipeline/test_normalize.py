"""Normalize: every entry as ShareGPT or set aside, and no file of the user's replaced."""

import json

import pytest
from mm2energon import cli

from pipeline.making import chat, set_aside, tree_bytes, tree_times, write_json


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def normalize(*options):
    return cli.main(["normalize", *map(str, options)])


def test_singular_keys_become_plural_and_everything_else_stays(tmp_path):
    entries = [
        {"id": 1, "image": "a.jpg", "conversations": chat("<image>\nq"), "source": "x"},
        {"video": ["a.mp4"], "conversations": chat("<video>q")},
        {"images": ["a.jpg", "b.jpg"], "conversations": chat("<image><image>q")},
        {"conversations": chat()},
    ]
    write_json(tmp_path / "raw.json", entries)
    assert normalize() == 0
    assert json.loads((tmp_path / "dataset.json").read_text()) == [
        {"id": 1, "images": ["a.jpg"], "conversations": chat("<image>\nq"), "source": "x"},
        {"videos": ["a.mp4"], "conversations": chat("<video>q")},
        entries[2],
        entries[3],
    ]


def test_lines_are_read_and_written_by_name(tmp_path):
    (tmp_path / "raw.jsonl").write_text(
        "".join(json.dumps({"image": f"{n}", "conversations": chat()}) + "\n" for n in "ab")
    )
    assert normalize("--input-file", "raw.jsonl", "--output-file", "out.jsonl") == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [["a"], ["b"]]


def test_bad_entries_are_set_aside_and_counted(tmp_path, capsys):
    write_json(tmp_path / "raw.json", [7, {"image": 7, "conversations": chat()}, {"conversations": chat()}, {}])
    assert normalize() == 3
    assert [line["reason"] for line in set_aside(tmp_path)] == ["not-an-object", "bad-media-list", "unknown-format"]
    assert len(json.loads((tmp_path / "dataset.json").read_text())) == 1
    assert "set aside         3" in capsys.readouterr().out


def test_the_account_of_an_earlier_run_does_not_stay(tmp_path):
    write_json(tmp_path / "raw.json", [7, {"conversations": chat()}])
    assert normalize() == 3
    write_json(tmp_path / "raw.json", [{"conversations": chat()}])
    assert normalize() == 0
    assert not (tmp_path / "set_aside.jsonl").exists()


@pytest.mark.parametrize("content", ["[]", "", "[7, {}]"])
def test_nothing_to_write_is_an_error_and_writes_no_dataset(tmp_path, content, capsys):
    (tmp_path / "raw.json").write_text(content)
    assert normalize("--input-file", "raw.json") == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "dataset.json").exists()
    assert len(set_aside(tmp_path)) == (2 if "7" in content else 0)


def test_a_file_of_the_user_is_replaced_only_when_asked(tmp_path, capsys):
    write_json(tmp_path / "raw.json", [{"image": "a", "conversations": chat()}])
    own = write_json(tmp_path / "dataset.json", {"mine": 1}).read_bytes()
    assert normalize("--input-file", "raw.json") == 1
    assert "--overwrite" in capsys.readouterr().err and (tmp_path / "dataset.json").read_bytes() == own
    assert normalize("--input-file", "raw.json", "--overwrite") == 0
    assert normalize("--input-file", "raw.json") == 0  # now it is ours


def test_the_input_is_never_its_own_output(tmp_path, capsys):
    write_json(tmp_path / "raw.json", [{"conversations": chat()}])
    assert normalize("--input-file", "raw.json", "--output-file", "./raw.json", "--overwrite") == 1
    assert "is the input itself" in capsys.readouterr().err


def test_without_an_input_file_there_has_to_be_exactly_one(tmp_path, capsys):
    assert normalize() == 1
    write_json(tmp_path / "a.json", [{"conversations": chat()}])
    write_json(tmp_path / "b.json", [{"conversations": chat()}])
    assert normalize() == 1
    assert "a.json, b.json" in capsys.readouterr().err
    assert normalize("--input-file", "gone.json") == 1
    assert "no such file" in capsys.readouterr().err


def test_what_normalize_wrote_is_no_second_candidate(tmp_path):
    write_json(tmp_path / "a.json", [{"conversations": chat()}])
    (tmp_path / "package.json").write_text("{}")
    assert normalize() == 0
    assert normalize() == 0


@pytest.mark.parametrize("lines", [False, True])
def test_a_finished_run_that_is_started_again_changes_nothing_says_so_and_tells_the_same_account(
    tmp_path, capsys, lines
):
    output = tmp_path / ("out.jsonl" if lines else "out.json")
    write_json(tmp_path / "raw.json", [7, {"image": "a", "conversations": chat()}])
    assert normalize("--input-file", "raw.json", "--output-file", output) == 3
    first = capsys.readouterr().out
    assert "complete already" not in first
    bytes_before, times_before = tree_bytes(tmp_path), tree_times(tmp_path)
    assert normalize("--input-file", "raw.json", "--output-file", output) == 3
    said = "  was complete already, nothing was written\n"
    assert said in (second := capsys.readouterr().out) and second.replace(said, "") == first
    assert (tree_bytes(tmp_path), tree_times(tmp_path)) == (bytes_before, times_before)


@pytest.mark.parametrize("change", ["input", "input is renamed", "dataset.json", "set_aside.jsonl", "report.json"])
def test_what_was_changed_or_lost_since_is_written_anew_and_nothing_is_called_complete(tmp_path, capsys, change):
    source = write_json(tmp_path / "raw.json", [7, {"image": "a", "conversations": chat()}])
    assert normalize("--input-file", source) == 3
    if change == "input":
        write_json(source, [7, {"image": "b", "conversations": chat()}])
    elif change == "input is renamed":
        source = source.rename(tmp_path / "other.json")
    else:
        (tmp_path / change).unlink()
    capsys.readouterr()
    assert normalize("--input-file", source) == 3
    assert "complete already" not in capsys.readouterr().out
    assert normalize("--input-file", source) == 3
    assert "complete already" in capsys.readouterr().out
